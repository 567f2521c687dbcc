//! What would come of changes that nobody has made yet: they are made on a copy of the facts, and the
//! controller's own decisions are carried out there until nothing is left to do.
//!
//! Invariant: it asks repair and balance, and knows no rule of its own.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use evenkeel_shared::ids::{Incarnation, NodeId, ReplicaId, ShardId};
use evenkeel_shared::view::{ClusterFacts, NodeAddresses, NodeFacts, NodeIntent, NodeState};
use evenkeel_shared::what_if::{CHANGES_MAX, Change, NodeOutlook, WhatIf};

use super::balance::{BalanceSettings, balance_of};
use super::carried::carry_out;
use super::facts::{NodeObserved, Observed, name};
use super::plan::StepKind;
use super::repair::{RepairSettings, repair_of};
use super::rest::Shards;

/// Steps in one round: nothing is spared here, for nothing is copied.
const STEPS_MAX: usize = 64;
/// Rounds that are looked at; more would be a plan that goes round in circles.
const ROUNDS_MAX: u32 = 5_000;

/// Looks ahead, round by round.
pub struct Outlook {
    facts: ClusterFacts,
    observed: Observed,
    told: WhatIf,
    rounds: u32,
}

impl Outlook {
    /// Makes the changes; an error names the one that can't be.
    pub fn new(
        facts: &ClusterFacts,
        observed: &Observed,
        changes: &[Change],
    ) -> Result<Self, String> {
        if changes.len() > CHANGES_MAX {
            return Err(format!("{} changes, at most {CHANGES_MAX} together", changes.len()));
        }
        let (copies, leads) = (copies(facts), leads(observed));
        let of = |counts: &BTreeMap<NodeId, u32>, node| counts.get(&node).copied().unwrap_or(0);
        let nodes = facts.nodes.values().map(|node| NodeOutlook {
            node: Some(node.id),
            name: node.name.clone(),
            zone: node.zone.clone(),
            copies: (of(&copies, node.id), 0),
            leads: (of(&leads, node.id), 0),
        });
        let told = WhatIf { revision: facts.revision, nodes: nodes.collect(), ..WhatIf::default() };
        let (facts, observed) = (facts.clone(), observed.clone());
        let mut outlook = Self { facts, observed, told, rounds: 0 };
        // Every step is done, whoever would have to say so.
        outlook.facts.recovery.policies.clear();
        outlook.facts.recovery.decisions.clear();
        for change in changes {
            outlook.make(change)?;
        }
        outlook.elect();
        Ok(outlook)
    }

    fn make(&mut self, change: &Change) -> Result<(), String> {
        match change {
            Change::Drain(node) => {
                let known = self.facts.nodes.get_mut(node);
                known.ok_or_else(|| format!("no {node} in this cluster"))?.intent =
                    NodeIntent::Drain;
            }
            Change::Lose(node) => {
                if !self.facts.nodes.contains_key(node) {
                    return Err(format!("no {node} in this cluster"));
                }
                self.facts.recovery.maintenance.remove(node);
                let seen = self.observed.nodes.entry(*node).or_default();
                (seen.state, seen.since_unix_ms) = (NodeState::Down, 0);
            }
            Change::Add { zone, capacity } => self.add(zone, *capacity),
        }
        Ok(())
    }

    fn add(&mut self, zone: &str, capacity: u32) {
        let last = self.facts.nodes.keys().next_back().map_or(0, |node| node.0);
        let id = NodeId(last + 1);
        let nth = self.told.nodes.iter().filter(|node| node.node.is_none()).count() + 1;
        let name = format!("new{nth}");
        self.facts.nodes.insert(
            id,
            NodeFacts {
                id,
                name: name.clone(),
                zone: zone.to_owned(),
                capacity,
                addresses: NodeAddresses::default(),
                intent: NodeIntent::Serve,
                drills: false,
                folder: 0,
            },
        );
        self.observed.nodes.insert(
            id,
            NodeObserved {
                state: NodeState::Up,
                since_unix_ms: 0,
                incarnation: Some(Incarnation(1)),
                ..NodeObserved::default()
            },
        );
        let added = NodeOutlook { name, zone: zone.to_owned(), ..NodeOutlook::default() };
        self.told.nodes.push(added);
    }

