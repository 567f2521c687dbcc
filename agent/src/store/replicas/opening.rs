//! Opening a replica: what was opened before must still have its log and its data, and both must
//! fit each other. Otherwise it is out of service, for good (law 9).

use std::sync::Arc;

use super::Replicas;
use crate::store::group::Group;
use crate::store::machine::{Machine, MachineError, MachineId, Trouble};
use crate::store::wal::ReplicaKey;

/// Why a replica is not open, by what can be done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Rebuild it from its peers, under a new id.
    #[error("{why}")]
    Damaged {
        /// What was found.
        why: String,
    },
    /// Look at the disk; nothing is said about the data.
    #[error("{why}")]
    Failed {
        /// What failed.
        why: String,
    },
}

impl OpenError {
    fn failed(error: impl std::fmt::Display) -> Self {
        Self::Failed { why: error.to_string() }
    }
}

impl Replicas {
    /// Opens a replica unless it is open. One that is found damaged stays out of service.
    pub async fn open(&self, key: ReplicaKey) -> Result<Arc<Group>, OpenError> {
        if let Some(open) = self.get(key.shard).filter(|group| group.key() == key) {
            return Ok(open);
        }
        if let Some(why) = self.damage_of(&key) {
            return Err(OpenError::Damaged { why });
        }
        match self.open_sound(key).await {
            Ok(group) => {
                tracing::info!(shard = %key.shard, replica = %key.replica, "replica open");
                self.lock().insert(key.shard, group.clone());
                Ok(group)
            }
            Err(OpenError::Damaged { why }) => {
                self.take_out(key, &why);
                Err(OpenError::Damaged { why })
            }
            Err(failed) => Err(failed),
        }
    }

    async fn open_sound(&self, key: ReplicaKey) -> Result<Arc<Group>, OpenError> {
        let wal = &self.ports.wal;
        let damaged = |why: String| Err(OpenError::Damaged { why });
        if let Some(why) = wal.quarantine_of(&key) {
            return damaged(why);
        }
        if self.ledger.has(&key) && !wal.has_vote(&key) {
            return damaged("its log is gone".to_owned());
        }
        self.introduce(vec![key]).await?;
        let machine = self.open_machine(key).await?;
        let (purged, applied) = (wal.purged(&key), machine.status().applied);
        if purged > applied {
            // What the log gave up the state machine once had: its files are older than they say.
            let index = |at: Option<(u64, u64)>| at.map_or(0, |(_, index)| index);
            let (ends, begins) = (index(applied), index(purged) + 1);
            return damaged(format!("its data ends at entry {ends}, its log begins at {begins}"));
        }
        let opened = Group::open(self.ports.clone(), key, machine).await;
        // What the log finds damaged only when it is read is known by now.
        opened.map_err(|error| match self.ports.wal.quarantine_of(&key) {
            Some(why) => OpenError::Damaged { why },
            None => OpenError::failed(error),
        })
    }

    async fn open_machine(&self, key: ReplicaKey) -> Result<Machine, OpenError> {
        let id = machine_id(key);
        let opened = Machine::open(id, &self.ports.env, self.engine.clone()).await;
        opened.map_err(|error: MachineError| match error.trouble() {
            Some(Trouble::Damaged(why)) => OpenError::Damaged { why },
            Some(Trouble::Failed(why)) => OpenError::Failed { why },
            None => OpenError::failed(error),
        })
    }

    /// Begins replicas that are new here: a first vote in the log, then a line in the ledger, each
    /// synced before the next. From then on an empty log is a lost one.
    pub(super) async fn introduce(&self, keys: Vec<ReplicaKey>) -> Result<(), OpenError> {
        let unborn = keys.iter().filter(|key| !self.ledger.has(key));
        let unborn = unborn.filter(|key| !self.ports.wal.has_vote(key));
        let births = unborn.map(|key| {
            let mut log = self.ports.wal.replica(*key);
            async move { log.be_born().await }
        });
        futures::future::try_join_all(births).await.map_err(OpenError::failed)?;
        let fresh: Vec<_> = keys.into_iter().filter(|key| !self.ledger.has(key)).collect();
        if fresh.is_empty() {
            return Ok(());
        }
        self.ledger.enter(fresh).await.map_err(OpenError::failed)
    }
}

pub(super) fn machine_id(key: ReplicaKey) -> MachineId {
    MachineId { shard: key.shard, history: key.history, replica: key.replica }
}
