//! Looking at a running agent's replicas from outside, as the simulation's invariants do.
//!
//! A probe never keeps an agent alive and never changes anything.

use std::sync::Weak;

use evenkeel_shared::heartbeat::RaftRole;
use evenkeel_shared::ids::{History, ReplicaId, ShardId};

use crate::store::replicas::Replicas;

/// A view of one agent's replicas, for as long as the agent lives.
#[derive(Clone)]
pub struct Probe {
    replicas: Weak<Replicas>,
}

/// One replica, as it is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sight {
    /// The shard.
    pub shard: ShardId,
    /// Which of its lives.
    pub history: History,
    /// The replica.
    pub replica: ReplicaId,
    /// Its role in Raft.
    pub role: RaftRole,
    /// The term it is in.
    pub term: u64,
    /// Term and index of the last applied entry.
    pub applied: Option<(u64, u64)>,
    /// Chain over applied entries, up to that very index.
    pub chain: u64,
}

impl Probe {
    pub(super) fn new(replicas: Weak<Replicas>) -> Self {
        Self { replicas }
    }

    /// Every replica of the agent, by shard; none when it has ended.
    pub fn look(&self) -> Vec<Sight> {
        let Some(replicas) = self.replicas.upgrade() else { return Vec::new() };
        let sight = |group: &std::sync::Arc<crate::store::group::Group>| {
            let (key, raft) = (group.key(), group.status());
            let machine = group.machine().status();
            Sight {
                shard: key.shard,
                history: key.history,
                replica: key.replica,
                role: raft.role,
                term: raft.term,
                applied: machine.applied,
                chain: machine.chain,
            }
        };
        replicas.all().iter().map(sight).collect()
    }

    /// Every replica of the agent that is out of service, with the reason.
    pub fn damaged(&self) -> Vec<String> {
        let Some(replicas) = self.replicas.upgrade() else { return Vec::new() };
        let told = |status: evenkeel_shared::heartbeat::ReplicaStatus| {
            let why = status.damaged.unwrap_or_default();
            format!("{} {}: {why}", status.shard, status.replica)
        };
        replicas.out_of_service().into_iter().map(told).collect()
    }
}
