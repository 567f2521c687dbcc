//! Golden scripts for repair and balance together, and worlds drawn at random.

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;

use evenkeel_shared::view::NodeState;
use goldenscript::{Command, Context};
use proptest::prelude::*;

use super::*;
use crate::decide::facts::takes_more;
use crate::decide::script;
use crate::decide::world::{World, line};

#[derive(Default)]
struct Runner {
    world: World,
}

impl goldenscript::Runner for Runner {
    type Command = Command;

    fn run(&mut self, command: &Command, _: &Context) -> Result<String, Box<dyn Error>> {
        let mut out = String::new();
        if self.world.build(command)? {
            return Ok(out);
        }
        match command.name.as_str() {
            // plan: what repair would do now.
            "plan" => {
                let plan = repair(&self.world.facts, &self.world.observed, &self.world.repair);
                for step in &plan.steps {
                    writeln!(out, "{}", line(step))?;
                }
                for step in &plan.advised {
                    writeln!(out, "advised: {}: {}", step.name(), line(step))?;
                }
                for step in &plan.held {
                    writeln!(out, "held: {}: {}", step.name(), line(step))?;
                }
                for (shard, why) in &plan.declined {
                    writeln!(out, "{shard}: declined: {why}")?;
                }
                if out.is_empty() {
                    out.push_str("nothing to do");
                }
            }
            // settle: repair and balance until nothing is left to do.
            "settle" => {
                out = self.world.settle(200);
                for (id, seen) in &self.world.observed.shards {
                    let voters: Vec<u32> = seen.voters.iter().map(|id| id.node().0).collect();
                    let learners: Vec<u32> = seen.learners.iter().map(|id| id.node().0).collect();
                    let leader = seen.leader.map_or(0, |leader| leader.node().0);
                    writeln!(out, "{id}: voters {voters:?} learners {learners:?} leader {leader}")?;
                }
            }
            name => return Err(format!("unknown command {name}").into()),
        }
        Ok(out)
    }
}

fn check(path: &Path) {
    goldenscript::run(&mut Runner::default(), path).expect("the script runs");
}

#[test]
fn golden_scripts_of_repair_hold() {
    script::each("repair", check);
}

/// A cluster with some nodes down, some draining and some new, some links cut, and shards spread over
/// it.
fn worlds() -> impl Strategy<Value = World> {
    let node = (0..4_u8, 1..3_u32, 0..8_u8);
    let shard = (0..1_000_usize, 0..3_usize, 0..6_usize);
    let cut = (1..8_u32, 1..8_u32);
    let cuts = prop::collection::vec(cut, 0..3);
    (prop::collection::vec(node, 3..8), prop::collection::vec(shard, 1..12), cuts).prop_map(
        |(nodes, shards, cuts)| {
            let mut world = World::default();
            let mut ids = Vec::new();
            for (id, (zone, capacity, fate)) in (1..).zip(nodes) {
                let node = world.add_node(id);
                node.zone = format!("z{zone}");
                node.capacity = capacity;
                if fate == 1 {
                    node.intent = NodeIntent::Drain;
                }
                let seen = world.observed.nodes.entry(NodeId(id)).or_default();
                if fate == 0 {
                    seen.state = NodeState::Down;
                    seen.since_unix_ms = 0;
                }
                ids.push(id);
            }
            for (one, other) in cuts {
                world.cut(one, other);
            }
            world.add_shard(0, &ids[..1], &ids[1..], Some(ids[0]));
            for (id, (first, lead, damaged)) in (1..).zip(shards) {
                let on: Vec<u32> = (0..3).map(|step| ids[(first + step) % ids.len()]).collect();
                world.add_shard(id, &on, &[], Some(on[lead]));
                if let Some(node) = on.get(damaged).filter(|node| **node != on[lead]) {
                    world.damage(id, *node);
                }
            }
            elect(&mut world);
            world
        },
    )
}

/// Gives each shard with a living majority a living leader, and takes it from the others.
fn elect(world: &mut World) {
    let observed = world.observed.clone();
    for seen in world.observed.shards.values_mut() {
        let able = |voter: &ReplicaId| seen.has_majority(&observed, *voter);
        let another = || seen.voters.iter().copied().find(able);
        seen.leader = seen.leader.filter(able).or_else(another);
    }
}

proptest! {
    /// The assertions of `World::carry_out` hold on the way; here, that the way ends well.
    #[test]
    fn any_cluster_settles_with_every_copy_that_it_can_have(mut world in worlds()) {
        let story = world.settle(500);
        let plan = repair(&world.facts, &world.observed, &world.repair);
        prop_assert!(plan.steps.is_empty(), "never settles:\n{story}");
        let takers = candidates(&world.facts, &world.observed).len();
        for (id, seen) in world.observed.shards.iter().filter(|(id, _)| !id.is_system()) {
            if seen.leader.is_none() {
                continue;
            }
            let takes = |voter: &&ReplicaId| {
                // Nobody is replaced for being suspected.
                world.observed.state(voter.node()) == NodeState::Suspect
                    || world.facts.nodes.get(&voter.node())
                        .is_some_and(|node| takes_more(node, &world.observed))
            };
            let well = seen.voters.iter().filter(takes).count();
            prop_assert!(well >= takers.min(3), "{id}: {seen:?}\n{story}");
            let unfit = seen.voters.intersection(&seen.unfit).count();
            prop_assert_eq!(unfit, 0, "{}: {:?}\n{}", id, seen, story);
        }
    }
}
