//! What a replica says of itself: to heartbeats, to the elector, to the controller.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use evenkeel_shared::heartbeat::{RaftRole, ReplicaStatus};
use evenkeel_shared::ids::ReplicaId;
use openraft::ServerState;
use openraft::async_runtime::WatchReceiver;

use super::Group;
use crate::store::raft::{Metrics, StoredMembership};

/// One replica, in the words of this project rather than openraft's.
#[derive(Clone, Debug)]
pub struct GroupStatus {
    /// For heartbeats.
    pub replica: ReplicaStatus,
    /// The last log id, as (term, index).
    pub last_log: Option<(u64, u64)>,
    /// What it knows to be committed.
    pub committed: u64,
    /// The voter sets in effect: two while a change is under way.
    pub effective: Vec<BTreeSet<ReplicaId>>,
    /// The voter sets that are committed.
    pub committed_voters: Vec<BTreeSet<ReplicaId>>,
    /// Whether a quorum has answered it as leader of this term.
    pub quorum_acked: bool,
    /// Since when it tries to hand leadership over.
    pub transfer_since: Option<Duration>,
    /// The term in which it has voted for another replica that does not lead (yet).
    pub voted_for_other: Option<u64>,
    /// Whether anybody has initialised it.
    pub initialized: bool,
    /// Operations answered since the start.
    pub operations: u64,
    /// Followers' last matched index, when this replica leads.
    pub matched: Vec<(ReplicaId, u64)>,
}

impl Group {
    /// What this replica says of itself.
    pub fn status(&self) -> GroupStatus {
        // Looked at and not copied: this is asked of every replica many times a second.
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow_watched();
        let applied = self.machine.status();
        let role = role(&metrics);
        let last_log = self.wal.last(&self.key);
        let membership = metrics.membership_config.membership();
        let voters: Vec<ReplicaId> = membership.voter_ids().collect();
        let learners = membership.learner_ids().collect();
        let matched = metrics.replication.iter().flatten().filter_map(|(replica, matched)| {
            matched.as_ref().map(|log_id| (*replica, log_id.index))
        });
        GroupStatus {
            last_log,
            committed: metrics.cluster_committed.map_or(0, |log_id| log_id.index),
            effective: voter_sets(&metrics.membership_config),
            committed_voters: voter_sets(&metrics.committed_membership_config),
            quorum_acked: metrics.last_quorum_acked.is_some(),
            transfer_since: self.handing_over_since(&metrics),
            voted_for_other: voted_for_other(&metrics, self.key.replica),
            initialized: last_log.is_some() || !voters.is_empty(),
            operations: self.operations.load(Ordering::Relaxed),
            matched: matched.collect(),
            replica: ReplicaStatus {
                shard: self.key.shard,
                replica: self.key.replica,
                role,
                term: metrics.current_term,
                leader: metrics.current_leader,
                last: last_log.map_or(0, |(_, index)| index),
                // Of the same moment as the chain, or peers would compare unequal things.
                applied: applied.applied_index(),
                epoch: applied.epoch,
                voters,
                learners,
                chain: applied.chain,
                log_bytes: self.wal.log_bytes(&self.key),
                ops_s: 0.0,
                filling: self.inbound.is_filling(),
                damaged: None,
            },
        }
    }
}

fn role(metrics: &Metrics) -> RaftRole {
    if metrics.running_state.is_err() {
        return RaftRole::Stopped;
    }
    match metrics.state {
        ServerState::Learner => RaftRole::Learner,
        ServerState::Follower => RaftRole::Follower,
        ServerState::Candidate => RaftRole::Candidate,
        ServerState::Leader => RaftRole::Leader,
        ServerState::Shutdown => RaftRole::Stopped,
    }
}

fn voted_for_other(metrics: &Metrics, me: ReplicaId) -> Option<u64> {
    let vote = &metrics.vote;
    let other = vote.leader_id.voted_for != me;
    (other && !vote.committed).then_some(vote.leader_id.term)
}

fn voter_sets(membership: &StoredMembership) -> Vec<BTreeSet<ReplicaId>> {
    membership.membership().get_joint_config().clone()
}
