//! One canvass of one shard: who was asked, who answered what, and what follows.
//!
//! Invariant: a ballot says `Win` only if every set of the effective membership holds a majority
//! that would vote for this replica's log, itself counted only where it is a member.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use evenkeel_shared::ids::{NodeId, ReplicaId, ShardId};
use evenkeel_shared::service::peer::CanvassAnswer;

use super::facts::{GroupFacts, LastLog, Peers, is_majority};
use super::unled::Unled;

/// The answers to one canvass of one shard.
#[derive(Clone, Debug)]
pub(super) struct Ballot {
    pub(super) round: u64,
    pub(super) started: Duration,
    pub(super) term: u64,
    pub(super) last: LastLog,
    pending: BTreeSet<NodeId>,
    answers: BTreeMap<ReplicaId, CanvassAnswer>,
}

/// What a canvass came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Count {
    /// A majority would vote for this replica, and nobody is better placed.
    Win,
    /// A majority would vote for this replica, but another one is better placed.
    Outranked,
    /// A majority holds the shard unled, but too many of it have a longer log.
    Behind,
    /// No majority holds the shard unled.
    Denied,
}

impl Ballot {
    pub(super) fn new(
        now: Duration,
        round: u64,
        group: &GroupFacts,
        asked: BTreeSet<NodeId>,
    ) -> Self {
        Self {
            round,
            started: now,
            term: group.term,
            last: group.last,
            pending: asked,
            answers: BTreeMap::new(),
        }
    }

    /// Takes a peer's answer, or the news that none will come.
    pub(super) fn take(&mut self, node: NodeId, answer: Option<CanvassAnswer>) {
        self.pending.remove(&node);
        if let Some(answer) = answer
            && let Some(replica) = answer.replica
            && replica.node() == node
        {
            self.answers.insert(replica, answer);
        }
    }

    /// Whether nobody is left to wait for: the dead don't answer.
    pub(super) fn complete(&self, peers: &Peers) -> bool {
        self.pending.iter().all(|node| peers.get(node).is_some_and(|peer| peer.dead))
    }

    /// Whether the question that was asked is still the one to ask.
    pub(super) fn fits(&self, group: &GroupFacts) -> bool {
        self.term == group.term && self.last == group.last
    }

    /// To whom a voter hands on what it can't win, for it lacks entries of the others: a leader that
    /// came back, or one that stood in vain because an operator said so. Where operators decide,
    /// nobody else stands by itself.
    pub(super) fn heir(&self, group: &GroupFacts, cause: Unled, count: Count) -> Option<NodeId> {
        let led = matches!(cause, Unled::LedBefore | Unled::NoLeader);
        if group.automatic || !led || count != Count::Behind {
            return None;
        }
        let electorate = group.electorate();
        let longer = self.answers.iter().filter(|(replica, answer)| {
            answer.unled && answer.last > self.last && electorate.contains(replica)
        });
        let best = longer.max_by_key(|(replica, answer)| rank(group.shard, **replica, answer.last));
        best.map(|(replica, _)| replica.node())
    }

    /// What the answers come to.
    pub(super) fn count(&self, group: &GroupFacts) -> Count {
        let unled = || self.answers.iter().filter(|(_, answer)| answer.unled);
        let with_me = |others: BTreeSet<ReplicaId>| {
            // Whoever is not in a set is not counted there by the intersection.
            others.into_iter().chain([group.me]).collect::<BTreeSet<_>>()
        };
        let agree = with_me(unled().map(|(replica, _)| *replica).collect());
        if !is_majority(&group.effective, &agree) {
            return Count::Denied;
        }
        let votes = unled().filter(|(_, answer)| answer.last <= self.last);
        if !is_majority(&group.effective, &with_me(votes.map(|(replica, _)| *replica).collect())) {
            return Count::Behind;
        }
        let mine = rank(group.shard, group.me, self.last);
        let electorate = group.electorate();
        let outranks = |(replica, answer): (&ReplicaId, &CanvassAnswer)| {
            electorate.contains(replica) && rank(group.shard, *replica, answer.last) > mine
        };
        if unled().any(outranks) { Count::Outranked } else { Count::Win }
    }
}

/// Who goes first: the longest log, then a hash that spreads a dead node's shards over the others.
fn rank(shard: ShardId, replica: ReplicaId, last: LastLog) -> (LastLog, u64, ReplicaId) {
    (last, super::scatter(u64::from(shard.0), u64::from(replica.node().0)), replica)
}
