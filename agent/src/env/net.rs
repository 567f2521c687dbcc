//! Connections: listen and dial. TCP in the real world, turmoil's in the simulation.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use evenkeel_shared::wire::transport::{BoxStream, Dial};
use futures::future::BoxFuture;
use rustix::net::sockopt::{
    set_socket_keepalive, set_tcp_keepcnt, set_tcp_keepidle, set_tcp_keepintvl,
};

pub use evenkeel_shared::wire::tcp::Tcp;

use super::lifelines::Kept;

/// After so long without a word a caller is asked whether it is still there.
const SILENT_FOR: Duration = Duration::from_secs(30);
/// And again, until it has missed so many.
const ASKED_EVERY: Duration = Duration::from_secs(10);
const ASKED_TIMES: u32 = 3;

/// Listens, and dials.
pub trait Net: Dial {
    /// Opens a listener at `host:port`.
    fn listen(&self, address: &str) -> BoxFuture<'static, io::Result<Box<dyn Listener>>>;
}

/// A connection that somebody else has opened.
pub struct Accepted {
    /// What is said on it.
    pub stream: BoxStream,
    /// Who opened it.
    pub from: SocketAddr,
    /// Keeps it open for as long as the process lives, and not a moment longer; dropped, it leaves
    /// the connection to whoever has the stream. None where that can't be.
    pub kept: Option<Kept>,
}

/// Hands out connections that others have opened.
pub trait Listener: Send {
    /// Waits for the next one.
    fn accept(&mut self) -> BoxFuture<'_, io::Result<Accepted>>;
    /// Where it listens: the port that was taken when 0 was asked for.
    fn local_address(&self) -> io::Result<SocketAddr>;
}

impl Net for Tcp {
    fn listen(&self, address: &str) -> BoxFuture<'static, io::Result<Box<dyn Listener>>> {
        let address = address.to_owned();
        Box::pin(async move {
            #[expect(clippy::disallowed_methods, reason = "one of the two places that listen")]
            let listener = tokio::net::TcpListener::bind(address).await?;
            Ok(Box::new(TcpListener(listener)) as Box<dyn Listener>)
        })
    }
}

struct TcpListener(tokio::net::TcpListener);

impl Listener for TcpListener {
    fn accept(&mut self) -> BoxFuture<'_, io::Result<Accepted>> {
        Box::pin(async move { greet(self.0.accept().await?.0) })
    }

    fn local_address(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// Makes a connection ready that was just accepted.
pub(super) fn greet(stream: tokio::net::TcpStream) -> io::Result<Accepted> {
    let from = stream.peer_addr()?;
    stream.set_nodelay(true)?;
    ask_for_life(&stream)?;
    Ok(Accepted { stream: Box::new(stream), from, kept: None })
}

/// Has the kernel ask a silent caller whether it is still there: one whose machine or network is
/// gone never says that it has left, and would keep its place for ever.
fn ask_for_life(stream: &tokio::net::TcpStream) -> io::Result<()> {
    set_tcp_keepidle(stream, SILENT_FOR)?;
    set_tcp_keepintvl(stream, ASKED_EVERY)?;
    set_tcp_keepcnt(stream, ASKED_TIMES)?;
    set_socket_keepalive(stream, true)?;
    Ok(())
}
