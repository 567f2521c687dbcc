//! What is looked ahead to, on a toy cluster of six nodes in three zones.

use evenkeel_shared::view::ClusterFacts;

use super::super::world::World;
use super::*;

/// Six nodes in three zones, 24 shards of three copies, spread evenly.
fn world() -> World {
    let mut world = World::default();
    for id in 1..=6 {
        world.add_node(id).zone = ["a", "b", "c"][usize::try_from(id).expect("few") % 3].to_owned();
    }
    for id in 1..=24 {
        let first = id % 3 + 1;
        let nodes = [first, first % 3 + 1, (first + 1) % 3 + 1].map(|zone| zone + 3 * (id % 2));
        world.add_shard(id, &nodes, &[], Some(nodes[0]));
    }
    world.settle(500);
    world
}

fn look(world: &World, changes: &[Change]) -> WhatIf {
    let mut outlook = Outlook::new(&world.facts, &world.observed, changes).expect("it can be");
    while !outlook.advance() {}
    outlook.tell()
}

fn node<'a>(told: &'a WhatIf, name: &str) -> &'a NodeOutlook {
    told.nodes.iter().find(|node| node.name == name).expect("it is told of")
}

#[test]
fn nothing_asked_nothing_moves() {
    let told = look(&world(), &[]);
    assert_eq!((told.steps, told.copies_moved, told.settles), (0, 0, true));
    assert!(told.nodes.iter().all(|node| node.copies.0 == node.copies.1), "{told:?}");
}

#[test]
fn a_drained_node_ends_empty_and_its_copies_are_elsewhere() {
    let world = world();
    let told = look(&world, &[Change::Drain(NodeId(2))]);
    let n2 = node(&told, "n2");
    assert_eq!((n2.copies, n2.leads.1), ((12, 0), 0), "{told:?}");
    assert!(told.copies_moved >= 12 && told.bytes >= 12 * (3 << 20), "{told:?}");
    assert_eq!(told.nodes.iter().map(|node| node.copies.1).sum::<u32>(), 72);
    assert!(told.settles && told.short.is_empty() && told.quorum_lost.is_empty(), "{told:?}");
    // Looking ahead has changed nothing.
    assert_eq!(world.facts.nodes[&NodeId(2)].intent, NodeIntent::Serve);
}

#[test]
fn a_node_that_is_added_gets_its_share() {
    let told = look(&world(), &[Change::Add { zone: "a".to_owned(), capacity: 1 }]);
    let new = node(&told, "new1");
    assert!(new.node.is_none() && new.copies.0 == 0 && new.copies.1 >= 8, "{told:?}");
}

#[test]
fn a_lost_zone_costs_no_majority_and_two_zones_do() {
    let world = world();
    let zone = |name: &str, facts: &ClusterFacts| -> Vec<Change> {
        let lost = facts.nodes.values().filter(|node| node.zone == name);
        lost.map(|node| Change::Lose(node.id)).collect()
    };
    let one = look(&world, &zone("a", &world.facts));
    assert!(one.quorum_lost.is_empty() && one.leaders_moved > 0, "{one:?}");
    let two = [zone("a", &world.facts), zone("b", &world.facts)].concat();
    let two = look(&world, &two);
    assert_eq!(two.quorum_lost.len(), 24, "{two:?}");
    assert_eq!(two.short.len(), 24, "nothing can be done for them: {two:?}");
}

#[test]
fn what_is_said_before_is_what_comes() {
    let mut world = world();
    let told = look(&world, &[Change::Drain(NodeId(5))]);
    world.add_node(5).intent = NodeIntent::Drain;
    world.settle(2_000);
    let now = copies(&world.facts);
    for node in &told.nodes {
        let is = now.get(&node.node.expect("none is added")).copied().unwrap_or(0);
        assert!(node.copies.1.abs_diff(is) <= 1, "{}: {is}, not {:?}", node.name, node.copies);
    }
    assert_eq!(node(&told, "n5").copies.1, 0);
}

#[test]
fn what_is_not_there_is_named() {
    let world = world();
    let error = |changes: &[Change]| {
        Outlook::new(&world.facts, &world.observed, changes).err().expect("it can't be")
    };
    assert_eq!(error(&[Change::Drain(NodeId(9))]), "no node 9 in this cluster");
    assert_eq!(error(&[Change::Lose(NodeId(9))]), "no node 9 in this cluster");
    let many = vec![Change::Drain(NodeId(1)); CHANGES_MAX + 1];
    assert_eq!(error(&many), "33 changes, at most 32 together");
}

#[test]
fn who_is_lost_between_two_that_do_not_hear_each_other_takes_the_majority_along() {
    let mut world = World::default();
    for id in 1..=3 {
        world.add_node(id);
    }
    world.add_shard(1, &[1, 2, 3], &[], Some(3));
    world.cut(1, 2);
    assert_eq!(look(&world, &[Change::Lose(NodeId(3))]).quorum_lost, [ShardId(1)]);
    assert_eq!(look(&world, &[Change::Lose(NodeId(1))]).quorum_lost, []);
}
