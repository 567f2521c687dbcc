//! What each command of the system shard does, and each sentence with which it is refused.

mod keyspaces;
mod lost;
mod restore;

use std::collections::BTreeMap;

use evenkeel_shared::command::SystemReply;
use evenkeel_shared::ids::{ClusterId, Epoch, History, KeyspaceId};
use evenkeel_shared::key::SlotRange;
use evenkeel_shared::view::{
    Admission, JoinRequest, KeyspaceFacts, NodeAddresses, NodeIntent, Policy, ShardPhase,
    SyncPolicy,
};

use super::*;

const KEYSPACE: KeyspaceId = KeyspaceId(1);
const HISTORY: History = History { number: 1, salt: 5 };
const AT: Context = Context { hlc: Hlc(9) };

fn request(name: &str, folder: u64) -> JoinRequest {
    JoinRequest {
        name: name.to_owned(),
        zone: "a".to_owned(),
        capacity: 1,
        addresses: NodeAddresses { rpc: format!("{name}:1"), ..NodeAddresses::default() },
        drills: false,
        folder,
        known_as: None,
    }
}

fn founding() -> ClusterFacts {
    let mut facts = ClusterFacts { cluster: ClusterId(77), ..ClusterFacts::default() };
    facts.next.node = 1;
    facts.next.shard = 1;
    let policy = Policy { replicas: 3, sync: SyncPolicy::Quorum, grace_ms: 1 };
    let keyspace = KeyspaceFacts { id: KEYSPACE, name: "default".to_owned(), shards: 2, policy };
    facts.keyspaces.insert(KEYSPACE, keyspace);
    let system = ShardFacts {
        id: ShardId::SYSTEM,
        keyspace: KeyspaceId(0),
        history: HISTORY,
        slots: Vec::new(),
        first_voters: Vec::new(),
        replicas: BTreeMap::new(),
        epoch: Epoch(0),
        phase: ShardPhase::Serving,
    };
    facts.shards.insert(ShardId::SYSTEM, system);
    facts
}

/// A cluster of three nodes, n1 to n3, with folders 1 to 3.
fn cluster() -> ClusterFacts {
    let mut facts = ClusterFacts::default();
    ok(&mut facts, &SystemCommand::Found(Box::new(founding())));
    for number in 1..=3 {
        join(&mut facts, &request(&format!("n{number}"), number)).unwrap();
    }
    facts
}

fn join(facts: &mut ClusterFacts, request: &JoinRequest) -> Result<Admission, String> {
    match apply(facts, &SystemCommand::Join(request.clone()), AT)? {
        SystemReply::Joined(admission) => Ok(admission),
        other => panic!("a join answered {other:?}"),
    }
}

fn ok(facts: &mut ClusterFacts, command: &SystemCommand) -> SystemReply {
    apply(facts, command, AT).unwrap()
}

/// Checks that a command is refused in these words and changes nothing.
fn refused(facts: &ClusterFacts, command: &SystemCommand, words: &str) {
    let mut after = facts.clone();
    let why = apply(&mut after, command, AT).unwrap_err();
    assert!(why.contains(words), "{why:?} does not say {words:?}");
    assert_eq!(after, *facts);
}

fn create(shards: &[(&[SlotRange], &[u32])], phase: ShardPhase) -> SystemCommand {
    let shard = |(slots, nodes): &(&[SlotRange], &[u32])| {
        (slots.to_vec(), nodes.iter().copied().map(NodeId).collect())
    };
    let shards = shards.iter().map(shard).collect();
    SystemCommand::CreateShards { keyspace: KEYSPACE, history: HISTORY, phase, shards }
}

const LOW: &[SlotRange] = &[SlotRange(0, 99)];
const HIGH: &[SlotRange] = &[SlotRange(100, 199)];

fn with_shards() -> ClusterFacts {
    let mut facts = cluster();
    ok(&mut facts, &create(&[(LOW, &[1, 2]), (HIGH, &[2, 3])], ShardPhase::Serving));
    facts
}

#[test]
fn a_cluster_is_founded_once_and_before_anything_else() {
    let empty = ClusterFacts::default();
    refused(&empty, &SystemCommand::Join(request("n1", 1)), "not been founded");
    let hollow = SystemCommand::Found(Box::default());
    refused(&empty, &hollow, "system shard is missing");
    let again = SystemCommand::Found(Box::new(founding()));
    refused(&cluster(), &again, "already been founded");
}

