//! What a replica says of itself: to heartbeats, to the elector, to the controller.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use evenkeel_shared::heartbeat::{RaftRole, ReplicaStatus};
use evenkeel_shared::ids::{Epoch, ReplicaId};
use openraft::ServerState;
use openraft::async_runtime::WatchReceiver;

use super::Group;
use crate::store::raft::{LogId, Metrics, StoredMembership};

/// One replica, in the words of this project rather than openraft's. It is asked for many times a
/// second of every replica: nothing in it is worth a copy.
#[derive(Clone, Debug)]
pub struct GroupStatus {
    /// Its role.
    pub role: RaftRole,
    /// The term it is in.
    pub term: u64,
    /// Who leads that term, as it believes.
    pub leader: Option<ReplicaId>,
    /// The last log id, as (term, index).
    pub last_log: Option<(u64, u64)>,
    /// What it knows to be committed.
    pub committed: u64,
    /// Count of applied configuration changes.
    pub epoch: Epoch,
    /// Who belongs to the shard.
    pub members: Arc<Members>,
    /// Whether a quorum has answered it as leader of this term.
    pub quorum_acked: bool,
    /// Since when it tries to hand leadership over.
    pub transfer_since: Option<Duration>,
    /// The term in which it has voted for another replica that does not lead (yet).
    pub voted_for_other: Option<u64>,
    /// Whether it voted for itself in this term.
    pub voted_for_me: bool,
    /// Whether anybody has initialised it.
    pub initialized: bool,
}

/// Who belongs to a shard, as one replica knows; made anew only when that changes.
#[derive(Debug)]
pub struct Members {
    /// The voter sets in effect: two while a change is under way.
    pub effective: Arc<[BTreeSet<ReplicaId>]>,
    /// The voter sets that are committed.
    pub committed: Arc<[BTreeSet<ReplicaId>]>,
    /// Everyone in a set in effect.
    pub voters: Vec<ReplicaId>,
    /// Everyone else that the leader replicates to.
    pub learners: Vec<ReplicaId>,
    /// The entries that say so.
    entries: (Option<LogId>, Option<LogId>),
}

impl Members {
    pub(super) fn of(metrics: &Metrics) -> Self {
        let membership = metrics.membership_config.membership();
        Self {
            effective: voter_sets(&metrics.membership_config),
            committed: voter_sets(&metrics.committed_membership_config),
            voters: membership.voter_ids().collect(),
            learners: membership.learner_ids().collect(),
            entries: entries(metrics),
        }
    }
}

impl Group {
    /// What this replica says of itself.
    pub fn status(&self) -> GroupStatus {
        let metrics = self.metrics.borrow_watched();
        let members = self.members(&metrics);
        let last_log = self.wal.last(&self.key);
        GroupStatus {
            role: role(&metrics),
            term: metrics.current_term,
            leader: metrics.current_leader,
            last_log,
            committed: metrics.cluster_committed.map_or(0, |log_id| log_id.index),
            epoch: self.machine.epoch(),
            quorum_acked: metrics.last_quorum_acked.is_some(),
            transfer_since: self.handing_over_since(&metrics),
            voted_for_other: voted_for_other(&metrics, self.key.replica),
            voted_for_me: metrics.vote.leader_id.voted_for == self.key.replica,
            initialized: last_log.is_some() || !members.voters.is_empty(),
            members,
        }
    }

    /// Role and term, and whether anybody has initialised it: what it takes to back a claim.
    pub fn standing(&self) -> (RaftRole, u64, bool) {
        let metrics = self.metrics.borrow_watched();
        let voters = metrics.membership_config.membership().get_joint_config();
        let initialized = !voters.is_empty() || self.wal.last(&self.key).is_some();
        (role(&metrics), metrics.current_term, initialized)
    }

    /// The same for peers, with a rate that whoever asks has counted.
    pub fn replica_status(&self, ops_s: f64) -> ReplicaStatus {
        let status = self.status();
        let applied = self.machine.status();
        ReplicaStatus {
            shard: self.key.shard,
            replica: self.key.replica,
            role: status.role,
            term: status.term,
            leader: status.leader,
            last: status.last_log.map_or(0, |(_, index)| index),
            // Of the same moment as the chain, or peers would compare unequal things.
            applied: applied.applied_index(),
            epoch: applied.epoch,
            voters: status.members.voters.clone(),
            learners: status.members.learners.clone(),
            chain: applied.chain,
            log_bytes: self.wal.log_bytes(&self.key),
            data_bytes: self.machine.size_bytes(),
            ops_s,
            filling: self.inbound.is_filling(),
            damaged: None,
        }
    }

    /// Operations answered since the start.
    pub fn operations(&self) -> u64 {
        self.operations.load(Ordering::Relaxed)
    }

    /// How far each follower's log matches, when this replica leads.
    pub fn matched(&self) -> Vec<(ReplicaId, u64)> {
        let metrics = self.metrics.borrow_watched();
        let matched = metrics.replication.iter().flatten().filter_map(|(replica, matched)| {
            matched.as_ref().map(|log_id| (*replica, log_id.index))
        });
        matched.collect()
    }

    fn members(&self, metrics: &Metrics) -> Arc<Members> {
        let mut members = self.members.lock().expect("no holder of this lock panics");
        if members.entries != entries(metrics) {
            *members = Arc::new(Members::of(metrics));
        }
        Arc::clone(&members)
    }
}

fn entries(metrics: &Metrics) -> (Option<LogId>, Option<LogId>) {
    let entry = |membership: &StoredMembership| membership.log_id().as_ref().copied();
    (entry(&metrics.membership_config), entry(&metrics.committed_membership_config))
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

fn voter_sets(membership: &StoredMembership) -> Arc<[BTreeSet<ReplicaId>]> {
    membership.membership().get_joint_config().clone().into()
}
