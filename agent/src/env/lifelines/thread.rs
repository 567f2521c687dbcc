//! The thread with a table of descriptors of its own. It is the process's first, for what the system
//! shows of a process (`ss -p`, `lsof`) is what its first thread has: who listens can be seen.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::SigSet;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{SocketFlags, accept_with};

use super::Line;
use super::message::{Message, Word};

/// After a failed accept: out of descriptors, most likely, and so for a while.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);

/// Runs `rest` on another thread, while this one keeps what it is handed. `rest` gets the line to
/// this thread, or why there is none.
pub fn keep_while<T: Send + 'static>(
    rest: impl FnOnce(io::Result<Line>) -> T + Send + 'static,
) -> io::Result<T> {
    let (far, near) = UnixDatagram::pair()?;
    let leave = Leave(far.try_clone()?);
    let (tell, told) = std::sync::mpsc::sync_channel(1);
    let thread = std::thread::Builder::new().name("agent".to_owned()).spawn(move || {
        let _leave = leave;
        // Until this thread is alone, whatever is opened is opened in both tables.
        let alone: io::Result<()> = told.recv().map_err(io::Error::other).flatten();
        rest(alone.map(|()| Line(far)))
    })?;
    // A handler of signals writes to a descriptor of the others: it must never run here.
    let alone = SigSet::all().thread_block().and_then(|()| unshare(CloneFlags::CLONE_FILES));
    tell.send(alone.map_err(io::Error::from)).map_err(io::Error::other)?;
    if alone.is_ok() && Keeper::new(near).run().is_err() {
        // Nobody would be let in any more, and nobody told: better to be started again.
        std::process::abort();
    }
    thread.join().map_err(|panic| std::panic::resume_unwind(panic))
}

/// Tells the keeping thread that the rest has ended.
struct Leave(UnixDatagram);

impl Drop for Leave {
    fn drop(&mut self) {
        let leave = Message { word: Word::Leave, number: 0, of: 0, socket: None };
        // It must arrive, however much is to be closed before it: nobody else reads any more what the
        // keeper says, and it would wait for room. If there was nothing to keep, there is room.
        let (Ok(()), Ok(said)) = (self.0.set_nonblocking(false), self.0.try_clone()) else {
            return;
        };
        let read_on = move || while Message::receive(said.as_fd()).is_ok() {};
        let read_on = std::thread::Builder::new().name("leave".to_owned()).spawn(read_on);
        // Both ends are open for as long as the process lives.
        let _ = read_on.map(|_| send_whole(&self.0, &leave));
    }
}

type Kept = (u64, OwnedFd);

/// Connections are counted from here, listeners below it.
const CONNECTIONS_FROM: u64 = 1 << 32;

struct Keeper {
    control: UnixDatagram,
    listeners: Vec<Kept>,
    /// Accepted, and not yet said whether they are lifelines.
    accepted: BTreeMap<u64, OwnedFd>,
    lifelines: Vec<Kept>,
    last: u64,
}

/// What a look at all descriptors has shown.
struct Ready {
    control: bool,
    listeners: Vec<usize>,
    lifelines: Vec<usize>,
}

impl Keeper {
    fn new(control: UnixDatagram) -> Self {
        let (listeners, accepted, lifelines) = (Vec::new(), BTreeMap::new(), Vec::new());
        Self { control, listeners, accepted, lifelines, last: CONNECTIONS_FROM }
    }

    /// Ends when it is told to; in error only if nothing can be heard of the process any more.
    fn run(mut self) -> io::Result<()> {
        let mut pause = None;
        loop {
            let ready = match self.wait(pause.take()) {
                Ok(ready) => ready,
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            };
            for at in ready.listeners {
                if !self.accept(at)? {
                    pause = Some(ACCEPT_AGAIN);
                }
            }
            // The last first, so that the places of the others stay as they are.
            for at in ready.lifelines.into_iter().rev() {
                let (number, _) = self.lifelines.swap_remove(at);
                self.tell(&Message { word: Word::Ended, number, of: 0, socket: None })?;
            }
            if ready.control && !self.obey()? {
                return Ok(());
            }
        }
    }

    /// Waits until something is to be done; without the listeners, for so long.
    fn wait(&self, pause: Option<Duration>) -> Result<Ready, Errno> {
        let listeners = if pause.is_some() { &[][..] } else { &self.listeners[..] };
        let kept = listeners.iter().chain(&self.lifelines);
        let mut polled = vec![PollFd::new(&self.control, PollFlags::IN)];
        polled.extend(kept.map(|(_, socket)| PollFd::new(socket, PollFlags::IN)));
        let limit = pause.map(|pause| Timespec { tv_sec: 0, tv_nsec: pause.subsec_nanos().into() });
        poll(&mut polled, limit.as_ref())?;
        let is_ready = |polled: &PollFd<'_>| !polled.revents().is_empty();
        let (control, kept) = polled.split_first().expect("the line to the process is polled");
        let (listeners, lifelines) = kept.split_at(listeners.len());
        let all = |polled: &[PollFd<'_>]| -> Vec<usize> {
            polled.iter().enumerate().filter(|(_, it)| is_ready(it)).map(|(at, _)| at).collect()
        };
        let (listeners, lifelines) = (all(listeners), all(lifelines));
        Ok(Ready { control: is_ready(control), listeners, lifelines })
    }

    /// Whether the system let it accept.
    fn accept(&mut self, at: usize) -> io::Result<bool> {
        let (of, listener) = &self.listeners[at];
        let accepted = accept_with(listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK);
        let socket = match accepted.map(|socket| (socket.try_clone(), socket)) {
            Ok((Ok(copy), socket)) => {
                self.last += 1;
                self.accepted.insert(self.last, copy);
                socket
            }
            // Whoever called has gone meanwhile.
            Err(Errno::AGAIN | Errno::INTR | Errno::CONNABORTED) => return Ok(true),
            Err(_) | Ok((Err(_), _)) => return Ok(false),
        };
        let (of, number) = (*of, self.last);
        self.tell(&Message { word: Word::Accepted, number, of, socket: Some(socket) })?;
        Ok(true)
    }

    /// Does what it is told; false if that is to end.
    fn obey(&mut self) -> io::Result<bool> {
        let Message { word, number, socket, .. } = Message::receive(self.control.as_fd())?;
        match (word, socket) {
            (Word::Listen, Some(socket)) => self.listeners.push((number, socket)),
            (Word::Hold, _) => {
                if let Some(socket) = self.accepted.remove(&number) {
                    self.lifelines.push((number, socket));
                }
            }
            (Word::Close, _) => {
                self.accepted.remove(&number);
                self.listeners.retain(|(kept, _)| *kept != number);
                self.lifelines.retain(|(kept, _)| *kept != number);
            }
            (Word::Leave, _) => return Ok(false),
            (Word::Listen, None) | (Word::Accepted | Word::Ended, _) => {}
        }
        Ok(true)
    }

    fn tell(&self, message: &Message) -> io::Result<()> {
        send_whole(&self.control, message)
    }
}

/// Waits for room, whatever signals come meanwhile.
fn send_whole(control: &UnixDatagram, message: &Message) -> io::Result<()> {
    loop {
        match message.send(control.as_fd()) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            sent => return sent,
        }
    }
}
