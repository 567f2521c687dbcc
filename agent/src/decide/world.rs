//! A toy cluster for the tests of everything that decides on facts: told by text, or drawn from a
//! seed; steps are carried out at once and in full.
//!
//! Invariant: carrying out a step asserts what the deciders promise: a living majority throughout.

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt::Write as _;

use evenkeel_shared::ids::{Epoch, Incarnation, KeyspaceId, NodeId, ReplicaId, ShardId};
use evenkeel_shared::key::SlotRange;
use evenkeel_shared::view::{
    ClusterFacts, KeyspaceFacts, NodeFacts, NodeIntent, NodeState, Observer, Policy, ReplicaFacts,
    ReplicaRole, ShardFacts, ShardPhase, SyncPolicy,
};
use goldenscript::{ArgumentConsumer, Command};

use super::balance::{BalanceSettings, balance};
use super::carried;
use super::facts::{Link, NodeObserved, Observed, ReplicaObserved, ShardObserved, Still};
use super::plan::{Step, StepKind};
use super::repair::{RepairSettings, repair};
use super::script;

mod declared;

pub(super) const KEYSPACE: KeyspaceId = KeyspaceId(1);
const NOW_MS: u64 = 10_000_000;

/// Facts and observation, kept in step.
#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) facts: ClusterFacts,
    pub(super) observed: Observed,
    pub(super) repair: RepairSettings,
    pub(super) balance: BalanceSettings,
}

impl Default for World {
    fn default() -> Self {
        let policy = Policy { replicas: 3, sync: SyncPolicy::Quorum, grace_ms: 60_000 };
        let keyspace =
            KeyspaceFacts { id: KEYSPACE, name: "default".to_owned(), shards: 16, policy };
        let mut facts = ClusterFacts { revision: 7, ..ClusterFacts::default() };
        facts.keyspaces.insert(KEYSPACE, keyspace);
        facts.next.replica = 100;
        let observed = Observed { at_unix_ms: NOW_MS, ..Observed::default() };
        let (repair, balance) = (RepairSettings::default(), BalanceSettings::default());
        Self { facts, observed, repair, balance }
    }
}

fn state(text: &str) -> Result<NodeState, Box<dyn Error>> {
    Ok(match text {
        "up" => NodeState::Up,
        "slow" => NodeState::Slow,
        "suspect" => NodeState::Suspect,
        "down" => NodeState::Down,
        "drained" => NodeState::Drained,
        "draining" => NodeState::Draining,
        "joining" => NodeState::Joining,
        "unknown" => NodeState::Unknown,
        "maint" => NodeState::Maint,
        _ => return Err(format!("no state {text}").into()),
    })
}

impl World {
    /// Carries out a command that builds the world; false for any other command.
    pub(super) fn build(&mut self, command: &Command) -> Result<bool, Box<dyn Error>> {
        let mut args = command.consume_args();
        match command.name.as_str() {
            // node IDS [zone=a] [capacity=1] [state=up] [for=MS] [drain=false] [drills=true]
            // [heard=true] [against=0 asked=0]
            "node" => self.read_nodes(&mut args)?,
            // gone ID: a node has left the cluster.
            "gone" => {
                let id = NodeId(script::position(&mut args)?);
                self.facts.nodes.remove(&id);
                self.observed.nodes.remove(&id);
            }
            // shard IDS on=NODES [leader=NODE|none] [learners=NODES] [behind=NODES] [damaged=NODES]
            // [still=NODES]
            "shard" => self.read_shards(&mut args)?,
            // unfed FROM TO: a leader on the one did not get through to a copy on the other of late.
            "unfed" => {
                let mut node = || script::position(&mut args).map(NodeId);
                let pair = (node()?, node()?);
                self.observed.unfed.insert(pair, Link::default());
            }
            // unheard BY NODE [for=MS]: the one holds the other dead, which others hear.
            "unheard" => {
                let mut node = || script::position(&mut args).map(NodeId);
                let pair = (node()?, node()?);
                let for_ms = script::key(&mut args, "for")?.unwrap_or(5_000);
                self.observed.unheard.insert(pair, for_ms);
            }
            // policy [replicas=3] [grace=MS] [sync=quorum|leader] [zones=spread|strict|ignore]
            "policy" => {
                let policy = &mut self.facts.keyspaces.entry(KEYSPACE).and_modify(|_| ());
                let std::collections::btree_map::Entry::Occupied(entry) = policy else {
                    return Err("no keyspace".into());
                };
                let policy = &mut entry.get_mut().policy;
                policy.replicas = script::key(&mut args, "replicas")?.unwrap_or(policy.replicas);
                policy.grace_ms = script::key(&mut args, "grace")?.unwrap_or(policy.grace_ms);
                if args.take_key("sync") == Some("leader") {
                    policy.sync = SyncPolicy::Leader;
                }
                if let Some(rule) = args.take_key("zones") {
                    let promise = self.facts.promises.of.entry(KEYSPACE).or_default();
                    promise.zones = script::zones(rule)?;
                }
            }
            "rule" | "decide" | "maintain" | "copies" => self.declare(command, &mut args)?,
            _ => return Ok(false),
        }
        args.reject_next()?;
        Ok(true)
    }

