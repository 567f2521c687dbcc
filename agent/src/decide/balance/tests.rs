//! That shares get even, and stay put once they are.

use super::*;
use crate::decide::world::World;

fn led(world: &World, node: u32) -> usize {
    let leaders = world.observed.shards.values().filter_map(|seen| seen.leader);
    leaders.filter(|leader| leader.node() == NodeId(node)).count()
}

fn world(nodes: u32, shards: u32) -> World {
    let mut world = World::default();
    for id in 1..=nodes {
        world.add_node(id).zone = format!("z{id}");
    }
    for id in 1..=shards {
        world.add_shard(id, &[1, 2, 3], &[], Some(1));
    }
    world
}

#[test]
fn leaders_spread_over_the_voters() {
    let mut world = world(3, 12);
    world.settle(100);
    assert_eq!([1, 2, 3].map(|node| led(&world, node)), [4, 4, 4]);
}

#[test]
fn larger_capacity_leads_more() {
    let mut world = world(3, 12);
    world.add_node(2).capacity = 2;
    world.settle(100);
    assert_eq!([1, 2, 3].map(|node| led(&world, node)), [3, 6, 3]);
}

#[test]
fn difference_of_one_is_left_alone() {
    let mut world = world(3, 4);
    world.settle(100);
    assert_eq!(world.settle(1), "");
}

#[test]
fn copies_move_to_nodes_that_joined() {
    let mut world = world(6, 12);
    world.settle(500);
    for id in 1..=6 {
        let held = candidates(&world.facts, &world.observed);
        let node = held.iter().find(|node| node.node == NodeId(id)).expect("it is UP");
        assert!((5..=7).contains(&node.holds), "{node:?}");
    }
    assert_eq!(world.settle(1), "", "it stays put");
}

#[test]
fn busy_shards_are_left_to_repair() {
    let world = world(3, 3);
    let busy = world.facts.shards.keys().copied().collect();
    let steps = balance(&world.facts, &world.observed, &busy, &BalanceSettings::default());
    assert_eq!(steps, []);
}
