//! The system shard's own rule: 1, 3, 5 voters as nodes join, a learner on every other node.
//!
//! Invariant: it never rests at an even number of voters; it grows and shrinks by two at once.

use std::collections::BTreeSet;

use evenkeel_shared::ids::{NodeId, ReplicaId};
use evenkeel_shared::view::{NodeState, ReplicaRole, ZoneRule};

use super::super::facts::{members, name, system_voters};
use super::super::placement::crowding;
use super::super::plan::{Step, StepKind};
use super::Case;

impl Case<'_> {
    pub(super) fn system(&self, leader: ReplicaId) -> Result<Option<Step>, String> {
        if let Some(step) = self.unfed_learner() {
            return Ok(Some(step));
        }
        let target = system_voters(self.facts);
        let leaving = self.leaving(&self.seen.voters);
        let ready = self.ready();
        let voters = self.seen.voters.len();
        if let Some((old, why)) = leaving.first() {
            if *old == leader {
                return Ok(self.hand_over(leader, why));
            }
            if let Some(new) = ready.first()
                && voters <= target
            {
                let kind = StepKind::Promote { replicas: vec![*new], replaces: vec![*old] };
                return Ok(self.safe(kind, why.clone()));
            }
        }
        if voters > target {
            return Ok(self.shrink(leader, voters, target));
        }
        if voters < target {
            // Two at once, or the one that makes the number odd again.
            let missing = if voters.is_multiple_of(2) { 1 } else { 2 };
            if ready.len() >= missing {
                let kind =
                    StepKind::Promote { replicas: ready[..missing].to_vec(), replaces: Vec::new() };
                return Ok(self.safe(kind, format!("{voters} of {target} voters")));
            }
        }
        self.map_everywhere(&leaving)
    }

    fn shrink(&self, leader: ReplicaId, voters: usize, target: usize) -> Option<Step> {
        let surplus = if voters.is_multiple_of(2) { 1 } else { 2 };
        let mut order: Vec<ReplicaId> =
            self.seen.voters.iter().copied().filter(|voter| *voter != leader).collect();
        let stays =
            |voter: ReplicaId| (self.goes(voter).is_none(), self.observed.lives(voter.node()));
        order.sort_by_key(|voter| (stays(*voter), std::cmp::Reverse(*voter)));
        order.truncate(surplus);
        let why = format!("{voters} voters, {target} wanted");
        self.safe(StepKind::Demote { replicas: order }, why)
    }

    /// Every node holds a copy of the map, and nobody else does.
    fn map_everywhere(&self, leaving: &[(ReplicaId, String)]) -> Result<Option<Step>, String> {
        let lost = members(self.shard, ReplicaRole::Lost);
        let gone = |replica: &&ReplicaId| {
            lost.contains(replica) || !self.facts.nodes.contains_key(&replica.node())
        };
        let no_voter = |replica: &&ReplicaId| !self.seen.voters.contains(replica);
        let given_up = lost.iter().filter(no_voter);
        if let Some(replica) = self.seen.learners.iter().filter(gone).chain(given_up).next() {
            let why = self.goes(*replica).unwrap_or_else(|| "it is not wanted".to_owned());
            return Ok(Some(self.step(StepKind::Remove { replica: *replica }, why)));
        }
        let copies = self.shard.replicas.keys().filter(|copy| !lost.contains(copy));
        let holders: BTreeSet<NodeId> = copies.map(|copy| copy.node()).collect();
        let held = |node: NodeId| holders.contains(&node);
        let up = |node: &&NodeId| self.observed.state(**node) == NodeState::Up && !held(**node);
        if let Some(node) = self.facts.nodes.keys().find(up) {
            let why = format!("{} holds no map", name(self.facts, *node));
            return Ok(Some(self.step(StepKind::AddReplica { node: *node }, why)));
        }
        match leaving.first() {
            Some((_, why)) => Err(format!("{why}: no learner to take its place")),
            None => Ok(None),
        }
    }

    /// Learners that may become voters now: in zones without a voter first.
    fn ready(&self) -> Vec<ReplicaId> {
        let mut ready: Vec<ReplicaId> = self.seen.learners.iter().copied().collect();
        ready.retain(|replica| {
            let lives = self.observed.lives(replica.node());
            lives && self.goes(*replica).is_none() && self.seen.caught_up(*replica)
        });
        let staying = self.seen.voters.iter().filter(|voter| self.goes(**voter).is_none());
        let mut zones: Vec<&str> = staying.filter_map(|voter| self.zone(voter.node())).collect();
        let mut ordered = Vec::new();
        while !ready.is_empty() {
            let zone = |replica: &ReplicaId| self.zone(replica.node()).unwrap_or_default();
            let rank =
                |replica: &ReplicaId| (crowding(ZoneRule::Spread, &zones, zone(replica)), *replica);
            let Some(next) = ready.iter().copied().min_by_key(rank) else { break };
            zones.push(zone(&next));
            ready.retain(|replica| *replica != next);
            ordered.push(next);
        }
        ordered
    }
}
