//! What the elector is told before it decides: this node's replicas, and what was heard of peers.
//!
//! Invariant: nothing here is computed; each field is copied from Raft's metrics, the heartbeat
//! registry or the detector at one moment.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use evenkeel_shared::heartbeat::RaftRole;
use evenkeel_shared::ids::{Incarnation, NodeId, ReplicaId, ShardId};

/// The voters of a membership: one set, or two while it is joint. A majority of each decides.
pub type VoterSets = Arc<[BTreeSet<ReplicaId>]>;

/// A log's last entry, as (term, index); `None` for an empty log.
pub type LastLog = Option<(u64, u64)>;

/// One replica of this node.
#[expect(clippy::struct_excessive_bools, reason = "facts that do not depend on each other")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupFacts {
    /// The shard.
    pub shard: ShardId,
    /// This node's replica.
    pub me: ReplicaId,
    /// Its role now.
    pub role: RaftRole,
    /// The term it is in.
    pub term: u64,
    /// Who leads that term, as it believes.
    pub leader: Option<ReplicaId>,
    /// The end of its log.
    pub last: LastLog,
    /// Voters of the last membership in its log.
    pub effective: VoterSets,
    /// Voters of the last membership that it knows to be committed.
    pub committed: VoterSets,
    /// As leader: a quorum has acknowledged it in this term.
    pub quorum_acked: bool,
    /// As leader: when it was elected in this term, on this node's clock.
    pub led_since: Option<Duration>,
    /// As leader: its claim is earned (safety rule 6); without meaning otherwise.
    pub claim_earned: bool,
    /// As leader: when a leadership transfer began that has not ended.
    pub transfer_since: Option<Duration>,
    /// When it granted another replica its vote in this term.
    pub voted_at: Option<Duration>,
    /// Whether it voted for itself in this term.
    pub voted_for_me: bool,
    /// Whether it has a membership at all.
    pub initialized: bool,
    /// Whether a failover may begin without an operator's word.
    pub automatic: bool,
}

impl GroupFacts {
    /// Everyone who may win: voters of the effective or the committed membership (safety rule 8).
    pub fn electorate(&self) -> BTreeSet<ReplicaId> {
        self.effective.iter().chain(self.committed.iter()).flatten().copied().collect()
    }

    /// Whether this replica may stand for election.
    pub fn may_stand(&self) -> bool {
        let stopped = self.role == RaftRole::Stopped;
        let mut sets = self.effective.iter().chain(self.committed.iter());
        self.initialized && !stopped && sets.any(|set| set.contains(&self.me))
    }
}

/// What was heard of one peer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerFacts {
    /// The detector holds it dead.
    pub dead: bool,
    /// This node was paused itself, and the peer still has its grace to be heard.
    pub excused: bool,
    /// When its last heartbeat came. Only a heartbeat that could have claimed and did not speaks
    /// against a leader; silence is the detector's to judge.
    pub heard: Option<Duration>,
    /// The newest incarnation heard, in a heartbeat or a Hello.
    pub incarnation: Option<Incarnation>,
    /// Its last claim of each shard; one that it dropped stays, with the time it was last heard.
    pub claims: Arc<BTreeMap<ShardId, ClaimHeard>>,
}

/// A claim and when it was last heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClaimHeard {
    /// The term in which the peer leads.
    pub term: u64,
    /// When it last said so.
    pub heard: Duration,
    /// Which of its processes said so.
    pub incarnation: Incarnation,
}

/// What was heard of every peer of the cluster.
pub type Peers = BTreeMap<NodeId, PeerFacts>;

/// Whether `granted` holds a majority of every set.
pub fn is_majority(sets: &VoterSets, granted: &BTreeSet<ReplicaId>) -> bool {
    !sets.is_empty()
        && sets
            .iter()
            .all(|set| !set.is_empty() && set.intersection(granted).count() * 2 > set.len())
}
