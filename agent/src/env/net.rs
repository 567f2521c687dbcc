//! Connections: listen and dial. TCP in the real world, turmoil's in the simulation.

use std::io;
use std::net::SocketAddr;

use futures::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite};

/// A byte stream in both directions.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A stream whose kind doesn't matter.
pub type BoxStream = Box<dyn Stream>;

/// Listens and dials.
pub trait Net: Send + Sync {
    /// Opens a listener at `host:port`.
    fn listen(&self, address: &str) -> BoxFuture<'static, io::Result<Box<dyn Listener>>>;
    /// Opens a connection to `host:port`.
    fn dial(&self, address: &str) -> BoxFuture<'static, io::Result<BoxStream>>;
}

/// Hands out connections that others have opened.
pub trait Listener: Send {
    /// Waits for the next one.
    fn accept(&mut self) -> BoxFuture<'_, io::Result<(BoxStream, SocketAddr)>>;
    /// Where it listens: the port that was taken when 0 was asked for.
    fn local_address(&self) -> io::Result<SocketAddr>;
}

/// TCP of the operating system, without Nagle's delay.
pub struct Tcp;

impl Net for Tcp {
    fn listen(&self, address: &str) -> BoxFuture<'static, io::Result<Box<dyn Listener>>> {
        let address = address.to_owned();
        Box::pin(async move {
            #[expect(clippy::disallowed_methods, reason = "this is the one place that listens")]
            let listener = tokio::net::TcpListener::bind(address).await?;
            Ok(Box::new(TcpListener(listener)) as Box<dyn Listener>)
        })
    }

    fn dial(&self, address: &str) -> BoxFuture<'static, io::Result<BoxStream>> {
        let address = address.to_owned();
        Box::pin(async move {
            #[expect(clippy::disallowed_methods, reason = "this is the one place that dials")]
            let stream = tokio::net::TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as BoxStream)
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
