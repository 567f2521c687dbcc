//! Sockets that close the moment this process is killed.
//!
//! A process that is killed gives its memory back before its descriptors: for 100 MB that takes
//! 20 ms and more, and as long its peers wait for a leader that is gone. But each thread may have a
//! table of descriptors of its own (unshare(2), `CLONE_FILES`), and the thread itself ends at once.
//! So one thread keeps what tells others that the process lives: its listeners, and the lifelines
//! that they have asked for. It accepts connections, and hands them to the rest of the process.
//!
//! Invariant: a number means another descriptor here than there. The thread touches only what it
//! was sent or has accepted, gives nothing away but by sending it, writes no log and takes no signal.

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

use super::net::{Accepted, Listener, Net, Tcp, greet};
use message::{Message, Word};

pub use thread::keep_while;

/// Connections of one listener that were accepted and that nobody has taken yet; more are closed, for
/// one listener must not hold up the others.
const ACCEPTED_MAX: usize = 1_024;

/// The line to the thread that keeps them, before there is a runtime.
pub struct Line(std::os::unix::net::UnixDatagram);

impl Line {
    /// The network, whose listeners the thread keeps.
    pub fn into_net(self) -> io::Result<impl Net> {
        self.0.set_nonblocking(true)?;
        let control = Arc::new(UnixDatagram::from_std(self.0)?);
        // Whoever lets something go does not wait, and each says so once.
        let (words, said) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared { words, kept: Mutex::default() });
        tokio::spawn(send_all(control.clone(), said));
        let reading = shared.clone();
        tokio::spawn(async move {
            let read = || Message::receive(control.as_fd());
            loop {
                match control.async_io(Interest::READABLE, read).await {
                    Ok(message) => reading.take(message),
                    Err(error) => {
                        tracing::error!(%error, "nothing more is heard of the listeners");
                        return;
                    }
                }
            }
        });
        Ok(KeptTcp(shared))
    }
}

async fn send_all(control: Arc<UnixDatagram>, mut said: mpsc::UnboundedReceiver<Message>) {
    while let Some(message) = said.recv().await {
        let send = || message.send(control.as_fd());
        if let Err(error) = control.async_io(Interest::WRITABLE, send).await {
            tracing::error!(%error, "the thread that keeps the listeners hears nothing more");
            return;
        }
    }
}

/// TCP whose listeners the thread keeps.
struct KeptTcp(Arc<Shared>);

struct Shared {
    words: mpsc::UnboundedSender<Message>,
    kept: Mutex<Listening>,
}

/// Who wants to hear of what the thread keeps, by number.
#[derive(Default)]
struct Listening {
    last: u64,
    listeners: BTreeMap<u64, mpsc::Sender<(u64, OwnedFd)>>,
    lifelines: BTreeMap<u64, oneshot::Sender<()>>,
    /// The last connection came without its descriptor: this process's table is full.
    full: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Listening> {
        self.kept.lock().expect("no holder of this lock panics")
    }

    fn say(&self, word: Word, number: u64, socket: Option<OwnedFd>) {
        // When nobody sends any more, the process is ending.
        let _ = self.words.send(Message { word, number, of: 0, socket });
    }

    fn take(&self, Message { word, number, of, socket }: Message) {
        match word {
            Word::Accepted => {
                let (listener, is_news) = {
                    let mut kept = self.lock();
                    let was_full = std::mem::replace(&mut kept.full, socket.is_none());
                    (kept.listeners.get(&of).cloned(), kept.full && !was_full)
                };
                if is_news {
                    tracing::warn!("out of descriptors: connections are turned away");
                }
                let taken = listener
                    .zip(socket)
                    .is_some_and(|(listener, socket)| listener.try_send((number, socket)).is_ok());
                if !taken {
                    self.say(Word::Close, number, None);
                }
            }
            Word::Ended => {
                if let Some(lifeline) = self.lock().lifelines.remove(&number) {
                    // Whoever let it go asks no more.
                    let _ = lifeline.send(());
                }
            }
            Word::Listen | Word::Hold | Word::Close | Word::Leave => {
                tracing::error!(?word, "the thread that keeps the listeners said what it is told");
            }
        }
    }
}

/// The thread's hold on a connection or a listener; it is let go when this is dropped.
pub struct Kept {
    shared: Arc<Shared>,
    number: u64,
}

impl Kept {
    /// Leaves a connection to the thread alone, and waits until the other side has closed it. Until
    /// then it tells that the process lives.
    pub async fn hold(self) {
        let (sender, ended) = oneshot::channel();
        self.shared.lock().lifelines.insert(self.number, sender);
        self.shared.say(Word::Hold, self.number, None);
        // No sender is dropped: the thread tells of each that has ended.
        let _ = ended.await;
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        {
            let mut kept = self.shared.lock();
            kept.lifelines.remove(&self.number);
            kept.listeners.remove(&self.number);
        }
        self.shared.say(Word::Close, self.number, None);
    }
}

impl Dial for KeptTcp {
    fn dial(&self, address: &str) -> BoxFuture<'static, io::Result<BoxStream>> {
        Tcp.dial(address)
    }
}

impl Net for KeptTcp {
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
            let (socket, kept) = (Some(listener.into()), Kept { shared, number });
            Ok(Box::new(KeptListener { socket, accepted, local, kept }) as Box<dyn Listener>)
        })
    }
}

struct KeptListener {
    /// Until it is served: so long the kernel keeps callers waiting.
    socket: Option<OwnedFd>,
    accepted: mpsc::Receiver<(u64, OwnedFd)>,
    local: SocketAddr,
    kept: Kept,
}

impl Listener for KeptListener {
    fn accept(&mut self) -> BoxFuture<'_, io::Result<Accepted>> {
        Box::pin(async move {
            if let Some(socket) = self.socket.take() {
                self.kept.shared.say(Word::Listen, self.kept.number, Some(socket));
            }
            let ended = || io::Error::other("the thread that keeps the listeners has ended");
            let (number, socket) = self.accepted.recv().await.ok_or_else(ended)?;
            let kept = Kept { shared: self.kept.shared.clone(), number };
            let stream = tokio::net::TcpStream::from_std(std::net::TcpStream::from(socket))?;
            Ok(Accepted { kept: Some(kept), ..greet(stream)? })
        })
    }

    fn local_address(&self) -> io::Result<SocketAddr> {
        Ok(self.local)
    }
}
