//! Every replica that this node holds: opened, closed and removed as the cluster's facts say.
//!
//! Only replicas that a committed intent names are opened, and only with exactly its first voters
//! is a shard initialised. `opening` tells the sound from the damaged, `tending` takes out of
//! service what was found damaged later.

mod opening;
mod tending;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use evenkeel_shared::command::Command;
use evenkeel_shared::error::StoreError;
use evenkeel_shared::ids::{NodeId, ReplicaId, ShardId};
use evenkeel_shared::version::Hlc;
use evenkeel_shared::view::{ClusterFacts, ReplicaRole, ShardFacts, ShardPhase};

use super::engine::Engine;
use super::group::{Group, GroupPorts};
use super::ledger::Ledger;
use super::wal::ReplicaKey;

pub use opening::OpenError;

/// The replicas of one node.
pub struct Replicas {
    ports: GroupPorts,
    engine: Arc<dyn Engine>,
    ledger: Arc<dyn Ledger>,
    groups: Mutex<BTreeMap<ShardId, Arc<Group>>>,
    /// Out of service, each with the reason.
    damaged: Mutex<BTreeMap<ReplicaKey, String>>,
}

impl Replicas {
    /// None yet.
    pub fn new(ports: GroupPorts, engine: Arc<dyn Engine>, ledger: Arc<dyn Ledger>) -> Self {
        Self { ports, engine, ledger, groups: Mutex::default(), damaged: Mutex::default() }
    }

    /// This node's replica of a shard.
    pub fn get(&self, shard: ShardId) -> Option<Arc<Group>> {
        self.lock().get(&shard).cloned()
    }

    /// All of them, by shard.
    pub fn all(&self) -> Vec<Arc<Group>> {
        self.lock().values().cloned().collect()
    }

    /// Opens what the facts give to this node, and removes what they no longer do.
    pub async fn follow(&self, me: NodeId, facts: &ClusterFacts) {
        let wanted = wanted(me, facts);
        for group in self.all() {
            let key = group.key();
            if !key.shard.is_system() && wanted.get(&key.shard) != Some(&key) {
                self.remove(&group).await;
            }
        }
        self.discard_gone(&wanted, facts).await;
        let fresh: Vec<_> = wanted.values().filter(|key| !self.ledger.has(key)).copied().collect();
        if let Err(error) = self.introduce(fresh).await {
            tracing::error!(%error, "new replicas can't be begun");
            return;
        }
        for key in wanted.into_values() {
            match self.open(key).await {
                // Damage was said where it was found.
                Ok(_) | Err(OpenError::Damaged { .. }) => {}
                Err(OpenError::Failed { why }) => {
                    tracing::error!(shard = %key.shard, why, "can't open a replica");
                }
            }
        }
    }

    /// Opens what the facts give to this node and what was opened here before, and removes nothing:
    /// for a cluster that is no more. Gives back what can't be opened, and why.
    pub async fn open_survivors(
        &self,
        me: NodeId,
        facts: &ClusterFacts,
    ) -> Vec<(ReplicaKey, OpenError)> {
        let mut failed = Vec::new();
        for key in wanted(me, facts).into_values().filter(|key| self.ledger.has(key)) {
            if let Err(error) = self.open(key).await {
                failed.push((key, error));
            }
        }
        failed
    }

    /// Replicas that were opened here, of shards that the facts don't know or know in another life.
    pub fn unknown_to(&self, facts: &ClusterFacts) -> Vec<ReplicaKey> {
        let known = |key: &ReplicaKey| {
            let shard = facts.shards.get(&key.shard);
            key.shard.is_system() || shard.is_some_and(|shard| shard.history == key.history)
        };
        self.ledger.all().into_iter().filter(|key| !known(key)).collect()
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

/// The replicas that the facts give to a node; those that are lost never open again.
fn wanted(me: NodeId, facts: &ClusterFacts) -> BTreeMap<ShardId, ReplicaKey> {
    let mut wanted = BTreeMap::new();
    for shard in facts.shards.values().filter(|shard| !shard.id.is_system()) {
        for (replica, held) in &shard.replicas {
            if replica.node() == me && held.role != ReplicaRole::Lost {
                let (shard, history, replica) = (shard.id, shard.history, *replica);
                wanted.insert(shard, ReplicaKey { shard, history, replica });
            }
        }
    }
    wanted
}

/// One named first voter initialises (safety rule 12).
fn is_initialiser(shard: &ShardFacts, me: ReplicaId) -> bool {
    shard.first_voters.first() == Some(&me)
}
