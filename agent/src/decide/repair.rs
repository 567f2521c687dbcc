//! What must be done so that each shard has its copies: one step a shard, ordered by how close the
//! shard is to loss.
//!
//! Invariant: no step leaves a shard without a majority of voters on living nodes, or moves two
//! voters of a data shard at once. A shard in doubt (no leader, no majority) is left alone.

mod data;
mod order;
mod system;
mod unsteady;

#[cfg(test)]
mod tests;

use std::cell::{RefCell, RefMut};

use evenkeel_shared::ids::{NodeId, ReplicaId};
use evenkeel_shared::view::{
    ClusterFacts, NodeIntent, RecoveryPolicy, ReplicaRole, ShardFacts, ZoneRule,
};

use super::facts::{Observed, ShardObserved, members, name};
use super::placement::{Candidate, best, candidates};
use super::plan::{Plan, RuleName, Step, StepKind};
use super::rest::Shards;

/// How much repair may do at once.
#[derive(Clone, Copy, Debug)]
pub struct RepairSettings {
    /// Steps in one plan.
    pub steps_max: usize,
    /// How long a node that holds the system shard may be DOWN before it is replaced there.
    pub system_grace_ms: u64,
}

impl RepairSettings {
    /// As the policy says.
    pub fn of(policy: &RecoveryPolicy) -> Self {
        let steps_max = usize::from(policy.steps);
        Self { steps_max, system_grace_ms: policy.system_grace_ms }
    }
}

impl Default for RepairSettings {
    fn default() -> Self {
        Self { steps_max: 8, system_grace_ms: 30_000 }
    }
}

/// Why a replica has to go.
type Leaving = (ReplicaId, String);

/// Everything that one shard's decision rests on.
pub(super) struct Case<'a> {
    pub(super) facts: &'a ClusterFacts,
    pub(super) observed: &'a Observed,
    pub(super) settings: &'a RepairSettings,
    pub(super) shard: &'a ShardFacts,
    pub(super) seen: &'a ShardObserved,
    /// Who may be given copies, with those that this plan gives them: found out once for all shards.
    pub(super) takers: &'a RefCell<Option<Vec<Candidate>>>,
    /// Whether copies on nodes that are DOWN for too long are replaced.
    pub(super) replaces_lost: bool,
    /// Whether a leader whose node is not well hands over.
    pub(super) moves_leader: bool,
}

/// The steps that are due now.
pub fn repair(facts: &ClusterFacts, observed: &Observed, settings: &RepairSettings) -> Plan {
    repair_of(&Shards::new(facts, observed), facts, observed, settings)
}

