//! From heartbeats to the view: who is called what, and what stays unknown.

use std::collections::BTreeSet;

use evenkeel_shared::heartbeat::{Claim, RaftRole, ReplicaStatus};
use evenkeel_shared::ids::{Epoch, Incarnation, ShardId};

use super::*;
use crate::decide::detector::VerdictState;
use crate::decide::facts::Heard;
use crate::decide::observe::{HeardNodes, observe};
use crate::decide::world::World;

fn replica(node: u32) -> ReplicaId {
    ReplicaId::new(NodeId(node), node)
}

fn status(shard: u32, node: u32, last: u64) -> ReplicaStatus {
    ReplicaStatus {
        shard: ShardId(shard),
        replica: replica(node),
        role: if node == 1 { RaftRole::Leader } else { RaftRole::Follower },
        term: 3,
        leader: Some(replica(1)),
        last,
        applied: last,
        epoch: Epoch(1),
        voters: [1, 2, 3].map(replica).to_vec(),
        learners: Vec::new(),
        chain: 0,
        log_bytes: 64,
        data_bytes: 640,
        ops_s: 5.0,
        filling: false,
        damaged: None,
    }
}

fn heard(node: u32) -> Heard {
    let claim = |shard| Claim { shard: ShardId(shard), term: 3, committed: 20 };
    Heard {
        verdict: VerdictState::Alive,
        why: "heard 40 ms ago".to_owned(),
        heard_ms: Some(40),
        phi: Some(0.1),
        round_trip_us: Some(200),
        incarnation: Some(Incarnation(1)),
        load: None,
        revision: Some(7),
        slow: None,
        dead: BTreeSet::new(),
        claims: if node == 1 { vec![claim(0), claim(1)] } else { Vec::new() },
        replicas: vec![status(0, node, 20), status(1, node, 20)],
        listed_ms: Some(600),
    }
}

/// Three nodes that hold the system shard and shard 1, both led by node 1.
fn cluster() -> (World, HeardNodes) {
    let mut world = World::default();
    for id in 1..=3 {
        world.add_node(id);
    }
    world.add_shard(0, &[1, 2, 3], &[], Some(1));
    world.add_shard(1, &[1, 2, 3], &[], Some(1));
    (world, (1..=3).map(|id| (NodeId(id), heard(id))).collect())
}

fn seen(world: &World, heard: &HeardNodes) -> ClusterView {
    let observed = observe(&world.facts, heard, &world.observed, 1_000);
    view(&world.facts, &observed, NodeId(1))
}

fn silence(heard: &mut HeardNodes, node: u32, by: &[u32]) {
    for observer in by {
        heard.get_mut(&NodeId(*observer)).expect("it speaks").dead.insert(NodeId(node));
    }
}

#[test]
fn whole_cluster_is_ok() {
    let (world, heard) = cluster();
    let view = seen(&world, &heard);
    assert_eq!(view.health, Health::Ok);
    assert_eq!(view.controller, Some(NodeId(1)));
    assert_eq!((view.counts.nodes_up, view.counts.shards_ok), (3, 1));
    assert_eq!(view.shards[0].leader, Some(NodeId(1)));
    assert_eq!((view.shards[0].term, view.shards[0].committed), (3, Some(20)));
    assert_eq!(view.nodes[0].leaders, 1, "the system shard is not counted");
}

#[test]
fn node_is_suspect_by_one_observer_and_down_by_a_majority() {
    let (world, mut heard) = cluster();
    silence(&mut heard, 3, &[1]);
    let view = seen(&world, &heard);
    assert_eq!(view.nodes[2].state, NodeState::Suspect);
    assert_eq!(view.nodes[2].why, "held dead by n1 (1 of 2)");
    silence(&mut heard, 3, &[2]);
    heard.get_mut(&NodeId(3)).expect("known").verdict = VerdictState::Dead;
    let view = seen(&world, &heard);
    assert_eq!(view.nodes[2].state, NodeState::Down);
    assert_eq!((view.nodes[2].observers.against, view.nodes[2].observers.asked), (2, 2));
    assert_eq!(view.health, Health::Degraded);
    assert_eq!(view.shards[0].health, ShardHealth::UnderReplicated);
    assert_eq!(view.shards[0].replicas[2].state, ReplicaState::Lost);
    assert_eq!(view.shards[0].replicas[2].lag, None, "unknown is not 0");
}

