//! The Redis protocol on `--resp` and `--resp-cluster`: accepts connections and gives each a task of
//! its own.
//!
//! The tasks are this listener's children and end before it does. Each bound that a stranger could
//! press against stands here.

mod about;
mod command;
mod connection;
mod execute;
mod frame;
mod glob;
mod map;
mod record;
mod reply;
#[cfg(test)]
mod tests;
mod way;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use evenkeel_shared::limits::{
    BATCH_BYTES_MAX, CLIENT_CONNECTIONS_MAX, DATA_FRAME_BYTES_MAX, TURN_AWAY_TIMEOUT,
};
use tokio::io::AsyncWriteExt;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::KeyValue;
use crate::env::clock::Clock;
use crate::env::net::{Accepted, Listener};
use crate::env::rng::Rng;
use crate::strangers::Strangers;
use evenkeel_shared::wire::transport::BoxStream;

/// Longest command: several keys, or one value and its key.
const COMMAND_BYTES_MAX: usize = DATA_FRAME_BYTES_MAX;
/// Words in one command: its name and 1,024 keys.
const WORDS_MAX: usize = 1_025;
/// Longest command without a header, as people type it.
const INLINE_BYTES_MAX: usize = 64 << 10;
/// Commands of one connection that run at once; each may hold one value.
const COMMANDS_IN_FLIGHT_MAX: usize = 64;
/// Bytes of commands of one connection that run at once, beyond the first.
const BYTES_IN_FLIGHT_MAX: usize = 8 << 20;
/// Writes that go to the store together.
const GATHERED_MAX: usize = 128;
/// Bytes of them, unless one alone has more.
const GATHERED_BYTES_MAX: usize = BATCH_BYTES_MAX / 2;
/// How long commands that run may go on when the agent ends.
const FINISH_TIMEOUT: Duration = Duration::from_secs(1);
/// How long to wait when the operating system has no connection to give.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What every connection shares.
#[derive(Clone)]
pub struct Resp {
    /// The store.
    pub store: Arc<dyn KeyValue>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Callers who break the rules.
    pub strangers: Arc<Strangers>,
    /// Chance, for `RANDOMKEY`.
    pub rng: Arc<dyn Rng>,
    /// Whether clients are sent to the leader of a key, instead of being served through this node.
    pub finds_way: bool,
    /// Connections that are open.
    pub connected: Arc<AtomicUsize>,
}

/// Who is at the other end.
#[derive(Clone, Copy, Debug)]
pub struct RespClient {
    /// Counts this listener's connections.
    pub number: u64,
    /// Its address.
    pub from: SocketAddr,
}

impl Resp {
    /// How many connections are open.
    fn connected(&self) -> usize {
        self.connected.load(Ordering::Relaxed)
    }

    /// Serves until it is stopped, and until every connection has ended.
    pub async fn serve(self, mut listener: Box<dyn Listener>, stop: CancellationToken) {
        let mut connections = JoinSet::new();
        let mut number = 0;
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(ended) = connections.join_next() => {
                    if let Err(error) = ended {
                        tracing::error!(%error, "a connection's task has failed");
                    }
                }
                accepted = listener.accept() => match accepted {
                    Ok(Accepted { stream, from, .. }) if connections.len() >= CLIENT_CONNECTIONS_MAX => {
                        self.strangers.complain(from, "more redis clients than are served at once");
                        turn_away(stream).await;
                    }
                    Ok(Accepted { stream, from, .. }) => {
                        number += 1;
                        tracing::debug!(%from, number, "redis client connected");
                        let client = RespClient { number, from };
                        connections.spawn(self.clone().converse(stream, client, stop.clone()));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "no connection could be accepted");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        }
        drop(listener);
        while connections.join_next().await.is_some() {}
    }

    /// Serves one client until it leaves, breaks the protocol, or is stopped.
    pub async fn converse(self, stream: BoxStream, client: RespClient, stop: CancellationToken) {
        let store = self.store.connection();
        self.connected.fetch_add(1, Ordering::Relaxed);
        let connected = self.connected.clone();
        connection::run(stream, Self { store, ..self }, client, stop).await;
        connected.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A fresh connection takes a line without waiting; if it doesn't, its client learns nothing.
async fn turn_away(mut stream: BoxStream) {
    let line = b"-ERR max number of clients reached\r\n";
    drop(tokio::time::timeout(TURN_AWAY_TIMEOUT, stream.write_all(line)).await);
}
