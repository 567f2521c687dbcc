//! Pre-flight of what is declared of recovery, of a node's leaderships handed over, and of copies
//! that come and go.
//!
//! Invariant: whatever keeps agents from mending by themselves is at least a risk.

use evenkeel_shared::ids::{NodeId, ReplicaId, ShardId};
use evenkeel_shared::limits::REPLICAS_MAX;
use evenkeel_shared::preflight::{Harm, Preflight};
use evenkeel_shared::view::{
    Decision, FailoverMode, KeyspaceFacts, NodeState, PolicyVersion, RecoveryChange, ReplicaRole,
};

use super::super::due::plan_now;
use super::super::explain::candidates;
use super::super::facts::{ShardObserved, members, name, takes_more, wanted};
use super::super::plan::StepKind;
use super::{World, listed, refused, titled};

impl World<'_> {
    pub(super) fn recover(&self, change: &RecoveryChange) -> Preflight {
        match change {
            RecoveryChange::SetPolicy { replaces, new } => self.set_policy(*replaces, new),
            RecoveryChange::SetMode { keyspace, mode } => {
                let known = keyspace.map(|id| self.facts.keyspaces.get(&id));
                let whose =
                    known.flatten().map_or("the cluster", |known: &KeyspaceFacts| &known.name);
                let mut flight = titled(format!("failover of {whose}: {mode}"));
                if known.is_some_and(|known| known.is_none()) {
                    flight.refused = Some("there is no such keyspace".to_owned());
                }
                if *mode != FailoverMode::Automatic {
                    flight.harm = Harm::Risk;
                    flight.notes.push(
                        "a shard that loses its leader stays without one until an operator says \
                         `shard failover`, or its leader is back"
                            .to_owned(),
                    );
                    flight.notes.push("the system shard goes on electing by itself".to_owned());
                }
                flight
            }
            RecoveryChange::SetCopies { shard, copies } => titled(copies.map_or_else(
                || format!("{shard}: copies as its keyspace says"),
                |copies| format!("{shard}: {copies} copies"),
            )),
            RecoveryChange::Maintain { node, maintenance: None } => {
                titled(format!("end the maintenance of {}", name(self.facts, *node)))
            }
            RecoveryChange::Maintain { node, maintenance: Some(_) } => self.maintain(*node),
            RecoveryChange::Report(report) => {
                let mut flight =
                    titled(format!("report {}: {}", name(self.facts, report.node), report.reason));
                if !self.facts.nodes.contains_key(&report.node) {
                    flight.refused = Some(format!("no {} in this cluster", report.node));
                }
                flight
            }
            RecoveryChange::Withdraw { node } => {
                titled(format!("withdraw what was reported of {}", name(self.facts, *node)))
            }
            RecoveryChange::Decide { step, decision } => self.decide(step, decision.as_ref()),
            RecoveryChange::Schedule(later) => titled(format!("schedule {:?}", later.what)),
            RecoveryChange::Unschedule { id } => titled(format!("cancel number {id}")),
        }
    }

    /// An operator's word on a step: there must be such a step, and it is said what it would do.
    fn decide(&self, step: &str, decision: Option<&Decision>) -> Preflight {
        let Some(word) = decision else {
            return titled(format!("leave to the policy {step}"));
        };
        let verb = if word.go { "apply" } else { "hold" };
        let mut flight = titled(format!("{verb} {step}"));
        let plan = plan_now(self.facts, self.observed, &self.facts.recovery.policy());
        let mut steps = plan.steps.iter().chain(&plan.advised).chain(&plan.held);
        let Some(known) = steps.find(|known| known.name() == step) else {
            flight.refused = Some(format!("no step of the plan is named {step}"));
            flight.safer = Some("`evenkeel plan show`".to_owned());
            return flight;
        };
        flight.notes.push(format!("{}: {}, since {}", known.shard, known.kind, known.cause));
        flight.bytes_to_repair = Some(known.price_bytes).filter(|bytes| *bytes > 0);
        if let StepKind::TransferLeader { .. } = known.kind {
            flight.leaders_moved = vec![known.shard];
        }
        let left = word.until_unix_ms.saturating_sub(self.observed.at_unix_ms).div_ceil(60_000);
        flight.notes.push(format!(
            "the word counts for {left} min: should the same step come again in that time, it counts \
             for it too"
        ));
        flight
    }

    fn set_policy(&self, replaces: u32, new: &PolicyVersion) -> Preflight {
        let mut flight = titled(format!("set version {} of the recovery policy", replaces + 1));
        let held = self.facts.recovery.version();
        if held != replaces {
            flight.refused = Some(format!("version {held} holds by now, not {replaces}"));
            flight.safer = Some("`evenkeel policy diff` with what holds now".to_owned());
        } else if let Err(why) = new.policy.check(self.facts) {
            flight.refused = Some(why);
        } else {
            let was = self.facts.recovery.policy().with_keyspaces(self.facts);
            let changes = was.changes(&new.policy.clone().with_keyspaces(self.facts));
            flight.notes.extend(changes);
            if flight.notes.is_empty() {
                flight.notes.push("nothing changes but the version".to_owned());
            }
        }
        flight
    }

    fn maintain(&self, node: NodeId) -> Preflight {
        let title = format!("maintain {}", name(self.facts, node));
        if !self.facts.nodes.contains_key(&node) {
            return refused(title, format!("no {node} in this cluster"));
        }
        let mut flight = titled(title);
        let loss = self.without(node);
        flight.leaders_moved = loss.leaders_moved;
        flight.no_spare = loss.no_spare;
        flight.quorum_lost = loss.quorum_lost;
        if !flight.quorum_lost.is_empty() {
            flight.harm = Harm::Risk;
            flight.notes.push("don't stop it: those shards need it".to_owned());
        }
        flight.notes.push("its copies stay where they are, and are not replaced".to_owned());
        flight
    }

    /// Hands all leaderships of a node over; each to the able voter that would lead fewest.
    pub(super) fn node_switchover(&self, node: NodeId) -> Preflight {
        let called = name(self.facts, node);
        let title = format!("hand all leaderships of {called} over");
        if !self.facts.nodes.contains_key(&node) {
            return refused(title, format!("no {node} in this cluster"));
        }
        if !self.observed.answers(node) {
            let why = format!("{called} is {}", self.observed.state(node));
            return Preflight { safer: Some("shard failover".to_owned()), ..refused(title, why) };
        }
        let (moves, stuck) = switchovers(self, node);
        let mut flight = titled(title);
        flight.writes_dropped = Some(0);
        flight.leaders_moved = moves.iter().map(|(shard, _)| *shard).collect();
        if let Some((shard, why)) = stuck.first() {
            let all: Vec<ShardId> = stuck.iter().map(|(shard, _)| *shard).collect();
            flight.refused = Some(format!("nobody can take {} over; {shard}: {why}", listed(&all)));
        }
        flight
            .notes
            .push(format!("{called} leads nothing for two minutes, so that it can be restarted"));
        flight
    }

    pub(super) fn recover_quorum(&self, shards: &[ShardId], archive: &str) -> Preflight {
        let mut flight =
            titled(format!("recover what is left of {} into {archive}", listed(shards)));
        flight.harm = Harm::Break;
        flight.safer =
            Some("start one of the missing nodes again: then nothing is lost".to_owned());
        if shards.is_empty() {
            flight.refused = Some("every shard has its majority".to_owned());
        }
        for id in shards {
            let known = self.facts.shards.get(id).zip(self.observed.shards.get(id));
            let Some((known, seen)) = known else {
                return refused(flight.title, format!("no shard {id}"));
            };
            let living = seen.answering(self.observed);
            let heard: Vec<NodeId> = seen.heard_elsewhere(self.observed).collect();
            let refusal = if known.phase != evenkeel_shared::view::ShardPhase::Serving {
                Some(format!("{id} serves nobody"))
            } else if living >= seen.quorum() {
                Some(format!("{id} has its majority: {living} of {} voters", seen.voters.len()))
            } else if living + heard.len() >= seen.quorum() {
                flight.safer = Some(
                    "ask an agent that hears them, with --connect, or stop them first".to_owned(),
                );
                let named: Vec<String> = heard.iter().map(|node| name(self.facts, *node)).collect();
                Some(format!(
                    "{} with copies of {id} are heard by some: they may go on",
                    named.join(", ")
                ))
            } else {
                None
            };
            if refusal.is_some() {
                flight.refused = refusal;
            }
        }
        if self.restore_under_way().is_some() {
            flight.refused = Some("a restore is under way: accept it or undo it first".to_owned());
        }
        let system = self.observed.shards.get(&ShardId::SYSTEM);
        let facts_lost = system.is_some_and(|seen| seen.answering(self.observed) < seen.quorum());
        if facts_lost || shards.contains(&ShardId::SYSTEM) {
            let why = "nothing can be put in their place by a cluster without its own facts, the \
                       system shard; stop the agents and see `evenkeel agent rescue --help`";
            flight.refused = Some(why.to_owned());
        }
        flight
    }

    pub(super) fn replica_add(&self, shard: ShardId, node: NodeId) -> Preflight {
        let called = name(self.facts, node);
        let title = format!("add a copy of {shard} on {called}");
        let Some(known) = self.facts.shards.get(&shard).filter(|known| !known.id.is_system())
        else {
            return refused(title, format!("no data shard {shard}"));
        };
        let Some(taker) = self.facts.nodes.get(&node) else {
            return refused(title, format!("no {node} in this cluster"));
        };
        let mut flight = titled(title);
        let held = wanted(self.facts, known);
        if known.replicas.keys().any(|copy| copy.node() == node) {
            flight.refused = Some(format!("{called} holds a copy already"));
        } else if !takes_more(taker, self.observed) {
            flight.refused = Some(format!("{called} is {}", self.observed.state(node)));
        } else if held >= usize::from(REPLICAS_MAX) {
            flight.refused = Some(format!("a shard has at most {REPLICAS_MAX} copies"));
        }
        flight.notes.push(format!("{shard} has {} copies from then on", held + 1));
        if (held + 1).is_multiple_of(2) {
            flight.notes.push("an even number survives no more failures than one less".to_owned());
        }
        flight.bytes_to_repair =
            self.observed.shards.get(&shard).and_then(ShardObserved::copy_bytes);
        flight
    }

    pub(super) fn replica_remove(&self, shard: ShardId, node: NodeId) -> Preflight {
        let called = name(self.facts, node);
        let title = format!("remove the copy of {shard} on {called}");
        let known = self.facts.shards.get(&shard).filter(|known| !known.id.is_system());
        let Some((known, seen)) = known.zip(self.observed.shards.get(&shard)) else {
            return refused(title, format!("no data shard {shard}"));
        };
        let Some(copy) = known.replicas.keys().find(|copy| copy.node() == node) else {
            return refused(title, format!("{called} holds no copy of {shard}"));
        };
        let mut flight = titled(title);
        let voters = members(known, ReplicaRole::Voter);
        let left = voters.iter().filter(|voter| *voter != copy).count();
        if voters.contains(copy) {
            let living = seen.led_voters(self.observed, |gone| gone == node);
            if left == 0 {
                flight.refused = Some("it is the last copy".to_owned());
            } else if living * 2 <= left {
                flight.refused =
                    Some(format!("only {living} of the {left} others answer: no majority"));
                flight.safer = Some("wait until they are back".to_owned());
            } else if seen.leader.is_none() {
                flight.refused = Some(format!("{shard} has no leader"));
            }
            flight.harm = Harm::Risk;
            flight.no_spare = if living == left / 2 + 1 { vec![shard] } else { Vec::new() };
        }
        flight.notes.push(format!("{shard} has {left} copies from then on"));
        if seen.leader == Some(*copy) {
            flight.leaders_moved.push(shard);
        }
        flight
    }
}

