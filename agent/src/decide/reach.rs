//! Who answers, and who gets through to whom: what majorities are counted by.
//!
//! Invariant: a voter counts towards a majority only if the leader that it would be counted for gets
//! through to it, as far as anybody knows.

use evenkeel_shared::ids::{NodeId, ReplicaId};
use evenkeel_shared::view::NodeState;

use super::facts::{Observed, ReplicaObserved, STANDS_STILL_MS, ShardObserved, Still};

impl Observed {
    /// Whether a node answers: it lives, or is heard here, whoever else suspects it.
    pub fn answers(&self, node: NodeId) -> bool {
        let heard = || self.nodes.get(&node).is_some_and(|seen| seen.heard);
        self.lives(node) || (self.state(node) == NodeState::Suspect && heard())
    }

    /// Whom a node has not heard for so long that something is wrong between the two, though others
    /// hear both.
    pub fn deaf_to(&self, node: NodeId) -> impl Iterator<Item = NodeId> {
        let all = self.unheard.range((node, NodeId(0))..=(node, NodeId(u32::MAX)));
        all.filter(|(_, for_ms)| **for_ms >= STANDS_STILL_MS).map(|((_, held), _)| *held)
    }
}

impl ShardObserved {
    /// Whether a replica is as it should be: nobody suspects its node, and its data is sound.
    pub fn is_well(&self, observed: &Observed, replica: ReplicaId) -> bool {
        observed.lives(replica.node()) && !self.unfit.contains(&replica)
    }

    /// Whether a replica can vote now: its node answers, and its data is sound.
    pub fn answers(&self, observed: &Observed, replica: ReplicaId) -> bool {
        observed.answers(replica.node()) && !self.unfit.contains(&replica)
    }

    /// Voters that can vote now, whoever they get through to.
    pub fn answering(&self, observed: &Observed) -> usize {
        self.voters.iter().filter(|voter| self.answers(observed, **voter)).count()
    }

    /// Voters that acknowledge what the leader has when these nodes are gone, itself among them. Without
    /// it another voter leads, who may get through to others: the one that gets through to most.
    pub fn led_voters(&self, observed: &Observed, gone: impl Fn(NodeId) -> bool) -> usize {
        let stays = |voter: &ReplicaId| !gone(voter.node()) && self.answers(observed, *voter);
        let staying = || self.voters.iter().copied().filter(stays);
        let led = |leader: ReplicaId| {
            staying().filter(|voter| self.gets_through(observed, leader, *voter)).count()
        };
        match self.leader.filter(stays) {
            Some(leader) => led(leader),
            None => staying().map(led).max().unwrap_or(0),
        }
    }

    /// Whether nothing is known to keep this leader's entries from that voter.
    fn gets_through(&self, observed: &Observed, leader: ReplicaId, to: ReplicaId) -> bool {
        let (from, node) = (leader.node(), to.node());
        let unheard = |pair| observed.unheard.contains_key(&pair);
        let starves = self.leader == Some(leader) && !self.is_fed(to);
        leader == to || !(unheard((from, node)) || unheard((node, from)) || starves)
    }

    /// Whether nobody knows of a replica that it stands still.
    pub fn is_fed(&self, replica: ReplicaId) -> bool {
        self.replicas.get(&replica).is_none_or(|seen| seen.stands_still().is_none())
    }

    /// A voter that gets nothing from this leader, on a node that can take something: another leader
    /// may get through to it. One that began to stand still under the leader before is not meant, nor
    /// one that nobody feeds yet.
    pub fn starved(&self, observed: &Observed) -> Option<(ReplicaId, Still)> {
        let starves = |(copy, seen): (&ReplicaId, &ReplicaObserved)| {
            let still = seen.still.filter(|still| still.term == self.term)?;
            let takes = matches!(observed.state(copy.node()), NodeState::Up | NodeState::Suspect);
            let fed = self.voters.contains(copy) && !self.unfit.contains(copy);
            (takes && fed && seen.stands_still().is_some()).then_some((*copy, still))
        };
        self.replicas.iter().find_map(starves)
    }

    /// Whether a replica's node got through to those of all other voters of late, as leader of any
    /// shard.
    pub fn feeds_all(&self, observed: &Observed, leader: ReplicaId) -> bool {
        let pair = |voter: &ReplicaId| (leader.node(), voter.node());
        !self.voters.iter().any(|voter| observed.unfed.contains_key(&pair(voter)))
    }
}