/// The same for shards that have been looked at already.
pub fn repair_of(
    shards: &Shards<'_>,
    facts: &ClusterFacts,
    observed: &Observed,
    settings: &RepairSettings,
) -> Plan {
    let mut plan = Plan::default();
    let policy = facts.recovery.policy();
    let takers = RefCell::default();
    let case = |shard, seen| Case {
        facts,
        observed,
        settings,
        shard,
        seen,
        takers: &takers,
        replaces_lost: true,
        moves_leader: true,
    };
    debug_assert!(
        shards.at_rest.iter().all(|(shard, seen)| case(shard, seen).decide() == Ok(None))
    );
    // Time to loss: whoever can spare fewest copies comes first, the system shard before others.
    let restless = shards.restless.iter().map(|(shard, seen)| case(shard, seen));
    let mut cases: Vec<(usize, Case<'_>)> = restless.map(|case| (case.spare(), case)).collect();
    cases.sort_by_key(|(spare, case)| (*spare, case.shard.id));
    // Where some steps wait for a word, all of them are wanted; the others' turn comes by itself.
    let in_turn = order::in_turn(facts, observed, &policy);
    cases.retain(|(_, case)| {
        let doubt = case.doubt();
        plan.declined.extend(doubt.iter().map(|why| (case.shard.id, why.clone())));
        doubt.is_none()
    });
    for (_, case) in cases {
        case.sort_into(&mut plan);
        if in_turn && settings.steps_max > 0 && plan.steps.len() >= settings.steps_max {
            break;
        }
    }
    plan.steps.truncate(settings.steps_max);
    plan.declined.sort();
    plan
}

impl<'a> Case<'a> {
    fn decide(&self) -> Result<Option<Step>, String> {
        let Some(leader) = self.seen.leader else { return Err(order::NO_LEADER.to_owned()) };
        if let Some(step) = self.damaged() {
            return Ok(Some(step));
        }
        if self.moves_leader
            && let Some(step) = self.unsteady_leader(leader)
        {
            // A suspicion may wait for a word; a copy that gets nothing is more than that.
            let suspected = step.rule == Some(RuleName::Suspect);
            if !suspected || self.starving_leader(leader).is_none() {
                return Ok(Some(step));
            }
        }
        let system = self.shard.id.is_system();
        let other = match self.unled(leader) {
            Some(why) => Err(why),
            None if system => self.system(leader),
            None => self.data(leader),
        };
        if let Ok(Some(step)) = other {
            return Ok(Some(step));
        }
        if let Some(step) = self.starving_leader(leader) {
            return Ok(Some(step));
        }
        let deaf = if system { self.deaf_controller(leader) } else { Ok(None) };
        if other.is_err() && !matches!(deaf, Ok(Some(_))) { other } else { deaf }
    }

    /// A replica that its own node can't use: it is given up while a majority of sound ones lives.
    fn damaged(&self) -> Option<Step> {
        let given_up = members(self.shard, ReplicaRole::Lost);
        let known = self.shard.replicas.keys().filter(|replica| !given_up.contains(replica));
        let found = known.filter_map(|replica| {
            let why = self.seen.replicas.get(replica)?.damaged.as_ref()?;
            Some((*replica, why))
        });
        let (replica, why) = found.min_by_key(|(replica, _)| *replica)?;
        let why = format!("the copy on {}: {why}", name(self.facts, replica.node()));
        Some(Step { rule: None, ..self.step(StepKind::Lose { replica }, why) })
    }

    /// A replica that the map has given out and the shard's own log does not know yet.
    pub(super) fn unfed_learner(&self) -> Option<Step> {
        let known = |replica: &ReplicaId| {
            self.seen.voters.contains(replica) || self.seen.learners.contains(replica)
        };
        let learners = members(self.shard, ReplicaRole::Learner);
        let replica = learners.into_iter().find(|replica| {
            !known(replica) && self.goes(*replica).is_none() && self.observed.lives(replica.node())
        })?;
        let why = format!("new replica on {}", name(self.facts, replica.node()));
        let mut step = self.step(StepKind::AddLearner { replica }, why);
        step.price_bytes = self.seen.copy_bytes().unwrap_or(0);
        Some(step)
    }

    pub(super) fn add_replica(&self, why: &str) -> Result<Step, String> {
        let taken: Vec<ReplicaId> = self.copies();
        let staying = taken.iter().filter(|replica| self.goes(**replica).is_none());
        let zones: Vec<&str> = staying.filter_map(|replica| self.zone(replica.node())).collect();
        let mut takers = self.takers();
        let free = takers.iter();
        let free = free.filter(|node| taken.iter().all(|replica| replica.node() != node.node));
        let free: Vec<Candidate> = free.cloned().collect();
        let node = best(&free, &zones, self.zones()).ok_or_else(|| {
            let strict = self.zones() == ZoneRule::Strict && !free.is_empty();
            let apart = if strict { " in a zone of its own" } else { "" };
            format!("{why}: no node to take a copy{apart}")
        })?;
        if let Some(taker) = takers.iter_mut().find(|taker| taker.node == node.node) {
            // Or all shards of one plan would go to whoever has least now.
            taker.holds += 1;
        }
        drop(takers);
        let mut step = self.step(StepKind::AddReplica { node: node.node }, why.to_owned());
        step.price_bytes = self.seen.copy_bytes().unwrap_or(0);
        Ok(step)
    }

    /// Those among the replicas that have to go, with the reason; the dead before the drained.
    pub(super) fn leaving<'r>(
        &self,
        replicas: impl IntoIterator<Item = &'r ReplicaId>,
    ) -> Vec<Leaving> {
        let goes = |replica: &ReplicaId| Some((*replica, self.goes(*replica)?));
        let mut leaving: Vec<Leaving> = replicas.into_iter().filter_map(goes).collect();
        leaving.sort_by_key(|(replica, _)| (self.observed.lives(replica.node()), *replica));
        leaving
    }

    /// Why a replica can't stay where it is, if so.
    pub(super) fn goes(&self, replica: ReplicaId) -> Option<String> {
        let id = replica.node();
        let Some(node) = self.facts.nodes.get(&id) else {
            return Some(format!("{id} has left"));
        };
        if self.shard.replicas.get(&replica).is_some_and(|held| held.role == ReplicaRole::Lost) {
            return Some(format!("the copy on {} is lost", node.name));
        }
        if let Some(down) = self.down_too_long(id) {
            return Some(format!("{} DOWN for {} s", node.name, down / 1_000));
        }
        (node.intent == NodeIntent::Drain).then(|| format!("{} is draining", node.name))
    }

    /// A step, unless it would leave the shard without a living majority.
    pub(super) fn safe(&self, kind: StepKind, why: String) -> Option<Step> {
        let (add, take): (&[ReplicaId], &[ReplicaId]) = match &kind {
            StepKind::Promote { replicas, replaces } => (replicas, replaces),
            StepKind::Demote { replicas } => (&[], replicas),
            _ => (&[], &[]),
        };
        let mut after = self.seen.clone();
        after.voters.extend(add);
        after.voters.retain(|voter| !take.contains(voter));
        let majority = after.led_voters(self.observed, |_| false) >= after.quorum();
        majority.then(|| self.step(kind, why))
    }

    pub(super) fn step(&self, kind: StepKind, why: String) -> Step {
        let mut step = Step::new(self.shard.id, self.seen.epoch, kind, why);
        step.rule = self.rule();
        step
    }

    /// Every replica of the shard, wanted or observed.
    pub(super) fn copies(&self) -> Vec<ReplicaId> {
        let seen = self.seen.voters.iter().chain(&self.seen.learners);
        seen.chain(self.shard.replicas.keys()).copied().collect()
    }

    pub(super) fn takers(&self) -> RefMut<'_, Vec<Candidate>> {
        RefMut::map(self.takers.borrow_mut(), |takers| {
            takers.get_or_insert_with(|| candidates(self.facts, self.observed))
        })
    }

    fn zone(&self, node: NodeId) -> Option<&'a str> {
        self.facts.nodes.get(&node).map(|node| node.zone.as_str())
    }

    fn zones(&self) -> ZoneRule {
        self.facts.promise(self.shard.keyspace).zones
    }

    fn grace_ms(&self) -> u64 {
        let policy = self.facts.keyspaces.get(&self.shard.keyspace).map(|space| &space.policy);
        let system = self.shard.id.is_system();
        policy.filter(|_| !system).map_or(self.settings.system_grace_ms, |policy| policy.grace_ms)
    }
}
