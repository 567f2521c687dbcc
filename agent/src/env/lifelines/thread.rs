//! The thread with a table of descriptors of its own.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use nix::sched::{CloneFlags, unshare};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{SocketFlags, accept_with};

use super::message::{Message, Word};

/// After a failed accept: out of descriptors, most likely, and so for a while.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);

/// Starts the thread; what comes back is the process's end of the line to it.
pub(super) fn start() -> io::Result<UnixDatagram> {
    let (ours, its) = UnixDatagram::pair()?;
    let (tell, told) = std::sync::mpsc::sync_channel(1);
    std::thread::Builder::new().name("lifelines".to_owned()).spawn(move || {
        let alone = unshare(CloneFlags::CLONE_FILES).map_err(io::Error::from);
        let is_alone = alone.is_ok();
        // Whoever started it waits for this word.
        let _ = tell.send(alone);
        if is_alone {
            Keeper { control: its, listeners: Vec::new(), lines: Vec::new() }.run();
            // Nobody would be let in any more, and nobody told: better to be started again.
            std::process::abort();
        }
    })?;
    told.recv().map_err(io::Error::other)??;
    ours.set_nonblocking(true)?;
    Ok(ours)
}

type Kept = (u64, OwnedFd);

struct Keeper {
    control: UnixDatagram,
    listeners: Vec<Kept>,
    lines: Vec<Kept>,
}

/// What a look at all descriptors has shown.
struct Ready {
    control: bool,
    listeners: Vec<usize>,
    lines: Vec<usize>,
}

impl Keeper {
    /// Ends only if nothing can be heard of the process any more.
    fn run(mut self) {
        let mut pause = None;
        loop {
            let ready = match self.wait(pause.take()) {
                Ok(ready) => ready,
                Err(Errno::INTR) => continue,
                Err(_) => return,
            };
            for at in ready.listeners {
                match self.accept(at) {
                    Ok(()) => {}
                    Err(Refused::Accept) => pause = Some(ACCEPT_AGAIN),
                    Err(Refused::Process) => return,
                }
            }
            // The last first, so that the places of the others stay as they are.
            for at in ready.lines.into_iter().rev() {
                let (number, _) = self.lines.swap_remove(at);
                let ended = Message { word: Word::Ended, number, socket: None };
                if ended.send(self.control.as_fd()).is_err() {
                    return;
                }
            }
            if ready.control && self.obey().is_err() {
                return;
            }
        }
    }

    /// Waits until something is to be done; without the listeners, for so long.
    fn wait(&self, pause: Option<Duration>) -> Result<Ready, Errno> {
        let listeners = if pause.is_some() { &[][..] } else { &self.listeners[..] };
        let kept = listeners.iter().chain(&self.lines);
        let mut polled = vec![PollFd::new(&self.control, PollFlags::IN)];
        polled.extend(kept.map(|(_, socket)| PollFd::new(socket, PollFlags::IN)));
        let limit = pause.map(|pause| Timespec { tv_sec: 0, tv_nsec: pause.subsec_nanos().into() });
        poll(&mut polled, limit.as_ref())?;
        let is_ready = |polled: &PollFd<'_>| !polled.revents().is_empty();
        let (control, kept) = polled.split_first().expect("the line to the process is polled");
        let (listeners, lines) = kept.split_at(listeners.len());
        let all = |polled: &[PollFd<'_>]| -> Vec<usize> {
            polled.iter().enumerate().filter(|(_, it)| is_ready(it)).map(|(at, _)| at).collect()
        };
        Ok(Ready { control: is_ready(control), listeners: all(listeners), lines: all(lines) })
    }

    fn accept(&self, at: usize) -> Result<(), Refused> {
        let (number, listener) = &self.listeners[at];
        let socket = match accept_with(listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
            Ok(socket) => socket,
            // Whoever called has gone meanwhile.
            Err(Errno::AGAIN | Errno::INTR | Errno::CONNABORTED) => return Ok(()),
            Err(_) => return Err(Refused::Accept),
        };
        let accepted = Message { word: Word::Accepted, number: *number, socket: Some(socket) };
        accepted.send(self.control.as_fd()).map_err(|_| Refused::Process)
    }

    fn obey(&mut self) -> io::Result<()> {
        let Message { word, number, socket } = Message::receive(self.control.as_fd())?;
        match (word, socket) {
            (Word::Listen, Some(socket)) => self.listeners.push((number, socket)),
            (Word::Hold, Some(socket)) => self.lines.push((number, socket)),
            (Word::Close, _) => {
                self.listeners.retain(|(kept, _)| *kept != number);
                self.lines.retain(|(kept, _)| *kept != number);
            }
            // It came without its descriptor: this table is full.
            (Word::Hold, None) => {
                Message { word: Word::Ended, number, socket: None }.send(self.control.as_fd())?;
            }
            _ => {}
        }
        Ok(())
    }
}

/// Why a connection was not accepted.
enum Refused {
    /// By the system, for now.
    Accept,
    /// Nobody in the process takes it.
    Process,
}