#[test]
fn a_new_node_gets_ids_and_a_copy_of_the_system_shard() {
    let mut facts = cluster();
    let admission = join(&mut facts, &request("n4", 4)).unwrap();
    assert_eq!(admission.node, NodeId(4));
    assert_eq!(admission.system_history, HISTORY);
    assert_eq!(admission.peers.len(), 3);
    let system = &facts.shards[&ShardId::SYSTEM];
    assert_eq!(system.replicas[&admission.system_replica].role, ReplicaRole::Learner);
    assert_eq!(admission.system_replica, ReplicaId::new(NodeId(4), 3));
}

#[test]
fn a_known_folder_gets_its_ids_again_with_new_addresses() {
    let mut facts = cluster();
    let (before, revision) = (facts.nodes[&NodeId(2)].clone(), facts.revision);
    let mut again = request("n2", 2);
    let first = join(&mut facts, &again).unwrap();
    assert_eq!(facts.revision, revision, "nothing has changed");
    again.known_as = Some((ClusterId(77), NodeId(2)));
    again.addresses.rpc = "elsewhere:1".to_owned();
    assert_eq!(join(&mut facts, &again).unwrap(), first);
    assert_eq!(facts.revision, revision + 1);
    let after = &facts.nodes[&NodeId(2)];
    assert_eq!((after.id, after.folder), (before.id, before.folder));
    assert_eq!(after.addresses.rpc, "elsewhere:1");
}

#[test]
fn a_join_is_refused_when_name_folder_and_cluster_do_not_fit() {
    let facts = cluster();
    let check = |request: JoinRequest, words: &str| {
        refused(&facts, &SystemCommand::Join(request), words);
    };
    check(request("n2", 99), "node reinit n2");
    check(request("n9", 2), "belongs to n2");
    check(request("", 9), "name");
    check(request("a b", 9), "name");
    check(JoinRequest { zone: "z".repeat(33), ..request("n9", 9) }, "zone");
    let known = |cluster, node| Some((ClusterId(cluster), NodeId(node)));
    check(JoinRequest { known_as: known(5, 2), ..request("n2", 2) }, "belongs to cluster");
    check(JoinRequest { known_as: known(77, 9), ..request("n9", 9) }, "has left");
    check(JoinRequest { known_as: known(77, 2), ..request("n3", 2) }, "is named n2");
    check(JoinRequest { known_as: known(77, 2), ..request("n2", 99) }, "node reinit n2");
}

#[test]
fn a_node_leaves_only_empty_handed_and_its_number_is_never_reused() {
    let mut facts = with_shards();
    let leave = |node| SystemCommand::Leave { node: NodeId(node) };
    refused(&facts, &leave(3), "still holds replica");
    refused(&facts, &leave(9), "not part of the cluster");
    let admission = join(&mut facts, &request("n4", 4)).unwrap();
    let vote = SystemCommand::SetReplicaRole {
        shard: ShardId::SYSTEM,
        replica: admission.system_replica,
        role: ReplicaRole::Voter,
        epoch: Epoch(1),
    };
    let mut voting = facts.clone();
    ok(&mut voting, &vote);
    refused(&voting, &leave(4), "still votes in the system shard");
    ok(&mut facts, &leave(4));
    assert!(!facts.nodes.contains_key(&NodeId(4)));
    assert!(!facts.shards[&ShardId::SYSTEM].replicas.contains_key(&admission.system_replica));
    let next = join(&mut facts, &request("n4", 5)).unwrap();
    assert_eq!(next.node, NodeId(5));
    assert!(next.system_replica.number() > admission.system_replica.number());
}

#[test]
fn what_operators_want_of_a_node_is_kept() {
    let mut facts = cluster();
    let drain = |node| SystemCommand::SetNodeIntent { node, intent: NodeIntent::Drain };
    ok(&mut facts, &drain(NodeId(1)));
    assert_eq!(facts.nodes[&NodeId(1)].intent, NodeIntent::Drain);
    refused(&facts, &drain(NodeId(9)), "not part of the cluster");
}

#[test]
fn new_shards_get_ids_in_order_and_exactly_their_first_voters() {
    let facts = with_shards();
    let (one, two) = (&facts.shards[&ShardId(1)], &facts.shards[&ShardId(2)]);
    assert_eq!((&one.slots[..], &two.slots[..]), (LOW, HIGH));
    let voters = [ReplicaId::new(NodeId(1), 3), ReplicaId::new(NodeId(2), 4)];
    assert_eq!(one.first_voters, voters);
    assert_eq!(one.replicas.keys().copied().collect::<Vec<_>>(), voters);
    assert!(one.replicas.values().all(|replica| replica.role == ReplicaRole::Voter));
    assert_eq!(two.first_voters[0], ReplicaId::new(NodeId(2), 5));
    assert_eq!(facts.next.shard, 3);
}