#[test]
fn shard_whose_leader_died_is_unavailable_until_somebody_claims_it() {
    let (world, mut heard) = cluster();
    silence(&mut heard, 1, &[2, 3]);
    heard.get_mut(&NodeId(1)).expect("known").verdict = VerdictState::Dead;
    let view = seen(&world, &heard);
    assert_eq!((view.health, view.shards[0].leader), (Health::Unavailable, None));
    assert_eq!(view.shards[0].committed, None);
    let claim = Claim { shard: ShardId(1), term: 4, committed: 21 };
    heard.get_mut(&NodeId(2)).expect("known").claims.push(claim);
    let view = seen(&world, &heard);
    assert_eq!((view.shards[0].leader, view.shards[0].term), (Some(NodeId(2)), 4));
    assert_eq!(view.shards[0].health, ShardHealth::UnderReplicated);
}

#[test]
fn what_one_observer_suspects_makes_nothing_unavailable_that_is_led() {
    let (world, mut heard) = cluster();
    for (by, of) in [(2, 3), (3, 2)] {
        heard.get_mut(&NodeId(by)).expect("known").dead.insert(NodeId(of));
    }
    let view = seen(&world, &heard);
    assert_eq!([1, 2].map(|at| view.nodes[at].state), [NodeState::Suspect; 2]);
    assert_eq!(view.shards[0].health, ShardHealth::UnderReplicated);
}

#[test]
fn higher_term_wins_over_a_claim_that_is_not_given_up() {
    let (world, mut heard) = cluster();
    let claim = Claim { shard: ShardId(1), term: 9, committed: 30 };
    heard.get_mut(&NodeId(3)).expect("known").claims.push(claim);
    assert_eq!(seen(&world, &heard).shards[0].leader, Some(NodeId(3)));
}

#[test]
fn node_never_heard_is_unknown_and_has_no_figures() {
    let (mut world, heard) = cluster();
    world.add_node(4);
    let view = seen(&world, &heard);
    let node = &view.nodes[3];
    assert_eq!(node.state, NodeState::Unknown);
    assert_eq!((node.phi, node.heard_ms, node.round_trip_us), (None, None, None));
    assert_eq!(node.incarnation, None);
    assert_eq!(view.health, Health::Degraded);
}

#[test]
fn replica_far_behind_is_shown_with_its_lag() {
    let (world, mut heard) = cluster();
    heard.get_mut(&NodeId(1)).expect("known").replicas[1].last = 50_000;
    let view = seen(&world, &heard);
    assert_eq!(view.shards[0].replicas[1].lag, Some(49_980));
    assert_eq!(view.shards[0].health, ShardHealth::UnderReplicated);
}

#[test]
fn of_a_node_that_is_heard_and_lists_nothing_the_copies_are_not_known() {
    let (world, mut heard) = cluster();
    heard.get_mut(&NodeId(2)).expect("known").listed_ms = Some(4_000);
    let view = seen(&world, &heard);
    let copy = &view.shards[0].replicas[1];
    assert_eq!((copy.state, copy.lag), (ReplicaState::Unknown, None));
    assert_eq!(view.shards[0].health, ShardHealth::UnderReplicated);
}

#[test]
fn a_replica_that_stands_still_is_no_copy_to_count_on_however_little_it_is_behind() {
    let (world, mut heard) = cluster();
    let last = |heard: &mut HeardNodes, last: u64| {
        heard.get_mut(&NodeId(2)).expect("known").replicas[1].last = last;
    };
    let health = |observed: &Observed| {
        let view = view(&world.facts, observed, NodeId(1));
        (view.shards[0].health, view.shards[0].replicas[1].why.clone())
    };
    last(&mut heard, 15);
    let mut observed = observe(&world.facts, &heard, &Observed::default(), 1_000);
    for now in [2_000, 3_000, 4_000, 5_000, 6_900] {
        observed = observe(&world.facts, &heard, &observed, now);
        assert_eq!(health(&observed), (ShardHealth::Ok, None), "at {now}");
    }
    observed = observe(&world.facts, &heard, &observed, 7_900);
    let why = "has got nothing since entry 15 for 5 s".to_owned();
    assert_eq!(health(&observed), (ShardHealth::UnderReplicated, Some(why)));
    let pair = (NodeId(1), NodeId(2));
    assert_eq!(observed.unfed.keys().collect::<Vec<_>>(), [&pair]);
    last(&mut heard, 16);
    observed = observe(&world.facts, &heard, &observed, 10_000);
    assert_eq!(health(&observed), (ShardHealth::Ok, None), "it goes on");
    let mut now = 11_000;
    for _ in 0..3 {
        observed = observe(&world.facts, &heard, &observed, now);
        now += 1_000;
    }
    observed = observe(&world.facts, &heard, &observed, 3_600_000);
    assert_eq!(health(&observed), (ShardHealth::Ok, None), "a clock that jumps is no standstill");
    assert!(observed.unfed.contains_key(&pair), "nor does it pass for five minutes");
    last(&mut heard, 20);
    for second in 0..300 {
        observed = observe(&world.facts, &heard, &observed, 3_600_000 + second * 1_000);
    }
    assert!(observed.unfed.is_empty(), "it is tried again");
}