    /// Shards whose leader is gone have another one, where one gets through to a majority.
    fn elect(&mut self) {
        let Self { observed, told, .. } = self;
        let mut led = BTreeMap::new();
        for (id, seen) in &observed.shards {
            let majority = |leader: &ReplicaId| seen.has_majority(observed, *leader);
            if seen.leader.as_ref().is_some_and(majority) {
                continue;
            }
            let able: Vec<ReplicaId> = seen.voters.iter().copied().filter(majority).collect();
            // By turns, as the votes of many shards fall.
            let turn = usize::try_from(id.0).unwrap_or(0);
            led.insert(*id, able.get(turn % able.len().max(1)).copied());
        }
        for (id, leader) in led {
            let Some(seen) = observed.shards.get_mut(&id) else { continue };
            seen.leader = leader;
            if leader.is_some() {
                seen.term += 1;
                told.leaders_moved += 1;
            } else {
                told.quorum_lost.push(id);
            }
        }
    }

    /// Decides once more, and does it; whether nothing was left to do, or it goes on too long.
    pub fn advance(&mut self) -> bool {
        let (facts, observed) = (&self.facts, &self.observed);
        let shards = Shards::new(facts, observed);
        let settings = RepairSettings { steps_max: STEPS_MAX, system_grace_ms: 0 };
        let plan = repair_of(&shards, facts, observed, &settings);
        let mut steps = plan.steps;
        if steps.is_empty() {
            let even = BalanceSettings { transfers_max: STEPS_MAX, moves_max: STEPS_MAX };
            steps = balance_of(&shards, facts, observed, &BTreeSet::new(), &even);
        }
        if steps.is_empty() {
            self.told.short = plan.declined;
            self.told.settles = true;
            return true;
        }
        for step in &steps {
            match &step.kind {
                StepKind::AddReplica { .. } => {
                    self.told.copies_moved += 1;
                    self.told.bytes = self.told.bytes.saturating_add(step.price_bytes);
                }
                StepKind::TransferLeader { .. } => self.told.leaders_moved += 1,
                _ => {}
            }
            self.told.steps += 1;
            carry_out(&mut self.facts, &mut self.observed, step);
        }
        self.rounds += 1;
        self.rounds >= ROUNDS_MAX
    }

    /// What has come of it.
    pub fn tell(self) -> WhatIf {
        let Self { facts, observed, mut told, rounds } = self;
        let (copies, leads) = (copies(&facts), leads(&observed));
        let known: Vec<NodeId> = told.nodes.iter().filter_map(|node| node.node).collect();
        let mut added = facts.nodes.keys().filter(|node| !known.contains(node));
        for node in &mut told.nodes {
            let Some(id) = node.node.or_else(|| added.next().copied()) else { continue };
            node.copies.1 = copies.get(&id).copied().unwrap_or(0);
            node.leads.1 = leads.get(&id).copied().unwrap_or(0);
        }
        if !told.settles {
            told.notes.push(format!("not at its end after {rounds} rounds of the controller"));
        }
        let held = |state: NodeState| {
            let nodes = facts.nodes.keys().filter(|node| observed.state(**node) == state);
            nodes.map(|node| name(&facts, *node)).collect::<Vec<_>>()
        };
        for (state, word) in [(NodeState::Slow, "SLOW"), (NodeState::Maint, "in maintenance")] {
            let names = held(state);
            if !names.is_empty() {
                told.notes.push(format!("{} {word}: they get nothing", names.join(", ")));
            }
        }
        told
    }
}

fn copies(facts: &ClusterFacts) -> BTreeMap<NodeId, u32> {
    let data = facts.shards.values().filter(|shard| !shard.id.is_system());
    let mut counts = BTreeMap::new();
    for copy in data.flat_map(|shard| shard.replicas.keys()) {
        *counts.entry(copy.node()).or_default() += 1;
    }
    counts
}

fn leads(observed: &Observed) -> BTreeMap<NodeId, u32> {
    let data = observed.shards.iter().filter(|(id, _): &(&ShardId, _)| !id.is_system());
    let mut counts = BTreeMap::new();
    for leader in data.filter_map(|(_, seen)| seen.leader) {
        *counts.entry(leader.node()).or_default() += 1;
    }
    counts
}