/// A leadership, and who takes it over.
pub(super) type Move = (ShardId, ReplicaId);
/// A shard whose leadership nobody can take over, and why.
pub(super) type Stuck = (ShardId, String);

/// Who takes each leadership of a node over, and shards that nobody can take, with the reason.
pub(super) fn switchovers(world: &World<'_>, node: NodeId) -> (Vec<Move>, Vec<Stuck>) {
    let mut led: std::collections::BTreeMap<NodeId, usize> = std::collections::BTreeMap::new();
    for leader in world.observed.shards.values().filter_map(|seen| seen.leader) {
        *led.entry(leader.node()).or_default() += 1;
    }
    let (mut moves, mut stuck) = (Vec::new(), Vec::new());
    let of_node =
        world.shards().filter(|(_, seen)| seen.leader.is_some_and(|leader| leader.node() == node));
    for (shard, seen) in of_node {
        let (table, _) = candidates(world.facts, world.observed, (shard, seen), None);
        let able = |voter: &&ReplicaId| {
            let known = table.iter().find(|known| known.node == voter.node());
            known.is_some_and(|known| known.able)
                && world.observed.state(voter.node()) == NodeState::Up
        };
        let best = seen.voters.iter().filter(able);
        let fewest = |voter: &&ReplicaId| {
            let led = led.get(&voter.node()).copied().unwrap_or(0);
            (!seen.is_linked(world.observed, **voter), led, **voter)
        };
        if let Some(voter) = best.min_by_key(fewest).copied() {
            *led.entry(voter.node()).or_default() += 1;
            moves.push((shard.id, voter));
            continue;
        }
        let others = table.iter().filter(|known| known.node != node);
        let why = others.map(|known| {
            let (called, state) = (name(world.facts, known.node), world.observed.state(known.node));
            if known.able {
                format!("{called} is {state}")
            } else {
                format!("{called}: {}", known.why)
            }
        });
        let why: Vec<String> = why.collect();
        let none = || "it has no other copy".to_owned();
        stuck.push((shard.id, if why.is_empty() { none() } else { why.join(", ") }));
    }
    (moves, stuck)
}
