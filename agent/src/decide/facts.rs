//! What an agent has observed of its cluster, put beside what the system shard wants.
//!
//! Invariant: whatever was not heard is `None` or absent, never 0 (law 2).

use std::collections::{BTreeMap, BTreeSet};

use evenkeel_shared::heartbeat::{Claim, Load, ReplicaStatus};
use evenkeel_shared::ids::{Epoch, Incarnation, NodeId, ReplicaId, ShardId};
use evenkeel_shared::view::{
    ClusterFacts, NodeFacts, NodeIntent, NodeState, Observer, ReplicaRole, ShardFacts,
};

use super::detector::VerdictState;

/// What was heard of one node, the observer itself included: what `observe` judges from.
#[derive(Clone, Debug, PartialEq)]
pub struct Heard {
    /// The observer's own verdict.
    pub verdict: VerdictState,
    /// Its evidence in words.
    pub why: String,
    /// Milliseconds since it was last heard; `None` when it never was.
    pub heard_ms: Option<u64>,
    /// The observer's suspicion.
    pub phi: Option<f64>,
    /// Round trip of the last heartbeat, in microseconds.
    pub round_trip_us: Option<u32>,
    /// Count of its starts.
    pub incarnation: Option<Incarnation>,
    /// Its load.
    pub load: Option<Load>,
    /// The facts' revision that it has applied.
    pub revision: Option<u64>,
    /// Why the observer finds it slow, if it does.
    pub slow: Option<String>,
    /// Whom it holds dead.
    pub dead: BTreeSet<NodeId>,
    /// What it claims to lead.
    pub claims: Vec<Claim>,
    /// Its replicas, as it last listed them.
    pub replicas: Vec<ReplicaStatus>,
    /// Milliseconds since it did; `None` when it never has.
    pub listed_ms: Option<u64>,
}

/// The cluster as observed at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    /// When, on the observer's wall clock.
    pub at_unix_ms: u64,
    /// Every node of the facts.
    pub nodes: BTreeMap<NodeId, NodeObserved>,
    /// Every shard of the facts.
    pub shards: BTreeMap<ShardId, ShardObserved>,
    /// Which node holds which other dead that some hear; and for how long, in milliseconds, added up
    /// from one look to the next, under the present leader of the system shard.
    pub unheard: BTreeMap<(NodeId, NodeId), u64>,
    /// Between which nodes, of a leader and of a copy, nothing got through of late.
    pub unfed: BTreeMap<(NodeId, NodeId), Link>,
}

/// A link that carries nothing, or did not until lately.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// Milliseconds since that was last seen.
    pub for_ms: u64,
    /// Milliseconds since its ends hear each other again, if that is the cause: then they find out
    /// that it works.
    pub heard_ms: Option<u64>,
}

/// One node, as observed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeObserved {
    /// The verdict.
    pub state: NodeState,
    /// Since when, on the observer's wall clock.
    pub since_unix_ms: u64,
    /// The evidence in words.
    pub why: String,
    /// Who holds it dead, of how many that could say.
    pub observers: Observer,
    /// Whether the observer itself hears it.
    pub heard: bool,
    /// Count of its starts.
    pub incarnation: Option<Incarnation>,
    /// The observer's suspicion.
    pub phi: Option<f64>,
    /// Milliseconds since it was last heard.
    pub heard_ms: Option<u64>,
    /// Round trip of the last heartbeat, in microseconds.
    pub round_trip_us: Option<u32>,
    /// Its load.
    pub load: Option<Load>,
    /// When it went DOWN of late, on the observer's wall clock, oldest first.
    pub downs: Vec<u64>,
    /// It goes and comes: until then it gets nothing new.
    pub unsteady_until: Option<u64>,
}

/// One shard, as observed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ShardObserved {
    /// Who claims it, in the highest term.
    pub leader: Option<ReplicaId>,
    /// That term; the highest term heard of when nobody claims it.
    pub term: u64,
    /// Version of range and voters, as the leader applied it.
    pub epoch: Epoch,
    /// The voters, as the leader (else the facts) names them.
    pub voters: BTreeSet<ReplicaId>,
    /// The learners, likewise.
    pub learners: BTreeSet<ReplicaId>,
    /// The last index known to be committed.
    pub committed: Option<u64>,
    /// What each replica's node says of it; absent when not heard.
    pub replicas: BTreeMap<ReplicaId, ReplicaObserved>,
    /// The end of the leader's log, or, without one, of the longest log that was ever heard of.
    pub last: Option<u64>,
    /// Operations a second at the leader.
    pub ops_s: Option<f64>,
    /// Bytes of the leader's log.
    pub log_bytes: Option<u64>,
    /// Bytes of the leader's records on disk, roughly.
    pub data_bytes: Option<u64>,
    /// Replicas that the facts have given up, and those that a living node holds out of service.
    pub unfit: BTreeSet<ReplicaId>,
}

/// One replica, as its own node tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplicaObserved {
    /// The end of its log.
    pub last: u64,
    /// Log entries behind the leader; `None` without a leader to compare with.
    pub lag: Option<u64>,
    /// Whether it is filled from a snapshot now.
    pub filling: bool,
    /// Why its node has taken it out of service, if it has.
    pub damaged: Option<String>,
    /// Its log does not grow although the leader's is longer.
    pub still: Option<Still>,
}

