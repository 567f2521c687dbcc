//! Replicas that are given up, and nodes that come back with an empty folder.

use super::*;

fn shard() -> SystemCommand {
    let slots = vec![SlotRange(0, 16_383)];
    let nodes = vec![NodeId(1), NodeId(2), NodeId(3)];
    let (keyspace, history, phase) = (KEYSPACE, HISTORY, ShardPhase::Serving);
    SystemCommand::CreateShards { keyspace, history, phase, shards: vec![(slots, nodes)] }
}

/// n1 to n3, one shard on all of them, and the system shard led by n1 with votes of all.
fn world() -> ClusterFacts {
    let mut facts = cluster();
    ok(&mut facts, &shard());
    let system: Vec<ReplicaId> = facts.shards[&ShardId::SYSTEM].replicas.keys().copied().collect();
    for replica in system {
        let (shard, role, epoch) = (ShardId::SYSTEM, ReplicaRole::Voter, Epoch(0));
        ok(&mut facts, &SystemCommand::SetReplicaRole { shard, replica, role, epoch });
    }
    facts
}

fn of(facts: &ClusterFacts, shard: ShardId, node: u32) -> Vec<(ReplicaId, ReplicaRole)> {
    let held = facts.shards[&shard].replicas.iter();
    let held = held.filter(|(replica, _)| replica.node() == NodeId(node));
    held.map(|(replica, held)| (*replica, held.role)).collect()
}

#[test]
fn a_lost_replica_only_goes() {
    let mut facts = world();
    let shard = ShardId(1);
    let (replica, _) = of(&facts, shard, 2)[0];
    ok(&mut facts, &SystemCommand::LoseReplica { shard, replica });
    assert_eq!(of(&facts, shard, 2), [(replica, ReplicaRole::Lost)]);
    // Said twice, it is as once.
    ok(&mut facts, &SystemCommand::LoseReplica { shard, replica });
    let (role, epoch) = (ReplicaRole::Voter, Epoch(1));
    refused(&facts, &SystemCommand::SetReplicaRole { shard, replica, role, epoch }, "is lost");
    // Its node may be given another one beside it, under a number of its own.
    let node = NodeId(2);
    ok(&mut facts, &SystemCommand::AddReplica { shard, node, epoch: Epoch(0) });
    assert_eq!(of(&facts, shard, 2).len(), 2);
    ok(&mut facts, &SystemCommand::RemoveReplica { shard, replica, epoch: Epoch(1) });
    let left = of(&facts, shard, 2);
    assert_eq!(left.len(), 1);
    assert!(left[0].0 != replica && left[0].1 == ReplicaRole::Learner, "{left:?}");
}

#[test]
fn the_last_voter_is_never_given_up() {
    let mut facts = world();
    let shard = ShardId(1);
    for node in [1, 2] {
        let (replica, _) = of(&facts, shard, node)[0];
        ok(&mut facts, &SystemCommand::LoseReplica { shard, replica });
    }
    let (replica, _) = of(&facts, shard, 3)[0];
    refused(&facts, &SystemCommand::LoseReplica { shard, replica }, "the last voter of s1");
    refused(&facts, &SystemCommand::Reinit { node: NodeId(3) }, "the last voter of s1");
}

#[test]
fn a_node_that_was_given_up_comes_back_with_another_folder_only() {
    let mut facts = world();
    let wiped = request("n3", 99);
    let turned_away = SystemCommand::Join(wiped.clone());
    refused(&facts, &turned_away, "run `evenkeel node reinit n3` first");

    ok(&mut facts, &SystemCommand::Reinit { node: NodeId(3) });
    assert_eq!(of(&facts, ShardId(1), 3)[0].1, ReplicaRole::Lost);
    let (old, role) = of(&facts, ShardId::SYSTEM, 3)[0];
    assert_eq!(role, ReplicaRole::Lost);
    // The old folder is of no use any more, wherever it turns up.
    let known_as = Some((facts.cluster, NodeId(3)));
    let returned = SystemCommand::Join(JoinRequest { known_as, ..request("n3", 3) });
    refused(&facts, &returned, "was given up");

    let admission = join(&mut facts, &wiped).unwrap();
    assert_eq!(admission.node, NodeId(3));
    assert_ne!(admission.system_replica, old, "a replica id is never used again");
    // It is known by that folder from now on.
    assert_eq!(join(&mut facts, &wiped).unwrap(), admission);
    refused(&facts, &SystemCommand::Join(request("n3", 100)), "another data folder");
}
