//! openraft's own suite for log stores, over a state machine that keeps everything in memory.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use evenkeel_shared::command::Applied;
use futures::{Stream, StreamExt};
use openraft::storage::{EntryResponder, RaftStateMachine};
use openraft::testing::log::{StoreBuilder, Suite};
use openraft::{EntryPayload, OptionalSend, RaftSnapshotBuilder, Snapshot, StorageError};

use crate::env::fs::sim::SimDisk;
use crate::store::raft::{LogId, SnapshotMeta, StoredMembership, TypeConfig};
use crate::store::wal::ReplicaLog;

use super::support::{key, open};

type SnapshotOf = openraft::alias::SnapshotOf<TypeConfig, ()>;

#[derive(Default)]
struct Memory {
    applied: Option<LogId>,
    membership: StoredMembership,
    snapshot: Option<SnapshotMeta>,
}

#[derive(Clone, Default)]
struct Machine(Arc<Mutex<Memory>>);

impl Machine {
    fn memory(&self) -> std::sync::MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RaftStateMachine<TypeConfig> for Machine {
    type SnapshotData = ();
    type SnapshotBuilder = Self;

    async fn applied_state(&mut self) -> io::Result<(Option<LogId>, StoredMembership)> {
        let memory = self.memory();
        Ok((memory.applied, memory.membership.clone()))
    }

    async fn apply<S>(&mut self, mut entries: S) -> io::Result<()>
    where
        S: Stream<Item = Result<EntryResponder<TypeConfig>, io::Error>> + Unpin + OptionalSend,
    {
        while let Some(entry) = entries.next().await {
            let (entry, responder) = entry?;
            let mut memory = self.memory();
            memory.applied = Some(entry.log_id);
            if let EntryPayload::Membership(membership) = entry.payload {
                memory.membership = StoredMembership::new(Some(entry.log_id), membership);
            }
            if let Some(responder) = responder {
                responder.send(Applied::Nothing);
            }
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> Self {
        self.clone()
    }

    async fn install_snapshot(&mut self, meta: &SnapshotMeta, _data: ()) -> io::Result<()> {
        let mut memory = self.memory();
        memory.applied = meta.last_log_id;
        memory.membership = meta.last_membership.clone();
        memory.snapshot = Some(meta.clone());
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> io::Result<Option<SnapshotOf>> {
        let meta = self.memory().snapshot.clone();
        Ok(meta.map(|meta| Snapshot { meta, snapshot: () }))
    }
}

impl RaftSnapshotBuilder<TypeConfig> for Machine {
    type SnapshotData = ();

    async fn build_snapshot(&mut self) -> io::Result<SnapshotOf> {
        let mut memory = self.memory();
        let meta = SnapshotMeta {
            last_log_id: memory.applied,
            last_membership: memory.membership.clone(),
        };
        memory.snapshot = Some(meta.clone());
        Ok(Snapshot { meta, snapshot: () })
    }
}

struct Builder;

impl StoreBuilder<TypeConfig, ReplicaLog, Machine> for Builder {
    async fn build(&self) -> Result<((), ReplicaLog, Machine), StorageError<TypeConfig>> {
        let (wal, _) = open(&SimDisk::new()).await.expect("an empty disk opens");
        Ok(((), wal.replica(key(0)), Machine::default()))
    }
}

#[tokio::test(start_paused = true)]
async fn openrafts_suite_for_log_stores_passes() {
    Suite::test_all(Builder).await.unwrap();
}