    fn read_nodes(&mut self, args: &mut ArgumentConsumer<'_>) -> Result<(), Box<dyn Error>> {
        let ids: Vec<u32> = script::list(args.next_pos().ok_or("which nodes?")?)?;
        let zone = args.take_key("zone");
        let capacity: Option<u32> = script::key(args, "capacity")?;
        let state = args.take_key("state").map(state).transpose()?;
        let for_ms: u64 = script::key(args, "for")?.unwrap_or(0);
        let drain: Option<bool> = script::key(args, "drain")?;
        let drills: Option<bool> = script::key(args, "drills")?;
        let heard: Option<bool> = script::key(args, "heard")?;
        let against: u32 = script::key(args, "against")?.unwrap_or(0);
        let asked: u32 = script::key(args, "asked")?.unwrap_or(0);
        for id in ids {
            let node = self.add_node(id);
            node.zone = zone.map_or(node.zone.clone(), str::to_owned);
            node.capacity = capacity.unwrap_or(node.capacity);
            node.drills = drills.unwrap_or(node.drills);
            if let Some(drain) = drain {
                node.intent = if drain { NodeIntent::Drain } else { NodeIntent::Serve };
            }
            let seen = self.observed.nodes.entry(NodeId(id)).or_default();
            seen.state = state.unwrap_or(seen.state);
            seen.heard = heard.unwrap_or(seen.heard);
            seen.observers = Observer { against, asked };
            seen.since_unix_ms = NOW_MS - for_ms;
        }
        Ok(())
    }

    fn read_shards(&mut self, args: &mut ArgumentConsumer<'_>) -> Result<(), Box<dyn Error>> {
        let ids: Vec<u32> = script::list(args.next_pos().ok_or("which shards?")?)?;
        let voters: Vec<u32> = script::list(args.take_key("on").ok_or("on= is missing")?)?;
        let learners: Vec<u32> = script::list(args.take_key("learners").unwrap_or_default())?;
        let behind: Vec<u32> = script::list(args.take_key("behind").unwrap_or_default())?;
        let damaged: Vec<u32> = script::list(args.take_key("damaged").unwrap_or_default())?;
        let still: Vec<u32> = script::list(args.take_key("still").unwrap_or_default())?;
        let leader = match args.take_key("leader") {
            Some("none") => None,
            Some(node) => Some(node.parse()?),
            None => voters.first().copied(),
        };
        for id in ids {
            self.add_shard(id, &voters, &learners, leader);
            let seen = self.observed.shards.entry(ShardId(id)).or_default();
            for (replica, known) in &mut seen.replicas {
                if behind.contains(&replica.node().0) {
                    known.lag = Some(1_000_000);
                }
                if still.contains(&replica.node().0) {
                    known.still = Some(Still { for_ms: 6_000, term: seen.term });
                }
            }
            for node in &damaged {
                self.damage(id, *node);
            }
        }
        Ok(())
    }

    /// Cuts the link between two nodes that are up: each holds the other dead, and others hear both.
    pub(super) fn cut(&mut self, one: u32, other: u32) {
        let (one, other) = (NodeId(one), NodeId(other));
        let up = |node: &NodeId| {
            matches!(self.observed.state(*node), NodeState::Up | NodeState::Suspect)
        };
        if one == other || !up(&one) || !up(&other) {
            return;
        }
        for (by, of) in [(one, other), (other, one)] {
            self.observed.unheard.insert((by, of), 9_000);
            let seen = self.observed.nodes.entry(of).or_default();
            (seen.state, seen.heard) = (NodeState::Suspect, true);
        }
    }

    /// Damages a node's copy of a shard.
    pub(super) fn damage(&mut self, shard: u32, node: u32) {
        let seen = self.observed.shards.entry(ShardId(shard)).or_default();
        for (replica, known) in &mut seen.replicas {
            if replica.node() == NodeId(node) {
                known.damaged = Some("a record can't be read".to_owned());
                seen.unfit.insert(*replica);
            }
        }
    }

    /// The node of that number, which is UP in zone a if it is new.
    pub(super) fn add_node(&mut self, id: u32) -> &mut NodeFacts {
        let node = NodeId(id);
        self.observed.nodes.entry(node).or_insert_with(|| NodeObserved {
            state: NodeState::Up,
            since_unix_ms: NOW_MS,
            incarnation: Some(Incarnation(1)),
            ..NodeObserved::default()
        });
        self.facts.nodes.entry(node).or_insert_with(|| NodeFacts {
            id: node,
            name: format!("n{id}"),
            zone: "a".to_owned(),
            capacity: 1,
            addresses: evenkeel_shared::view::NodeAddresses::default(),
            intent: NodeIntent::Serve,
            drills: true,
            folder: 0,
        })
    }