#[test]
fn a_link_whose_ends_do_not_hear_each_other_is_known_until_they_do_for_a_while() {
    let (world, mut heard) = cluster();
    let mut now = 0;
    let mut look = |heard: &HeardNodes, before: &Observed, seconds: u64| {
        let mut observed = before.clone();
        for _ in 0..seconds {
            now += 1_000;
            observed = observe(&world.facts, heard, &observed, now);
        }
        observed
    };
    let deaf = |heard: &mut HeardNodes, by: u32, to: u32| {
        heard.get_mut(&NodeId(by)).expect("known").dead = BTreeSet::from([NodeId(to)]);
    };
    let ends = || BTreeSet::from([(NodeId(1), NodeId(3)), (NodeId(3), NodeId(1))]);
    let links = |observed: &Observed| observed.unfed.keys().copied().collect::<BTreeSet<_>>();
    deaf(&mut heard, 1, 3);
    let mut observed = look(&heard, &Observed::default(), 5);
    assert_eq!((observed.deaf_to(NodeId(1)).count(), observed.unfed.len()), (0, 0), "not yet");
    observed = look(&heard, &observed, 1);
    assert_eq!(observed.deaf_to(NodeId(1)).collect::<Vec<_>>(), [NodeId(3)]);
    assert_eq!(links(&observed), ends());
    heard.get_mut(&NodeId(1)).expect("known").dead.clear();
    observed = look(&heard, &observed, 29);
    assert_eq!((observed.unheard.len(), links(&observed)), (0, ends()), "it may come and go");
    observed = look(&heard, &observed, 1);
    assert_eq!(links(&observed), BTreeSet::new());

    // Whom nobody hears is DOWN, which has nothing to do with a link.
    deaf(&mut heard, 1, 3);
    deaf(&mut heard, 2, 3);
    observed = look(&heard, &observed, 9);
    assert_eq!((observed.unheard.len(), observed.unfed.len()), (0, 0));
}

#[test]
fn nobody_is_to_blame_for_a_copy_that_is_not_fed_yet_or_out_of_service() {
    let starved = |change: fn(&mut ReplicaStatus)| {
        let (world, mut heard) = cluster();
        change(&mut heard.get_mut(&NodeId(2)).expect("known").replicas[1]);
        let mut observed = Observed::default();
        for second in 1..10 {
            observed = observe(&world.facts, &heard, &observed, second * 1_000);
        }
        let seen = &observed.shards[&ShardId(1)];
        assert_eq!(seen.starved(&observed).is_some(), !observed.unfed.is_empty());
        !observed.unfed.is_empty()
    };
    assert!(starved(|status| status.last = 15));
    assert!(!starved(|status| (status.last, status.filling) = (15, true)));
    assert!(!starved(|status| {
        (status.last, status.damaged) = (0, Some("its log is gone".to_owned()));
    }));
    assert!(!starved(|status| (status.last, status.replica) = (0, ReplicaId::new(NodeId(2), 77))));
}

#[test]
fn state_keeps_the_time_since_when_it_holds() {
    let (world, heard) = cluster();
    let first = observe(&world.facts, &heard, &Observed::default(), 1_000);
    let later = observe(&world.facts, &heard, &first, 5_000);
    assert_eq!(later.nodes[&NodeId(2)].since_unix_ms, 1_000);
    assert_eq!(later.in_state_ms(NodeId(2)), 4_000);
}

#[test]
fn draining_node_is_as_it_is_wanted() {
    let (mut world, heard) = cluster();
    world.add_node(2).intent = evenkeel_shared::view::NodeIntent::Drain;
    let view = seen(&world, &heard);
    assert_eq!(view.nodes[1].state, NodeState::Draining);
    assert_eq!(view.shards[0].replicas[1].state, ReplicaState::Leaving);
}
