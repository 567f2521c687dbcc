//! Taking replicas out of service when they are found damaged while they run, opening those again
//! whose Raft core has ended, and removing what is left of those that are gone.

use std::collections::BTreeMap;
use std::sync::Arc;

use evenkeel_shared::heartbeat::ReplicaStatus;
use evenkeel_shared::ids::ShardId;
use evenkeel_shared::view::{ClusterFacts, ReplicaRole};

use super::Replicas;
use super::opening::{OpenError, machine_id};
use crate::store::group::Group;
use crate::store::machine::{Machine, Trouble};
use crate::store::wal::ReplicaKey;

impl Replicas {
    /// What peers are told of the replicas that are out of service.
    pub fn out_of_service(&self) -> Vec<ReplicaStatus> {
        let damaged = self.damaged.lock().expect("no holder of this lock panics");
        let told = |(key, why): (&ReplicaKey, &String)| {
            ReplicaStatus::out_of_service(key.shard, key.replica, why.clone())
        };
        damaged.iter().map(told).collect()
    }

    /// Looks after every open replica. The error is one that the process must end with: the disk
    /// has failed, or the system shard can't go on.
    pub async fn tend(&self) -> Result<(), String> {
        for group in self.all() {
            let key = group.key();
            let trouble = self.ports.wal.quarantine_of(&key).map(Trouble::Damaged);
            let ended = group.has_ended();
            match trouble.or_else(|| group.machine().trouble()) {
                Some(Trouble::Failed(why)) => return Err(format!("{}: {why}", key.shard)),
                Some(Trouble::Damaged(why)) => {
                    // Remembered in the log: after a restart the rot may not be met again at once.
                    let kept = self.ports.wal.replica(key).quarantine(&why).await;
                    kept.map_err(|error| format!("{}: {error}", key.shard))?;
                    if key.shard.is_system() {
                        return Err(format!("its copy of the system shard is damaged: {why}"));
                    }
                    self.close_one(&group).await;
                    self.take_out(key, &why);
                }
                // A full disk ends cores; until there is room again they would only end again.
                None if ended && self.ports.wal.refuses_entries(key.shard) => {}
                None if ended && key.shard.is_system() => {
                    return Err("its copy of the system shard has stopped".to_owned());
                }
                None if ended => self.open_again(&group).await,
                None => {}
            }
        }
        Ok(())
    }

    /// A core may end without damage, as when the disk was full: the log tells where it was.
    async fn open_again(&self, group: &Arc<Group>) {
        let key = group.key();
        tracing::warn!(shard = %key.shard, replica = %key.replica, "raft core ended: opening again");
        self.close_one(group).await;
        if let Err(OpenError::Failed { why }) = self.open(key).await {
            tracing::error!(shard = %key.shard, why, "can't open a replica again yet");
        }
    }

    async fn close_one(&self, group: &Arc<Group>) {
        self.lock().remove(&group.shard());
        group.close().await;
    }

    /// Notes that a replica is out of service.
    pub(super) fn take_out(&self, key: ReplicaKey, why: &str) {
        let mut damaged = self.damaged.lock().expect("no holder of this lock panics");
        if damaged.insert(key, why.to_owned()).is_none() {
            let (shard, replica) = (key.shard, key.replica);
            tracing::error!(%shard, %replica, why, "replica is out of service: its data is damaged");
        }
    }

    pub(super) fn damage_of(&self, key: &ReplicaKey) -> Option<String> {
        self.damaged.lock().expect("no holder of this lock panics").get(key).cloned()
    }

    /// Closes a replica that this node should no longer hold, and removes its data.
    pub(super) async fn remove(&self, group: &Arc<Group>) {
        self.close_one(group).await;
        self.discard(group.key()).await;
    }

    /// Removes what is left of replicas that the facts have given up or never will give again.
    pub(super) async fn discard_gone(
        &self,
        wanted: &BTreeMap<ShardId, ReplicaKey>,
        facts: &ClusterFacts,
    ) {
        let system = self.get(ShardId::SYSTEM).map(|group| group.key());
        let left = |key: &ReplicaKey| {
            let held = wanted.get(&key.shard) == Some(key) || system == Some(*key);
            !held && is_gone(key, facts)
        };
        let mut known = self.ledger.all();
        known.extend(self.ports.wal.known());
        known.sort_unstable();
        known.dedup();
        for key in known.into_iter().filter(left) {
            self.discard(key).await;
        }
    }

    async fn discard(&self, key: ReplicaKey) {
        let (shard, replica) = (key.shard, key.replica);
        let erased = Machine::erase(machine_id(key), &self.ports.env, self.engine.clone()).await;
        if let Err(error) = erased {
            tracing::warn!(%shard, %replica, %error, "can't remove a replica's data");
            return;
        }
        if let Err(error) = self.ports.wal.forget(key).await {
            tracing::warn!(%shard, %replica, %error, "can't remove a replica's log");
            return;
        }
        if let Err(error) = self.ledger.strike(key).await {
            tracing::warn!(%shard, %replica, error, "can't strike a replica from the ledger");
        }
        self.damaged.lock().expect("no holder of this lock panics").remove(&key);
        tracing::info!(%shard, %replica, "replica removed");
    }
}

/// Whether a replica will never be wanted again. Facts that are older than the replica don't know
/// it either: only numbers that they have given out already can tell.
fn is_gone(key: &ReplicaKey, facts: &ClusterFacts) -> bool {
    let given = key.shard.0 < facts.next.shard && key.replica.number() < facts.next.replica;
    let held = facts.shards.get(&key.shard).filter(|shard| shard.history == key.history);
    let held = held.and_then(|shard| shard.replicas.get(&key.replica));
    given && held.is_none_or(|held| held.role == ReplicaRole::Lost)
}