/// A log that does not grow although it should.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Still {
    /// For how long, in milliseconds: added up from one look to the next.
    pub for_ms: u64,
    /// The shard's term when it began.
    pub term: u64,
}

impl ReplicaObserved {
    /// For how long it has got nothing, in milliseconds, when that is too long: something is wrong
    /// with it, however little it is behind.
    pub fn stands_still(&self) -> Option<u64> {
        self.still.map(|still| still.for_ms).filter(|ms| *ms >= STANDS_STILL_MS)
    }
}

impl Observed {
    /// A node's state; `Unknown` for one that is not observed.
    pub fn state(&self, node: NodeId) -> NodeState {
        self.nodes.get(&node).map_or(NodeState::Unknown, |node| node.state)
    }

    /// Whether a node answers now: replicas on it count for a quorum.
    pub fn lives(&self, node: NodeId) -> bool {
        lives(self.state(node))
    }

    /// Whether a node's disk is so full that it takes no writes.
    pub fn has_low_disk(&self, node: NodeId) -> bool {
        let load = self.nodes.get(&node).and_then(|node| node.load.as_ref());
        load.is_some_and(|load| load.disk_low)
    }

    /// Whether a node goes and comes, and has not been up for long enough since.
    pub fn is_unsteady(&self, node: NodeId) -> bool {
        let until = self.nodes.get(&node).and_then(|node| node.unsteady_until);
        until.is_some_and(|until| self.at_unix_ms < until)
    }

    /// Whether a drill leaves a node of no use to its shards, though it is not held dead yet.
    pub fn is_drilled_away(&self, node: NodeId) -> bool {
        let load = self.nodes.get(&node).and_then(|node| node.load.as_ref());
        load.is_some_and(|load| load.drilled_away)
    }

    /// Milliseconds for which a node has been in its state.
    pub fn in_state_ms(&self, node: NodeId) -> u64 {
        let since = self.nodes.get(&node).map_or(self.at_unix_ms, |node| node.since_unix_ms);
        self.at_unix_ms.saturating_sub(since)
    }
}

impl ShardObserved {
    /// What a new copy costs, roughly: it gets the records, or the log if that is less.
    pub fn copy_bytes(&self) -> Option<u64> {
        self.data_bytes.into_iter().chain(self.log_bytes).max()
    }

    /// How many voters decide.
    pub fn quorum(&self) -> usize {
        self.voters.len() / 2 + 1
    }

    /// Whether a replica may be counted on: its log is complete but for what is under way.
    pub fn caught_up(&self, replica: ReplicaId) -> bool {
        let Some(seen) = self.replicas.get(&replica) else { return false };
        !self.unfit.contains(&replica)
            && !seen.filling
            && seen.stands_still().is_none()
            && seen.lag.is_some_and(|lag| lag <= self.lag_max())
    }

    /// How far behind a replica may look: lists are up to a second old, so a second's writes do
    /// not count.
    pub fn lag_max(&self) -> u64 {
        let second = self.ops_s.unwrap_or(0.0).clamp(0.0, 1e9);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
        let second = second as u64;
        LAG_MAX + 2 * second
    }
}

/// After so long without a new entry a copy that is behind counts as standing still: its list comes
/// once a second, and a leader that could not reach it tries again at least as often.
pub(super) const STANDS_STILL_MS: u64 = 5_000;

/// Entries that a follower may be behind at rest, between two lists of its replicas.
const LAG_MAX: u64 = 1_000;

/// Whether a node in this state answers.
pub fn lives(state: NodeState) -> bool {
    match state {
        NodeState::Joining
        | NodeState::Up
        | NodeState::Slow
        | NodeState::Draining
        | NodeState::Drained
        | NodeState::Maint => true,
        NodeState::Unknown | NodeState::Suspect | NodeState::Down | NodeState::Left => false,
    }
}

/// Whether a node may be given replicas and leaderships.
pub fn takes_more(node: &NodeFacts, observed: &Observed) -> bool {
    let well = observed.state(node.id) == NodeState::Up && !observed.is_unsteady(node.id);
    well && node.intent == NodeIntent::Serve && !observed.has_low_disk(node.id)
}

/// Copies that a shard should have.
pub fn wanted(facts: &ClusterFacts, shard: &ShardFacts) -> usize {
    if shard.id.is_system() {
        return system_voters(facts);
    }
    if let Some(copies) = facts.recovery.copies.get(&shard.id) {
        return usize::from(*copies);
    }
    facts.keyspaces.get(&shard.keyspace).map_or(1, |keyspace| usize::from(keyspace.policy.replicas))
}

/// Voters that the system shard should have: 1, 3, 5 as nodes join, never an even number. Nodes
/// that are DOWN count, so that a failure never makes it smaller.
pub fn system_voters(facts: &ClusterFacts) -> usize {
    match facts.nodes.values().filter(|node| node.intent == NodeIntent::Serve).count() {
        0..=2 => 1,
        3..=4 => 3,
        _ => 5,
    }
}

/// A node's name, for sentences.
pub fn name(facts: &ClusterFacts, node: NodeId) -> String {
    facts.nodes.get(&node).map_or_else(|| node.to_string(), |node| node.name.clone())
}

/// The voters and learners that the facts want of a shard.
pub fn members(shard: &ShardFacts, role: ReplicaRole) -> BTreeSet<ReplicaId> {
    let of_role = shard.replicas.iter().filter(|(_, replica)| replica.role == role);
    of_role.map(|(id, _)| *id).collect()
}