#[test]
fn shards_are_refused_that_could_not_be_served() {
    let facts = with_shards();
    let serving = ShardPhase::Serving;
    let free: &[SlotRange] = &[SlotRange(200, 299)];
    let check = |shards: &[(&[SlotRange], &[u32])], words: &str| {
        refused(&facts, &create(shards, serving), words);
    };
    check(&[(LOW, &[1])], "would both hold slot 0");
    check(&[(free, &[1]), (&[SlotRange(250, 260)], &[2])], "would both hold slot 250");
    check(&[(&[], &[1])], "needs slots");
    check(&[(&[SlotRange(9, 8)], &[1])], "not a range of slots");
    check(&[(&[SlotRange(300, 16_384)], &[1])], "not a range of slots");
    check(&[(free, &[])], "replicas");
    check(&[(free, &[1; 10])], "replicas");
    check(&[(free, &[1, 1])], "named twice");
    check(&[(free, &[8])], "not part of the cluster");
    refused(&facts, &create(&[(free, &[1])], ShardPhase::Retired), "retired");
    let shards = vec![(free.to_vec(), vec![NodeId(1)])];
    let keyspace = KeyspaceId(8);
    let command =
        SystemCommand::CreateShards { keyspace, history: HISTORY, phase: serving, shards };
    refused(&facts, &command, "no keyspace 8");
    // Beside what is served, the same slots may be built again.
    ok(&mut facts.clone(), &create(&[(LOW, &[1])], ShardPhase::Beside));
}

#[test]
fn a_replica_is_added_at_the_epoch_it_was_planned_for_and_once_a_node() {
    let mut facts = with_shards();
    let add = |shard, node, epoch| SystemCommand::AddReplica {
        shard: ShardId(shard),
        node: NodeId(node),
        epoch: Epoch(epoch),
    };
    refused(&facts, &add(1, 3, 5), "is at e0, not at e5");
    refused(&facts, &add(1, 2, 0), "already holds replica");
    refused(&facts, &add(9, 2, 0), "no shard s9");
    refused(&facts, &add(1, 9, 0), "not part of the cluster");
    ok(&mut facts, &add(1, 3, 0));
    let added = ReplicaId::new(NodeId(3), 7);
    assert_eq!(facts.shards[&ShardId(1)].replicas[&added].role, ReplicaRole::Learner);
}

#[test]
fn roles_and_epochs_never_go_back() {
    let mut facts = with_shards();
    let (shard, replica) = (ShardId(1), ReplicaId::new(NodeId(1), 3));
    let role = |role, epoch| SystemCommand::SetReplicaRole { shard, replica, role, epoch };
    ok(&mut facts, &role(ReplicaRole::Learner, Epoch(4)));
    assert_eq!(facts.shards[&shard].epoch, Epoch(4));
    refused(&facts, &role(ReplicaRole::Voter, Epoch(3)), "already at e4");
    refused(&facts, &SystemCommand::SetEpoch { shard, epoch: Epoch(3) }, "already at e4");
    ok(&mut facts, &SystemCommand::SetEpoch { shard, epoch: Epoch(6) });
    let remove = |replica, epoch| SystemCommand::RemoveReplica { shard, replica, epoch };
    refused(&facts, &remove(replica, Epoch(5)), "already at e6");
    refused(&facts, &remove(ReplicaId(1), Epoch(6)), "has no replica");
    refused(&facts, &remove(ReplicaId::new(NodeId(2), 4), Epoch(6)), "last voter");
    ok(&mut facts, &remove(replica, Epoch(7)));
    assert!(!facts.shards[&shard].replicas.contains_key(&replica));
    let stranger =
        SystemCommand::SetReplicaRole { shard, replica, role: ReplicaRole::Voter, epoch: Epoch(8) };
    refused(&facts, &stranger, "has no replica");
}

#[test]
fn a_backup_is_catalogued_once() {
    let mut facts = cluster();
    let record = |records| BackupRecord {
        id: "b1".to_owned(),
        archive: "/archive".to_owned(),
        cut: Hlc(1),
        shards: 1,
        records,
        bytes: 1,
    };
    ok(&mut facts, &SystemCommand::RecordBackup(record(1)));
    let revision = facts.revision;
    ok(&mut facts, &SystemCommand::RecordBackup(record(1)));
    assert_eq!((facts.backups.len(), facts.revision), (1, revision));
    refused(&facts, &SystemCommand::RecordBackup(record(2)), "another backup b1");
}
