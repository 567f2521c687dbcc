//! Every replica that this node holds: opened, closed and removed as the cluster's facts say.
//!
//! Only replicas that a committed intent names are opened, and only with exactly its first voters
//! is a shard initialised.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use evenkeel_shared::command::Command;
use evenkeel_shared::error::StoreError;
use evenkeel_shared::ids::{NodeId, ReplicaId, ShardId};
use evenkeel_shared::version::Hlc;
use evenkeel_shared::view::{ClusterFacts, ShardFacts, ShardPhase};

use super::engine::Engine;
use super::group::{Group, GroupPorts};
use super::machine::{Machine, MachineId};
use super::wal::ReplicaKey;

/// The replicas of one node.
pub struct Replicas {
    ports: GroupPorts,
    engine: Arc<dyn Engine>,
    groups: Mutex<BTreeMap<ShardId, Arc<Group>>>,
}

impl Replicas {
    /// None yet.
    pub fn new(ports: GroupPorts, engine: Arc<dyn Engine>) -> Self {
        Self { ports, engine, groups: Mutex::default() }
    }

    /// This node's replica of a shard.
    pub fn get(&self, shard: ShardId) -> Option<Arc<Group>> {
        self.lock().get(&shard).cloned()
    }

    /// All of them, by shard.
    pub fn all(&self) -> Vec<Arc<Group>> {
        self.lock().values().cloned().collect()
    }

    /// Opens a replica unless it is open.
    pub async fn open(&self, key: ReplicaKey) -> Result<Arc<Group>, StoreError> {
        if let Some(open) = self.get(key.shard).filter(|group| group.key() == key) {
            return Ok(open);
        }
        let id = MachineId { shard: key.shard, history: key.history, replica: key.replica };
        let machine = Machine::open(id, &self.ports.env, self.engine.clone())
            .await
            .map_err(|error| StoreError::Refused { why: error.to_string() })?;
        let purged = self.ports.wal.purged(&key);
        if purged > machine.status().applied {
            // What the log gave up the state machine once had: its files are older than they say.
            let why = format!(
                "{} {}: its data ends before its log begins ({:?} is gone, {:?} applied)",
                key.shard,
                key.replica,
                purged,
                machine.status().applied
            );
            return Err(StoreError::Refused { why });
        }
        let group = Group::open(self.ports.clone(), key, machine).await?;
        tracing::info!(shard = %key.shard, replica = %key.replica, "replica open");
        self.lock().insert(key.shard, group.clone());
        Ok(group)
    }

    /// Opens what the facts give to this node and removes what they no longer do.
    pub async fn follow(&self, me: NodeId, facts: &ClusterFacts) {
        let mut wanted = BTreeMap::new();
        for shard in facts.shards.values().filter(|shard| !shard.id.is_system()) {
            for replica in shard.replicas.keys().filter(|replica| replica.node() == me) {
                wanted.insert(
                    shard.id,
                    ReplicaKey { shard: shard.id, history: shard.history, replica: *replica },
                );
            }
        }
        for group in self.all() {
            let key = group.key();
            if !key.shard.is_system() && wanted.get(&key.shard) != Some(&key) {
                self.remove(&group).await;
            }
        }
        for key in wanted.into_values() {
            if let Err(error) = self.open(key).await {
                tracing::error!(shard = %key.shard, %error, "can't open a replica");
            }
        }
    }

    /// Does what only the leader, or the first voter, of each shard may: initialise it, tell it
    /// its slots, finish a membership change that was left half done.
    pub async fn lead(&self, facts: &ClusterFacts) -> Duties {
        let mut duties = Duties::Done;
        for group in self.all() {
            let Some(shard) = facts.shards.get(&group.shard()) else { continue };
            match self.lead_one(&group, shard).await {
                Ok(Duties::Done) => {}
                Ok(Duties::Waiting) => duties = Duties::Waiting,
                Err(error) => {
                    tracing::debug!(shard = %shard.id, %error, "duty not done yet");
                    duties = Duties::Waiting;
                }
            }
        }
        duties
    }

    async fn lead_one(&self, group: &Group, shard: &ShardFacts) -> Result<Duties, StoreError> {
        if shard.id.is_system() {
            group.flatten_joint().await?;
            return Ok(Duties::Done);
        }
        let status = group.machine().status();
        let mine = is_initialiser(shard, group.key().replica);
        if mine && status.applied.is_none() && !group.is_initialized().await {
            group.initialize(&shard.first_voters).await?;
        }
        if !group.is_leader() {
            let waiting = mine && status.slots.is_empty();
            return Ok(if waiting { Duties::Waiting } else { Duties::Done });
        }
        if status.slots.is_empty() {
            let own = Command::Own {
                hlc: Hlc::default(),
                keyspace: shard.keyspace,
                slots: shard.slots.clone(),
                open: shard.phase == ShardPhase::Serving,
            };
            group.propose(own).await?;
        }
        group.flatten_joint().await?;
        Ok(Duties::Done)
    }

    async fn remove(&self, group: &Arc<Group>) {
        let key = group.key();
        self.lock().remove(&key.shard);
        group.close().await;
        if let Err(error) = group.machine().destroy().await {
            tracing::warn!(shard = %key.shard, %error, "can't remove a replica's data");
        }
        if let Err(error) = self.ports.wal.forget(key).await {
            tracing::warn!(shard = %key.shard, %error, "can't remove a replica's log");
        }
        tracing::info!(shard = %key.shard, replica = %key.replica, "replica removed");
    }

    /// Ends every replica; their data stays.
    pub async fn close(&self) {
        let groups = std::mem::take(&mut *self.lock());
        futures::future::join_all(groups.values().map(|group| group.close())).await;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<ShardId, Arc<Group>>> {
        self.groups.lock().expect("no holder of this lock panics")
    }
}

/// Whether a node has done what its leaderships and first votes ask of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duties {
    /// All of it.
    Done,
    /// Something is waited for.
    Waiting,
}

/// One named first voter initialises (safety rule 12).
fn is_initialiser(shard: &ShardFacts, me: ReplicaId) -> bool {
    shard.first_voters.first() == Some(&me)
}
