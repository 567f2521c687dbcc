//! Connections: listen and dial. TCP in the real world, turmoil's in the simulation.

use std::io;
use std::net::SocketAddr;

use evenkeel_shared::wire::transport::{BoxStream, Dial};
use futures::future::BoxFuture;

pub use evenkeel_shared::wire::tcp::Tcp;

/// Listens, and dials.
pub trait Net: Dial {
    /// Opens a listener at `host:port`.
    fn listen(&self, address: &str) -> BoxFuture<'static, io::Result<Box<dyn Listener>>>;
}

/// Hands out connections that others have opened.
pub trait Listener: Send {
    /// Waits for the next one.
    fn accept(&mut self) -> BoxFuture<'_, io::Result<(BoxStream, SocketAddr)>>;
    /// Where it listens: the port that was taken when 0 was asked for.
    fn local_address(&self) -> io::Result<SocketAddr>;
}

impl Net for Tcp {
    fn listen(&self, address: &str) -> BoxFuture<'static, io::Result<Box<dyn Listener>>> {
        let address = address.to_owned();
        Box::pin(async move {
            #[expect(clippy::disallowed_methods, reason = "this is the one place that listens")]
            let listener = tokio::net::TcpListener::bind(address).await?;
            Ok(Box::new(TcpListener(listener)) as Box<dyn Listener>)
        })
    }
}

struct TcpListener(tokio::net::TcpListener);

impl Listener for TcpListener {
    fn accept(&mut self) -> BoxFuture<'_, io::Result<(BoxStream, SocketAddr)>> {
        Box::pin(async move {
            let (stream, from) = self.0.accept().await?;
            stream.set_nodelay(true)?;
            Ok((Box::new(stream) as BoxStream, from))
        })
    }

    fn local_address(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}
