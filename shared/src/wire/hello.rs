//! The opening handshake: who calls, for which cluster, for which service.
//!
//! Nothing else is read from a connection before it has said Hello, and a Hello is small.

use std::io;

use futures::{SinkExt, StreamExt};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use super::codec::{decode, encode};
use super::transport::{BoxStream, Dial, Frames};
use crate::error::WireError;
use crate::ids::{ClusterId, Incarnation, NodeId};
use crate::limits::{
    CONTROL_FRAME_BYTES_MAX, DATA_FRAME_BYTES_MAX, HELLO_FRAME_BYTES_MAX, HELLO_TIMEOUT,
    TURN_AWAY_TIMEOUT,
};

/// Rises with every change of a frame that an older build can't read, or of what an entry does:
/// replicas of one shard must come to the same state.
pub const WIRE_VERSION: u16 = 10;

const MAGIC: [u8; 4] = *b"evkl";

/// Which service a connection carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Service {
    /// Agent to agent; each lane is a connection of its own, so that load never deposes a leader.
    Peer(Lane),
    /// Clients of the store.
    Store,
    /// Operators.
    Admin,
    /// A console that wants to be told.
    Watch,
    /// Of an agent, on which nothing is said: it closes when the agent dies.
    Lifeline,
}

/// What a connection between agents is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Lane {
    /// Raft's messages.
    Raft,
    /// Heartbeats and canvasses.
    Heartbeat,
    /// Snapshots, proposals, joins.
    Bulk,
}

impl Service {
    fn frame_bytes_max(self) -> usize {
        match self {
            Self::Peer(_) | Self::Store => DATA_FRAME_BYTES_MAX,
            Self::Admin | Self::Watch => CONTROL_FRAME_BYTES_MAX,
            Self::Lifeline => HELLO_FRAME_BYTES_MAX,
        }
    }
}

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Caller {
    /// An agent.
    Node {
        /// Its number; `None` before it has joined.
        id: Option<NodeId>,
        /// Its name.
        name: String,
        /// Count of its starts.
        incarnation: Incarnation,
    },
    /// Anybody else, by a name for the log.
    Client(String),
}

/// What a caller says first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The cluster that the caller means; `None`: whichever this is.
    pub cluster: Option<ClusterId>,
    /// Who calls.
    pub caller: Caller,
    /// What for.
    pub service: Service,
}

/// What the other side answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// The cluster that it belongs to; `None` before it has joined.
    pub cluster: Option<ClusterId>,
    /// Its number.
    pub node: Option<NodeId>,
    /// Its name.
    pub name: String,
    /// Count of its starts.
    pub incarnation: Incarnation,
}

#[derive(Serialize, Deserialize)]
struct HelloFrame {
    magic: [u8; 4],
    wire_version: u16,
    hello: Hello,
}

/// Opens a connection and says Hello.
pub async fn call(
    dial: &dyn Dial,
    address: &str,
    hello: Hello,
) -> Result<(Welcome, Frames), WireError> {
    let dialled = match timeout(HELLO_TIMEOUT, dial.dial(address)).await {
        Ok(dialled) => dialled,
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    };
    let stream = dialled.map_err(|source| failed(address, source))?;
    introduce(stream, address, hello).await
}

/// Says Hello on a connection to `address` that is open.
pub async fn introduce(
    stream: BoxStream,
    address: &str,
    hello: Hello,
) -> Result<(Welcome, Frames), WireError> {
    let handshake = async {
        let mut frames = Frames::new(stream, HELLO_FRAME_BYTES_MAX);
        let service = hello.service;
        let frame = HelloFrame { magic: MAGIC, wire_version: WIRE_VERSION, hello };
        frames.send(encode(&frame)?).await?;
        let reply = next_frame(&mut frames).await?;
        frames.raise_limit(service.frame_bytes_max());
        Ok((decode::<Result<Welcome, String>>(&reply)?, frames))
    };
    let (answer, frames) = match timeout(HELLO_TIMEOUT, handshake).await {
        Ok(done) => done.map_err(|source| failed(address, source))?,
        Err(_) => return Err(failed(address, io::ErrorKind::TimedOut.into())),
    };
    let welcome =
        answer.map_err(|why| WireError::TurnedAway { address: address.to_owned(), why })?;
    Ok((welcome, frames))
}

