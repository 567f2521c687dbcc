//! Sockets that close the moment this process is killed.
//!
//! A process that is killed gives its memory back before its descriptors: for 100 MB that takes
//! 20 ms and more, and as long its peers wait for a leader that is gone. But each thread may have a
//! table of descriptors of its own (unshare(2), `CLONE_FILES`), and the thread itself ends at once.
//! So one thread keeps what tells others that the process lives: its listeners, and a connection to
//! every peer. What it accepts, it hands to the rest of the process.
//!
//! Invariant: a number means another descriptor here than there. The thread touches only what it
//! was sent, gives nothing of its own away but by sending it, and writes no log.

mod message;
mod thread;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard};

use evenkeel_shared::wire::transport::{BoxStream, Dial};
use futures::future::BoxFuture;
use tokio::io::Interest;
use tokio::net::UnixDatagram;
use tokio::sync::{mpsc, oneshot};

use super::net::{Lasting, Listener, Net, Tcp, greet};
use message::{Message, Word};

/// Connections that were accepted and that nobody has taken yet.
const ACCEPTED_MAX: usize = 64;

/// The thread, before there is a runtime.
pub struct Thread(std::os::unix::net::UnixDatagram);

impl Thread {
    /// Starts it. Do so before anything else is opened: what is open then, it keeps open.
    pub fn start() -> io::Result<Self> {
        thread::start().map(Self)
    }

    /// The network, its listeners and lasting connections kept by the thread.
    pub fn into_net(self) -> io::Result<impl Net> {
        let control = UnixDatagram::from_std(self.0)?;
        let shared = Arc::new(Shared { control, kept: Mutex::default() });
        let reader = Arc::downgrade(&shared);
        tokio::spawn(async move {
            while let Some(shared) = reader.upgrade() {
                if let Err(error) = shared.read_one().await {
                    tracing::error!(%error, "the thread that keeps the listeners has ended");
                    return;
                }
            }
        });
        Ok(LastingTcp(shared))
    }
}

/// TCP whose listeners and lasting connections the thread keeps.
struct LastingTcp(Arc<Shared>);

struct Shared {
    control: UnixDatagram,
    kept: Mutex<Kept>,
}

/// What the thread keeps, by number, and who wants to hear of it.
#[derive(Default)]
struct Kept {
    last: u64,
    listeners: BTreeMap<u64, mpsc::Sender<io::Result<OwnedFd>>>,
    lines: BTreeMap<u64, oneshot::Sender<()>>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().expect("no holder of this lock panics")
    }

    async fn send(&self, message: &Message) -> io::Result<()> {
        let send = || message.send(self.control.as_fd());
        self.control.async_io(Interest::WRITABLE, send).await
    }

    /// Reads one message and tells whom it concerns.
    async fn read_one(&self) -> io::Result<()> {
        let read = || Message::receive(self.control.as_fd());
        let Message { word, number, socket } =
            self.control.async_io(Interest::READABLE, read).await?;
        match word {
            Word::Accepted => {
                let listener = self.lock().listeners.get(&number).cloned();
                // Without room in this process's table the message comes without its descriptor.
                let full = || io::Error::from(rustix::io::Errno::MFILE);
                if let Some(listener) = listener {
                    // Whoever has stopped listening takes nothing more.
                    let _ = listener.send(socket.ok_or_else(full)).await;
                }
            }
            Word::Ended => {
                if let Some(line) = self.lock().lines.remove(&number) {
                    // Whoever let it go asks no more.
                    let _ = line.send(());
                }
            }
            Word::Listen | Word::Hold | Word::Close => {
                return Err(io::Error::other(format!("it said {word:?}")));
            }
        }
        Ok(())
    }

    /// Hands a connection over, and waits until its other end has closed.
    async fn hold(self: Arc<Self>, socket: OwnedFd) {
        let (sender, ended) = oneshot::channel();
        let number = {
            let mut kept = self.lock();
            kept.last += 1;
            let number = kept.last;
            kept.lines.insert(number, sender);
            number
        };
        let _let_go = LetGo { shared: self.clone(), number };
        let hold = Message { word: Word::Hold, number, socket: Some(socket) };
        if let Err(error) = self.send(&hold).await {
            tracing::debug!(%error, "a lasting connection was not taken");
            return;
        }
        drop(hold);
        let _ = ended.await;
    }
}

/// Closes what nobody wants kept any more.
struct LetGo {
    shared: Arc<Shared>,
    number: u64,
}

impl Drop for LetGo {
    fn drop(&mut self) {
        let known = {
            let mut kept = self.shared.lock();
            let line = kept.lines.remove(&self.number).is_some();
            line | kept.listeners.remove(&self.number).is_some()
        };
        if known {
            let close = Message { word: Word::Close, number: self.number, socket: None };
            // If it does not fit now, the descriptor stays open for as long as the process lives.
            if let Err(error) = close.send(self.shared.control.as_fd()) {
                tracing::debug!(%error, "a kept descriptor was not closed");
            }
        }
    }
}

impl Dial for LastingTcp {
    fn dial(&self, address: &str) -> BoxFuture<'static, io::Result<BoxStream>> {
        Tcp.dial(address)
    }
}

impl Net for LastingTcp {
    fn listen(&self, address: &str) -> BoxFuture<'static, io::Result<Box<dyn Listener>>> {
        let (address, shared) = (address.to_owned(), self.0.clone());
        Box::pin(async move {
            #[expect(clippy::disallowed_methods, reason = "one of the two places that listen")]
            let listener = tokio::net::TcpListener::bind(address).await?.into_std()?;
            let local = listener.local_addr()?;
            let (sender, accepted) = mpsc::channel(ACCEPTED_MAX);
            let number = {
                let mut kept = shared.lock();
                kept.last += 1;
                let number = kept.last;
                kept.listeners.insert(number, sender);
                number
            };
            let let_go = LetGo { shared: shared.clone(), number };
            let socket = Some(listener.into());
            shared.send(&Message { word: Word::Listen, number, socket }).await?;
            Ok(Box::new(KeptListener { accepted, local, _let_go: let_go }) as Box<dyn Listener>)
        })
    }

    fn dial_for_life(&self, address: &str) -> BoxFuture<'static, io::Result<Option<Lasting>>> {
        let (address, shared) = (address.to_owned(), self.0.clone());
        Box::pin(async move {
            #[expect(clippy::disallowed_methods, reason = "the thread needs the bare socket")]
            let stream = tokio::net::TcpStream::connect(address).await?;
            let socket = stream.as_fd().try_clone_to_owned()?;
            let held = Box::pin(shared.hold(socket));
            Ok(Some(Lasting { stream: Box::new(stream), held }))
        })
    }
}

struct KeptListener {
    accepted: mpsc::Receiver<io::Result<OwnedFd>>,
    local: SocketAddr,
    _let_go: LetGo,
}

impl Listener for KeptListener {
    fn accept(&mut self) -> BoxFuture<'_, io::Result<(BoxStream, SocketAddr)>> {
        Box::pin(async move {
            let ended = || io::Error::other("the thread that keeps the listeners has ended");
            let socket = self.accepted.recv().await.ok_or_else(ended)??;
            let stream = tokio::net::TcpStream::from_std(std::net::TcpStream::from(socket))?;
            greet(stream)
        })
    }

    fn local_address(&self) -> io::Result<SocketAddr> {
        Ok(self.local)
    }
}
