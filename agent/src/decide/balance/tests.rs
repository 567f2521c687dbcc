//! That shares get even, and stay put once they are.

use evenkeel_shared::ids::NodeId;

use super::*;
use crate::decide::placement::candidates;
use crate::decide::plan::StepKind;
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
fn leaderships_move_by_way_of_a_node_that_shares_shards_with_both() {
    let mut world = World::default();
    for id in 1..=5 {
        world.add_node(id).zone = format!("z{id}");
    }
    // Node 1 leads four shards that node 5 has no copy of; nodes 2 to 4 lead three each.
    let copies = [[1, 2, 3], [1, 3, 4], [1, 2, 4], [1, 2, 3]];
    let mut id = 0;
    let mut add = |copies: &[u32], leader: u32| {
        id += 1;
        world.add_shard(id, copies, &[], Some(leader));
    };
    for copies in &copies {
        add(copies, 1);
    }
    for leader in [2, 3, 4] {
        add(&[leader, 5, 1], leader);
        let others: Vec<u32> = [2, 3, 4].into_iter().filter(|node| *node != leader).collect();
        for _ in 0..2 {
            add(&[leader, others[0], others[1]], leader);
        }
    }
    for _ in 0..2 {
        add(&[5, 2, 3], 5);
    }
    assert_eq!([1, 2, 3, 4, 5].map(|node| led(&world, node)), [4, 3, 3, 3, 2]);
    let leaders_only = BalanceSettings { moves_max: 0, ..BalanceSettings::default() };
    let steps = balance(&world.facts, &world.observed, &BTreeSet::new(), &leaders_only);
    let ends: Vec<(NodeId, NodeId)> = steps
        .iter()
        .map(|step| match step.kind {
            StepKind::TransferLeader { from, to } => (from.node(), to.node()),
            _ => panic!("{step:?}"),
        })
        .collect();
    assert_eq!(ends.len(), 2, "{steps:?}");
    assert_eq!((ends[0].0, ends[0].1, ends[1].1), (NodeId(1), ends[1].0, NodeId(5)), "{steps:?}");
    world.settle(100);
    let counts = [1, 2, 3, 4, 5].map(|node| led(&world, node));
    assert!(counts.iter().all(|count| *count == 3), "{counts:?}");
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
