//! Whether this node is convinced, by itself, that a shard has no leader any more (design §5).
//!
//! Invariant: what is not heard counts only from the moment when it could have been heard: since
//! the term was learned, and never during the grace after an own pause.

use std::fmt;
use std::time::Duration;

use evenkeel_shared::heartbeat::RaftRole;
use evenkeel_shared::ids::{Incarnation, NodeId, ReplicaId};

use super::ElectorConfig;
use super::facts::{ClaimHeard, GroupFacts, PeerFacts, Peers};

/// Why a shard is unled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unled {
    /// The replica knows no leader of its term.
    NoLeader,
    /// The replica itself led its term before a restart, and never will again in that term.
    LedBefore,
    /// The leader itself has canvassed for its own term, or a later one.
    Disowned(NodeId),
    /// The leader's node is held dead.
    Dead(NodeId),
    /// The leader's node has been started again.
    Restarted(NodeId),
    /// The leader's node has not claimed the shard for too long.
    NotClaimed(NodeId),
    /// This replica leads, and its leadership transfer is stuck.
    TransferStuck,
    /// This replica leads, and its claim is not earned.
    NotEarned,
    /// It may well be led: somebody ordered another to stand.
    Ordered,
}

impl Unled {
    /// Whether to stand for it is to take a shard over from another: it is not for a leader that
    /// comes back, which voted for itself in its last term.
    pub(super) fn is_failover_for(self, group: &GroupFacts) -> bool {
        match self {
            Self::NoLeader => !group.voted_for_me,
            Self::Disowned(_) | Self::Dead(_) | Self::Restarted(_) | Self::NotClaimed(_) => true,
            Self::LedBefore | Self::TransferStuck | Self::NotEarned | Self::Ordered => false,
        }
    }

    /// In words, with nodes by their names.
    pub fn words(self, name: impl Fn(NodeId) -> String) -> String {
        match self {
            Self::NoLeader => "no leader known".to_owned(),
            Self::LedBefore => "led by this node before it restarted".to_owned(),
            Self::Disowned(node) => format!("disowned by {}", name(node)),
            Self::Dead(node) => format!("{} held dead", name(node)),
            Self::Restarted(node) => format!("{} restarted", name(node)),
            Self::NotClaimed(node) => format!("not claimed by {}", name(node)),
            Self::TransferStuck => "leadership transfer stuck".to_owned(),
            Self::NotEarned => "own claim not earned".to_owned(),
            Self::Ordered => "it was told to stand".to_owned(),
        }
    }
}

impl fmt::Display for Unled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words(|node| node.to_string()))
    }
}

/// The term and leader that a replica last learned of, and what was known of the leader's node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Learned {
    pub(super) term: u64,
    pub(super) leader: Option<ReplicaId>,
    pub(super) since: Duration,
    /// The process that leads; a newer one of the same node does not.
    incarnation: Option<Incarnation>,
    /// When the leader itself asked whether its shard is unled.
    pub(super) disowned: Option<Duration>,
}

impl Learned {
    /// What is known now, carried on from what was known before if term and leader are the same.
    pub(super) fn update(
        before: Option<Self>,
        now: Duration,
        group: &GroupFacts,
        peers: &Peers,
    ) -> Self {
        let peer = group.leader.and_then(|leader| peers.get(&leader.node()));
        let heard = peer.and_then(|peer| peer.incarnation);
        let same = before.filter(|known| known.term == group.term && known.leader == group.leader);
        let mut learned = same.unwrap_or(Self {
            term: group.term,
            leader: group.leader,
            since: now,
            incarnation: heard,
            disowned: None,
        });
        // A claim of this very term proves which process leads it: none resumes a term. A leader
        // of which nothing had been heard is taken to be the first process that is.
        let claimed = claim_of(group, peer).map(|claim| claim.incarnation);
        learned.incarnation = learned.incarnation.or(heard).max(claimed);
        learned
    }
}

/// Whether the shard is unled for this node, and why.
pub(super) fn unled(
    config: &ElectorConfig,
    now: Duration,
    group: &GroupFacts,
    learned: &Learned,
    peers: &Peers,
) -> Option<Unled> {
    if group.role == RaftRole::Leader {
        return leader_unled(config, now, group);
    }
    let Some(leader) = group.leader else { return Some(Unled::NoLeader) };
    if leader.node() == group.me.node() {
        return Some(Unled::LedBefore);
    }
    let node = leader.node();
    let peer = peers.get(&node);
    if peer.is_some_and(|peer| peer.dead) {
        return Some(Unled::Dead(node));
    }
    if let Some(at) = learned.disowned {
        // A claim that was under way means nothing; one that is kept up does: the question was old.
        let kept_up = claim_of(group, peer).map(|claim| claim.heard);
        if kept_up.is_none_or(|heard| heard <= at + config.claim_lapse) {
            return Some(Unled::Disowned(node));
        }
    }
    let newest = peer.and_then(|peer| peer.incarnation);
    if learned.incarnation.is_some_and(|known| newest.is_some_and(|newest| newest > known)) {
        return Some(Unled::Restarted(node));
    }
    let excused = peer.is_some_and(|peer| peer.excused);
    let last_sign = last_sign(group, learned, peer);
    let lapsed = now.saturating_sub(last_sign) > config.claim_lapse;
    // A node that is not heard at all can't claim: the detector judges its silence.
    let passed_over = peer.and_then(|peer| peer.heard).is_some_and(|heard| heard > last_sign);
    (lapsed && passed_over && !excused).then_some(Unled::NotClaimed(node))
}

/// When the leader's claim lapses, if nothing more is heard of it.
pub(super) fn lapses_at(
    config: &ElectorConfig,
    group: &GroupFacts,
    learned: &Learned,
    peers: &Peers,
) -> Option<Duration> {
    let peer = peers.get(&group.leader?.node());
    // Lapsed means longer than, so the first moment is just behind the limit.
    Some(last_sign(group, learned, peer) + config.claim_lapse + Duration::from_micros(1))
}

fn leader_unled(config: &ElectorConfig, now: Duration, group: &GroupFacts) -> Option<Unled> {
    let stuck = |since: Duration| now.saturating_sub(since) > config.transfer_limit;
    if group.transfer_since.is_some_and(stuck) {
        return Some(Unled::TransferStuck);
    }
    (!group.claim_earned).then_some(Unled::NotEarned)
}

/// The last time that spoke for the leader: the term was learned, or its claim was heard.
fn last_sign(group: &GroupFacts, learned: &Learned, peer: Option<&PeerFacts>) -> Duration {
    claim_of(group, peer).map_or(learned.since, |claim| claim.heard.max(learned.since))
}

fn claim_of<'a>(group: &GroupFacts, peer: Option<&'a PeerFacts>) -> Option<&'a ClaimHeard> {
    peer?.claims.get(&group.shard).filter(|claim| claim.term == group.term)
}