    pub(super) fn add_shard(
        &mut self,
        id: u32,
        voters: &[u32],
        learners: &[u32],
        leader: Option<u32>,
    ) {
        let shard = ShardId(id);
        let replica = |node: &u32| ReplicaId::new(NodeId(*node), *node);
        let role = |role| move |id: ReplicaId| (id, ReplicaFacts { role });
        let wanted = voters.iter().map(replica).map(role(ReplicaRole::Voter));
        let wanted = wanted.chain(learners.iter().map(replica).map(role(ReplicaRole::Learner)));
        let facts = ShardFacts {
            id: shard,
            keyspace: if shard.is_system() { KeyspaceId(0) } else { KEYSPACE },
            history: evenkeel_shared::ids::History::default(),
            slots: vec![SlotRange::ALL],
            first_voters: voters.iter().map(replica).collect(),
            replicas: wanted.collect(),
            epoch: Epoch(1),
            phase: ShardPhase::Serving,
        };
        let caught_up = ReplicaObserved { lag: Some(0), ..ReplicaObserved::default() };
        let seen = ShardObserved {
            leader: leader.map(|node| replica(&node)),
            term: 1,
            epoch: Epoch(1),
            voters: voters.iter().map(replica).collect(),
            learners: learners.iter().map(replica).collect(),
            committed: Some(10),
            last: Some(10),
            replicas: facts.replicas.keys().map(|id| (*id, caught_up.clone())).collect(),
            ops_s: None,
            log_bytes: Some(1 << 20),
            data_bytes: Some(3 << 20),
            unfit: BTreeSet::new(),
        };
        self.facts.shards.insert(shard, facts);
        self.observed.shards.insert(shard, seen);
    }

    /// Plans and carries out until nothing is left to do; the story of it.
    pub(super) fn settle(&mut self, rounds_max: usize) -> String {
        let mut story = String::new();
        let mut declined = Vec::new();
        for _ in 0..rounds_max {
            let plan = repair(&self.facts, &self.observed, &self.repair);
            let busy = plan.steps.iter().map(|step| step.shard).collect();
            let mut steps = plan.steps;
            let even = balance(&self.facts, &self.observed, &busy, &self.balance);
            steps.extend(even);
            declined = plan.declined;
            if steps.is_empty() {
                break;
            }
            for step in &steps {
                writeln!(story, "{}", line(step)).expect("strings take all");
                self.carry_out(step);
            }
        }
        for (shard, why) in declined {
            writeln!(story, "{shard}: declined: {why}").expect("strings take all");
        }
        story
    }

    /// Does what a step says, and asserts that it is safe.
    pub(super) fn carry_out(&mut self, step: &Step) {
        let seen = self.observed.shards.get(&step.shard).expect("a step names a shard");
        assert_eq!(seen.epoch, step.epoch, "a stale step");
        let before = seen.voters.clone();
        match &step.kind {
            StepKind::Promote { replicas, replaces } => {
                let learns = |replica| seen.learners.contains(replica);
                assert!(replicas.iter().all(learns), "no learner: {step:?}");
                assert!(replaces.iter().all(|it| before.contains(it)), "no voter: {step:?}");
            }
            StepKind::Demote { replicas } => {
                assert!(replicas.iter().all(|it| before.contains(it)), "no voter: {step:?}");
            }
            StepKind::Remove { replica } => {
                assert!(!before.contains(replica), "{replica} still votes");
            }
            StepKind::TransferLeader { from, to } => {
                assert_eq!(seen.leader, Some(*from));
                assert!(before.contains(to), "{to} does not vote");
            }
            _ => {}
        }
        carried::carry_out(&mut self.facts, &mut self.observed, step);
        self.assert_safe(step, &before);
    }

    fn assert_safe(&self, step: &Step, before: &BTreeSet<ReplicaId>) {
        let seen = &self.observed.shards[&step.shard];
        let changed = *before != seen.voters;
        let leader = seen.leader.expect("steps are for shards with a leader");
        let cut = |one: ReplicaId, other: ReplicaId| {
            let (one, other) = (one.node(), other.node());
            let unheard = &self.observed.unheard;
            unheard.contains_key(&(one, other)) || unheard.contains_key(&(other, one))
        };
        let acknowledges = |voter: &&ReplicaId| {
            let answers = self.observed.answers(voter.node()) && !seen.unfit.contains(voter);
            answers && (**voter == leader || !cut(leader, **voter))
        };
        for voters in [before, &seen.voters] {
            let led = voters.iter().filter(acknowledges).count();
            assert!(led * 2 > voters.len(), "no majority: {step:?}");
        }
        assert!(seen.voters.contains(&leader), "the leader was demoted: {step:?}");
        let moved = before.symmetric_difference(&seen.voters).count();
        assert!(moved <= 2, "two voters moved at once: {step:?}");
        assert!(!changed || !step.shard.is_system() || seen.voters.len() % 2 == 1, "{step:?}");
    }
}

/// A step in one line.
pub(super) fn line(step: &Step) -> String {
    format!("{}: {}: {}", step.shard, step.kind, step.cause)
}
