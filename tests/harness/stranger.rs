//! Whoever keeps to no rule: a plain socket, and bytes.
//!
//! An agent may close it at any moment, so that sending never fails; what matters is what comes.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Longest silence of an agent that owes an answer or an end.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// How long an agent may leave bytes untaken before the rest is not sent.
const UNTAKEN_MAX: Duration = Duration::from_millis(250);
/// More than any answer holds.
const FRAME_BYTES_MAX: u32 = 64 << 20;

/// A connection.
#[derive(Debug)]
pub struct Stranger {
    stream: TcpStream,
}

impl Stranger {
    /// Connects.
    pub fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).expect("the agent listens");
        stream.set_read_timeout(Some(SILENCE_MAX)).expect("a timeout above zero");
        stream.set_write_timeout(Some(UNTAKEN_MAX)).expect("a timeout above zero");
        Self { stream }
    }

    /// Connects, and says so.
    pub fn saying(address: &str, bytes: &[u8]) -> Self {
        let mut stranger = Self::connect(address);
        stranger.say(bytes);
        stranger
    }

    /// Sends bytes; whether all were taken.
    pub fn say(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Says no more, and still listens.
    pub fn falls_silent(&mut self) {
        // The agent may be gone already.
        let _ = self.stream.shutdown(std::net::Shutdown::Write);
    }

    /// The next frame; `None` when the agent has closed.
    pub fn frame(&mut self) -> Option<Vec<u8>> {
        let mut length = [0; 4];
        self.fill(&mut length)?;
        let length = u32::from_be_bytes(length);
        assert!(length < FRAME_BYTES_MAX, "a frame of {length} bytes");
        let mut body = vec![0; length as usize];
        self.fill(&mut body)?;
        Some(body)
    }

    /// The next so many bytes.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.fill(&mut bytes).expect("the agent owes them");
        bytes
    }

    /// Everything that comes until the agent closes, which it must.
    pub fn rest(&mut self) -> Vec<u8> {
        let (mut all, mut piece) = (Vec::new(), vec![0; 64 << 10]);
        loop {
            match self.stream.read(&mut piece) {
                Ok(count @ 1..) => all.extend_from_slice(&piece[..count]),
                Err(error) if is_silence(&error) => panic!("not closed within {SILENCE_MAX:?}"),
                Ok(0) | Err(_) => return all,
            }
        }
    }

    /// Whether it is still open, and nothing has been said on it.
    pub fn is_left_alone(&self) -> bool {
        self.stream.set_nonblocking(true).expect("a socket can be asked");
        let looked = self.stream.peek(&mut [0]);
        self.stream.set_nonblocking(false).expect("a socket can be asked");
        looked.is_err_and(|error| is_silence(&error))
    }

    /// Whether the agent's end is open, even if it says and hears nothing.
    pub fn is_held(&self) -> bool {
        /// How the kernel writes that both ends are open.
        const ESTABLISHED: &str = "01";
        self.far_end().is_some_and(|(state, _)| state == ESTABLISHED)
    }

    /// Whether the agent's kernel will ask our end whether it is still there.
    pub fn is_asked(&self) -> bool {
        /// How the kernel writes that it waits until it asks.
        const KEEPALIVE: &str = "02";
        self.far_end().is_some_and(|(_, timer)| timer == KEEPALIVE)
    }

    /// The agent's end, as the kernel tells: its state, and what it waits for.
    fn far_end(&self) -> Option<(String, String)> {
        let port = |address: SocketAddr| format!(":{:04X}", address.port());
        let theirs = port(self.stream.peer_addr().ok()?);
        let ours = port(self.address());
        let table = std::fs::read_to_string("/proc/net/tcp").expect("the kernel tells");
        table.lines().find_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [_, near, far, state, _, timer, ..] = words[..] else { return None };
            let (timer, _) = timer.split_once(':')?;
            let is_it = near.ends_with(&theirs) && far.ends_with(&ours);
            is_it.then(|| (state.to_owned(), timer.to_owned()))
        })
    }

    /// Our end's address, as the agent sees it.
    pub fn address(&self) -> SocketAddr {
        self.stream.local_addr().expect("it is connected")
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Option<()> {
        match self.stream.read_exact(bytes) {
            Ok(()) => Some(()),
            Err(error) if is_silence(&error) => panic!("no answer within {SILENCE_MAX:?}"),
            Err(_) => None,
        }
    }
}

fn is_silence(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)
}
