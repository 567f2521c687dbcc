//! The agents' network: turmoil's, which delays, loses and cuts as the world says.

use std::io;
use std::net::SocketAddr;

use evenkeel_agent::env::net::{Accepted, Listener, Net};
use evenkeel_shared::wire::transport::{BoxStream, Dial};
use futures::future::BoxFuture;
use turmoil::net::{TcpListener, TcpStream};

/// The network of whichever host runs now.
pub struct SimNet;

impl Dial for SimNet {
    fn dial(&self, address: &str) -> BoxFuture<'static, io::Result<BoxStream>> {
        let address = address.to_owned();
        Box::pin(async move {
            let stream = TcpStream::connect(address).await?;
            Ok(Box::new(stream) as BoxStream)
        })
    }
}

impl Net for SimNet {
    fn listen(&self, address: &str) -> BoxFuture<'static, io::Result<Box<dyn Listener>>> {
        let address = address.to_owned();
        Box::pin(async move {
            let listener = TcpListener::bind(address).await?;
            Ok(Box::new(SimListener(listener)) as Box<dyn Listener>)
        })
    }
}

struct SimListener(TcpListener);

impl Listener for SimListener {
    fn accept(&mut self) -> BoxFuture<'_, io::Result<Accepted>> {
        Box::pin(async move {
            let (stream, from) = self.0.accept().await?;
            Ok(Accepted { stream: Box::new(stream), from, kept: None })
        })
    }

    fn local_address(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}
