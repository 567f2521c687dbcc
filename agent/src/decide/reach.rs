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

    /// Whether anybody that this node hears does not hold a node dead.
    pub fn is_heard_by_some(&self, node: NodeId) -> bool {
        let observers = self.nodes.get(&node).map(|seen| seen.observers);
        observers.is_some_and(|observers| observers.against < observers.asked)
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

    /// Nodes of voters that do not answer here, and that others hear: of those nothing is known.
    pub fn heard_elsewhere(&self, observed: &Observed) -> impl Iterator<Item = NodeId> {
        let nodes = self.voters.iter().filter(|voter| !self.unfit.contains(voter));
        let nodes = nodes.map(|voter| voter.node());
        nodes.filter(|node| !observed.answers(*node) && observed.is_heard_by_some(*node))
    }

    /// Voters that acknowledge what the leader has when these nodes are gone, itself among them. Without
    /// it another voter leads: the one that gets through to most.
    pub fn led_voters(&self, observed: &Observed, gone: impl Fn(NodeId) -> bool) -> usize {
        let stays = |leader: &ReplicaId| !gone(leader.node()) && self.answers(observed, *leader);
        match self.leader.filter(stays) {
            Some(leader) => self.led_by(observed, leader, &gone),
            None => self.led_at_best(observed, gone),
        }
    }

    /// The same of whichever voter gets through to most, whoever leads now.
    pub fn led_at_best(&self, observed: &Observed, gone: impl Fn(NodeId) -> bool) -> usize {
        let led = |leader: &ReplicaId| self.led_by(observed, *leader, &gone);
        self.voters.iter().map(led).max().unwrap_or(0)
    }

    /// The same of this voter.
    pub fn led_by(
        &self,
        observed: &Observed,
        leader: ReplicaId,
        gone: impl Fn(NodeId) -> bool,
    ) -> usize {
        let stays = |voter: ReplicaId| !gone(voter.node()) && self.answers(observed, voter);
        if !stays(leader) {
            return 0;
        }
        // Whom this node does not hear, the leader may: a majority hears it, and nobody says otherwise
        // of the leader.
        let spoken = observed.nodes.get(&leader.node()).is_some_and(|seen| seen.heard);
        let heard_there = |voter: ReplicaId| {
            let suspect = observed.state(voter.node()) == NodeState::Suspect;
            spoken && suspect && !gone(voter.node()) && !self.unfit.contains(&voter)
        };
        let led = |voter: &&ReplicaId| {
            (stays(**voter) || heard_there(**voter)) && self.gets_through(observed, leader, **voter)
        };
        self.voters.iter().filter(led).count()
    }

    /// Whether this voter, as the leader, would get through to a majority, itself among it.
    pub fn has_majority(&self, observed: &Observed, leader: ReplicaId) -> bool {
        self.led_by(observed, leader, |_| false) >= self.quorum()
    }

    /// Whether nothing is known to keep this leader's entries from that voter. Of the present leader
    /// it is seen; of others, remembered.
    fn gets_through(&self, observed: &Observed, leader: ReplicaId, to: ReplicaId) -> bool {
        let (pair, back) = ((leader.node(), to.node()), (to.node(), leader.node()));
        let starves = || match self.leader {
            Some(present) if present == leader => !self.is_fed(to),
            // What its ends did not hear is in `unheard` for as long as it lasts.
            _ => observed.unfed.get(&pair).is_some_and(|link| link.heard_ms.is_none()),
        };
        let unheard = || [pair, back].iter().any(|pair| observed.unheard.contains_key(pair));
        leader == to || !(unheard() || starves())
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

    /// Whether nothing is known to keep a voter from taking the shard over: of late, as leader of any
    /// shard, its node got through to those of all other voters, and the present leader's to its own.
    pub fn is_linked(&self, observed: &Observed, heir: ReplicaId) -> bool {
        let unfed =
            |from: ReplicaId, to: ReplicaId| observed.unfed.contains_key(&(from.node(), to.node()));
        let told = self.leader.is_none_or(|leader| !unfed(leader, heir));
        told && !self.voters.iter().any(|voter| unfed(heir, *voter))
    }
}
