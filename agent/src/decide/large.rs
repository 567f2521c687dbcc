//! A hundred nodes with ten thousand shards: plans converge, and take nothing back. Fewer shards
//! where it is built without optimisation; the whole with `cargo test --release`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use evenkeel_shared::ids::{NodeId, ShardId};
use evenkeel_shared::view::{NodeState, ZoneRule};

use super::balance::{BalanceSettings, balance_of};
use super::placement::{Spread, candidates, place};
use super::plan::{Step, StepKind};
use super::repair::{RepairSettings, repair_of};
use super::rest::Shards;
use super::world::World;

const NODES: u32 = 100;
const ZONES: u32 = 10;
const SHARDS: u16 = if cfg!(debug_assertions) { 400 } else { 10_000 };
/// Rounds within which everything must be settled.
const ROUNDS_MAX: u32 = 3 * SHARDS as u32;

/// Something that says what time it is.
pub(crate) type Now<'a> = &'a dyn Fn() -> Duration;

/// What was done, to see whether anything is taken back.
#[derive(Default)]
struct Story {
    added: BTreeMap<(ShardId, NodeId), u32>,
    removed: BTreeMap<(ShardId, NodeId), u32>,
    /// Who handed each leadership on, in turn.
    led: BTreeMap<ShardId, Vec<NodeId>>,
    steps: usize,
    took: Vec<Duration>,
}

impl Story {
    fn note(&mut self, step: &Step) {
        self.steps += 1;
        match &step.kind {
            StepKind::AddReplica { node } => {
                *self.added.entry((step.shard, *node)).or_default() += 1;
            }
            StepKind::Remove { replica } => {
                *self.removed.entry((step.shard, replica.node())).or_default() += 1;
            }
            StepKind::TransferLeader { from, .. } => {
                self.led.entry(step.shard).or_default().push(from.node());
            }
            _ => {}
        }
    }

    /// One round's decision: repair, and balance where there is nothing to repair.
    fn plan(&mut self, world: &World, now: Now<'_>) -> Vec<Step> {
        let began = now();
        let (facts, observed) = (&world.facts, &world.observed);
        let shards = Shards::new(facts, observed);
        let mut steps = repair_of(&shards, facts, observed, &RepairSettings::default()).steps;
        if steps.is_empty() {
            let (busy, even) = (BTreeSet::new(), BalanceSettings::default());
            steps = balance_of(&shards, facts, observed, &busy, &even);
        }
        self.took.push(now().saturating_sub(began));
        steps
    }

    fn tell(&mut self) {
        self.took.sort_unstable();
        let (count, steps) = (self.took.len(), self.steps);
        let of = |percent: usize| self.took.get(count * percent / 100).copied().unwrap_or_default();
        let longest = self.took.last().copied().unwrap_or_default();
        println!(
            "{count} plans, {steps} steps; a plan: median {:.1?}, p90 {:.1?}, p99 {:.1?}, longest \
             {longest:.1?}",
            of(50),
            of(90),
            of(99)
        );
    }

    fn assert_steady(&self) {
        let twice = self.added.iter().find(|(_, times)| **times > 1);
        assert_eq!(twice, None, "a copy was put on a node twice");
        let back = self.added.keys().find(|copy| self.removed.contains_key(copy));
        assert_eq!(back, None, "a copy was put on a node and taken away again");
        // While copies move, a leadership may come by a node again; it does not go to and fro.
        let most = self.led.values().map(Vec::len).max().unwrap_or(0);
        assert!(most <= 5, "a leadership was handed on {most} times");
        let again = self.led.values().filter(|givers| {
            givers.iter().enumerate().any(|(nth, node)| givers[..nth].contains(node))
        });
        let again = again.count();
        assert!(again <= usize::from(SHARDS) / 100, "{again} were handed on by one node twice");
    }
}

fn cluster() -> World {
    let mut world = World::default();
    for id in 1..=NODES {
        world.add_node(id).zone = format!("z{}", id % ZONES);
    }
    let nodes = candidates(&world.facts, &world.observed);
    let spread = Spread { replicas: 3, zones: ZoneRule::Spread };
    for (id, nodes) in (1..).zip(place(&nodes, SHARDS, spread).shards) {
        let nodes: Vec<u32> = nodes.into_iter().map(|node| node.0).collect();
        world.add_shard(id, &nodes, &[], nodes.first().copied());
    }
    world
}

/// Plans and carries out until nothing is left to do. A shard that lost its leader has another at
/// once, as elections see to it.
fn settle(world: &mut World, now: Now<'_>) -> Story {
    let mut story = Story::default();
    for _ in 0..ROUNDS_MAX {
        let steps = story.plan(world, now);
        if steps.is_empty() {
            story.tell();
            story.assert_steady();
            return story;
        }
        for step in &steps {
            story.note(step);
            world.carry_out(step);
        }
    }
    panic!("not settled after {ROUNDS_MAX} rounds: {} steps so far", story.steps);
}

fn set_zone(world: &mut World, zone: &str, state: NodeState) {
    let nodes = world.facts.nodes.values().filter(|node| node.zone == zone);
    let ids: Vec<NodeId> = nodes.map(|node| node.id).collect();
    for id in &ids {
        let seen = world.observed.nodes.get_mut(id).expect("it is observed");
        (seen.state, seen.since_unix_ms) = (state, 0);
    }
    for seen in world.observed.shards.values_mut() {
        if seen.leader.is_some_and(|leader| ids.contains(&leader.node())) {
            seen.leader = seen.voters.iter().find(|it| !ids.contains(&it.node())).copied();
        }
    }
}

#[test]
fn a_lost_zone_is_repaired_and_a_returned_one_filled_without_taking_anything_back() {
    lose_a_zone(&|| Duration::ZERO);
}

/// Loses a zone, repairs, brings it back and evens out; `now` tells how long each plan takes.
pub(crate) fn lose_a_zone(now: Now<'_>) {
    let mut world = cluster();
    let first = settle(&mut world, now);
    assert_eq!(first.added.len(), 0, "fresh shards lie where they should");

    set_zone(&mut world, "z3", NodeState::Down);
    let lost = settle(&mut world, now);
    let down = |node: NodeId| world.observed.state(node) == NodeState::Down;
    let left = world.observed.shards.values().flat_map(|seen| &seen.voters);
    assert_eq!(
        left.filter(|voter| down(voter.node())).count(),
        0,
        "every copy is on a living node"
    );
    assert!(world.observed.shards.values().all(|seen| seen.voters.len() == 3));

    set_zone(&mut world, "z3", NodeState::Up);
    settle(&mut world, now);
    let held = candidates(&world.facts, &world.observed);
    let most = held.iter().map(|node| node.holds).max();
    let least = held.iter().map(|node| node.holds).min();
    let gap = most.zip(least).map_or(0, |(most, least)| most - least);
    assert!(gap <= 2, "copies are even within one move: {most:?} to {least:?}");
    let tenth = usize::from(SHARDS) * 3 / 10;
    assert!(lost.added.len() >= tenth / 2, "a zone's copies: {}", lost.added.len());
}
