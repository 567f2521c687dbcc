//! What other replicas say to this one: Raft's messages and incoming snapshots.
//!
//! A message for another replica or another history is refused before Raft sees it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use evenkeel_shared::ids::{History, ReplicaId};
use evenkeel_shared::service::peer::{
    PeerError, RaftFrame, RaftMessage, SnapshotBegin, SnapshotChunk, SnapshotFinish,
};
use openraft::async_runtime::WatchReceiver;
use openraft::raft::{AppendEntriesRequest, TransferLeaderRequest, VoteRequest};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;

use crate::store::machine::{Machine, Staging};
use crate::store::peers::Elections;
use crate::store::raft::{Raft, SnapshotMeta, TypeConfig, Vote};
use crate::store::wal::ReplicaKey;

/// A transfer of which nothing came for so long has been given up: its sender died, or leads no more.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(10);

/// The receiving end of a replica.
pub struct Inbound {
    raft: Raft,
    machine: Machine,
    key: ReplicaKey,
    lease: Arc<dyn Elections>,
    /// The one snapshot that is being received.
    staging: Arc<Mutex<Option<(u64, Staging)>>>,
    filling: Arc<AtomicBool>,
    /// The term in which it was begun, and pieces that have come, of whatever transfer.
    begun_in: AtomicU64,
    pieces: Arc<AtomicU64>,
}

impl Inbound {
    pub(super) fn new(
        raft: Raft,
        machine: Machine,
        key: ReplicaKey,
        lease: Arc<dyn Elections>,
    ) -> Self {
        Self {
            raft,
            machine,
            key,
            lease,
            staging: Arc::default(),
            filling: Arc::default(),
            begun_in: AtomicU64::default(),
            pieces: Arc::default(),
        }
    }

    /// Whether a snapshot is being received.
    pub fn is_filling(&self) -> bool {
        self.filling.load(Ordering::Relaxed)
    }

    /// Hands one Raft message over and gives its answer back.
    pub async fn raft(&self, frame: RaftFrame) -> Result<Bytes, PeerError> {
        self.check(frame.to, frame.history)?;
        // A core that has ended would only say so in the log, message after message.
        if self.raft.metrics().borrow_watched().running_state.is_err() {
            return Err(PeerError::Failed("stopped".to_owned()));
        }
        match frame.message {
            RaftMessage::Append => {
                let request: AppendEntriesRequest<TypeConfig> = read(&frame.body)?;
                let term = request.vote.leader_id.term;
                let appended = self.raft.append_entries(request).await.map_err(failed)?;
                if self.is_filling() && term > self.begun_in.load(Ordering::Relaxed) {
                    // Whoever leads now begins anew if it has to.
                    self.give_up().await;
                }
                answer(&appended)
            }
            RaftMessage::Vote => {
                let mut request: VoteRequest<TypeConfig> = read(&frame.body)?;
                // A flag that is already set is never cleared.
                request.leadership_transfer |= self.lease.may_skip_lease(self.key.shard);
                answer(&self.raft.vote(request).await.map_err(failed)?)
            }
            RaftMessage::TransferLeader => {
                let request: TransferLeaderRequest<TypeConfig> = read(&frame.body)?;
                answer(&self.raft.handle_transfer_leader(request).await.map_err(failed)?)
            }
        }
    }

    /// Opens a snapshot transfer; an older one that did not finish is dropped.
    pub async fn snapshot_begin(&self, begin: SnapshotBegin) -> Result<(), PeerError> {
        self.check(begin.to, begin.history)?;
        let staging = self.machine.stage(begin.transfer).await.map_err(failed)?;
        *self.staging.lock().await = Some((begin.transfer, staging));
        let term = self.raft.metrics().borrow_watched().current_term;
        self.begun_in.store(term, Ordering::Relaxed);
        self.filling.store(true, Ordering::Relaxed);
        self.watch(begin.transfer);
        Ok(())
    }

    async fn give_up(&self) {
        self.staging.lock().await.take();
        self.filling.store(false, Ordering::Relaxed);
    }

    /// Gives a transfer up of which nothing comes any more.
    fn watch(&self, transfer: u64) {
        let (staging, filling) = (Arc::clone(&self.staging), Arc::clone(&self.filling));
        let pieces = Arc::clone(&self.pieces);
        tokio::spawn(async move {
            let mut seen = pieces.load(Ordering::Relaxed);
            loop {
                tokio::time::sleep(GIVEN_UP_AFTER).await;
                let now = pieces.load(Ordering::Relaxed);
                let mut staging = staging.lock().await;
                if staging.as_ref().is_none_or(|(current, _)| *current != transfer) {
                    return;
                }
                if now == seen {
                    staging.take();
                    filling.store(false, Ordering::Relaxed);
                    return;
                }
                seen = now;
            }
        });
    }

    /// Takes one piece.
    pub async fn snapshot_chunk(&self, chunk: SnapshotChunk) -> Result<(), PeerError> {
        let mut staging = self.staging.lock().await;
        let (_, current) = staging
            .as_mut()
            .filter(|(transfer, _)| *transfer == chunk.transfer)
            .ok_or_else(|| PeerError::Failed("no such transfer".to_owned()))?;
        self.pieces.fetch_add(1, Ordering::Relaxed);
        current.add(chunk.number, chunk.body).await.map_err(failed)
    }

    /// Checks and installs what was received.
    pub async fn snapshot_finish(&self, finish: SnapshotFinish) -> Result<Bytes, PeerError> {
        let staging = {
            let mut staging = self.staging.lock().await;
            // A late word of an older transfer must not end the one under way.
            staging.take_if(|(transfer, _)| *transfer == finish.transfer)
        };
        let (_, staging) =
            staging.ok_or_else(|| PeerError::Failed("no such transfer".to_owned()))?;
        let installed = self.install(staging, &finish).await;
        // It is filled, or not: until then it is no copy to count on. Another transfer may have begun.
        if self.staging.lock().await.is_none() {
            self.filling.store(false, Ordering::Relaxed);
        }
        installed
    }

    async fn install(&self, staging: Staging, finish: &SnapshotFinish) -> Result<Bytes, PeerError> {
        let (vote, meta): (Vote, SnapshotMeta) = read(&finish.meta)?;
        let snapshot = staging.finish(finish.chunks, finish.hash).await.map_err(failed)?;
        let index = meta.last_log_id.as_ref().map_or(0, |last| last.index);
        let snapshot = openraft::Snapshot { meta, snapshot };
        let installed = self.raft.install_full_snapshot(vote, snapshot).await.map_err(failed)?;
        let (shard, chunks) = (self.key.shard, finish.chunks);
        tracing::info!(%shard, index, chunks, "filled from a snapshot: the log no longer reaches back");
        answer(&installed)
    }

    fn check(&self, to: ReplicaId, history: History) -> Result<(), PeerError> {
        if to != self.key.replica {
            Err(PeerError::NoReplica(to))
        } else if history != self.key.history {
            Err(PeerError::OtherHistory(self.key.history))
        } else {
            Ok(())
        }
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, PeerError> {
    postcard::from_bytes(body).map_err(|error| PeerError::Malformed(error.to_string()))
}

fn answer<T: Serialize>(answer: &T) -> Result<Bytes, PeerError> {
    postcard::to_stdvec(answer).map(Bytes::from).map_err(failed)
}

fn failed(error: impl std::fmt::Display) -> PeerError {
    PeerError::Failed(error.to_string())
}