fn failed(address: &str, source: io::Error) -> WireError {
    let address = address.to_owned();
    if source.kind() == io::ErrorKind::ConnectionRefused {
        WireError::Refused { address }
    } else {
        WireError::Io { address, source }
    }
}

/// Waits for a caller's Hello and answers it with what `judge` says. Whoever is turned away is told
/// why, in words for its operator; so is whoever says something else, or nothing.
pub async fn answer(
    stream: BoxStream,
    judge: impl FnOnce(&Hello) -> Result<Welcome, String>,
) -> io::Result<(Hello, Frames)> {
    let mut frames = Frames::new(stream, HELLO_FRAME_BYTES_MAX);
    let heard = timeout(HELLO_TIMEOUT, next_frame(&mut frames)).await;
    let verdict = match heard {
        Ok(Ok(bytes)) => read_hello(&bytes).and_then(|hello| match judge(&hello) {
            Ok(welcome) => Ok((welcome, hello)),
            Err(why) => Err(io::Error::new(io::ErrorKind::PermissionDenied, why)),
        }),
        Ok(Err(error)) if error.kind() == io::ErrorKind::InvalidData => {
            Err(invalid(format!("not an evenkeel connection: {error}")))
        }
        Ok(Err(error)) => Err(error),
        Err(_) => {
            let why = format!("no Hello within {HELLO_TIMEOUT:?}");
            Err(io::Error::new(io::ErrorKind::TimedOut, why))
        }
    };
    match verdict {
        Ok((welcome, hello)) => {
            let sent = timeout(HELLO_TIMEOUT, reply(&mut frames, &Ok(welcome))).await;
            sent.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
            frames.raise_limit(hello.service.frame_bytes_max());
            Ok((hello, frames))
        }
        Err(error) => {
            say_no(&mut frames, error.to_string()).await;
            Err(error)
        }
    }
}

/// Turns a caller away before its Hello is read.
pub async fn turn_away(stream: BoxStream, why: String) {
    say_no(&mut Frames::new(stream, HELLO_FRAME_BYTES_MAX), why).await;
}

/// A fresh connection takes a sentence without waiting; if it doesn't, its caller learns nothing.
async fn say_no(frames: &mut Frames, why: String) {
    drop(timeout(TURN_AWAY_TIMEOUT, reply(frames, &Err(why))).await);
}

async fn reply(frames: &mut Frames, answer: &Result<Welcome, String>) -> io::Result<()> {
    frames.send(encode(answer)?).await
}

/// Reads a Hello; the version is judged before the rest, which another build may not understand.
fn read_hello(bytes: &[u8]) -> io::Result<Hello> {
    let not_ours = || invalid("not an evenkeel connection".to_owned());
    let rest = bytes.strip_prefix(&MAGIC).ok_or_else(not_ours)?;
    let (version, _) = postcard::take_from_bytes::<u16>(rest).map_err(|_| not_ours())?;
    if version != WIRE_VERSION {
        let older = if version < WIRE_VERSION { "the caller" } else { "this agent" };
        return Err(invalid(format!(
            "the caller speaks wire version {version}, this agent {WIRE_VERSION}: update {older}"
        )));
    }
    decode::<HelloFrame>(bytes).map(|frame| frame.hello).map_err(|error| {
        type UpToService = ([u8; 4], u16, Option<ClusterId>, Caller);
        // A service is one byte, of one that has lanes the first of two.
        let is_known = |service| postcard::take_from_bytes::<Service>(&[service, 0]).is_ok();
        invalid(match postcard::take_from_bytes::<UpToService>(bytes) {
            Ok((_, [service, ..])) if !is_known(*service) => {
                format!("service {service} is not known here")
            }
            _ => format!("a Hello that can't be read: {error}"),
        })
    })
}

fn invalid(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

async fn next_frame(frames: &mut Frames) -> io::Result<bytes::BytesMut> {
    frames.next().await.unwrap_or_else(|| Err(io::ErrorKind::UnexpectedEof.into()))
}
