//! What a folder accepts and refuses, and what it still knows after a restart.

use evenkeel_shared::ids::{History, NodeId, ReplicaId};
use evenkeel_shared::view::NodeAddresses;
use proptest::prelude::*;

use super::*;
use crate::env::fs::{Create, RealDisk};

fn open(path: &Path, name: &str) -> Result<Folder, FolderError> {
    Folder::open(Arc::new(RealDisk), path, Opener { name: name.to_owned(), fresh_bits: 77 })
}

fn membership(cluster: u128) -> Membership {
    Membership {
        cluster: ClusterId(cluster),
        node: NodeId(3),
        system_replica: ReplicaId::new(NodeId(3), 12),
        system_history: History { number: 1, salt: u64::MAX },
    }
}

fn put(path: &Path, bytes: &[u8]) {
    let file = RealDisk.open(path, Create::IfAbsent).unwrap();
    file.set_len(0).unwrap();
    file.write_all_at(bytes, 0).unwrap();
}

#[test]
fn a_new_folder_begins_with_incarnation_one_and_belongs_to_no_cluster() {
    let place = tempfile::tempdir().unwrap();
    let folder = open(&place.path().join("a/b"), "n1").unwrap();
    assert_eq!(folder.identity().incarnation, Incarnation(1));
    assert_eq!((folder.identity().folder, folder.identity().membership), (77, None));
}

#[test]
fn each_start_raises_the_incarnation_and_forgets_nothing() {
    let place = tempfile::tempdir().unwrap();
    let addresses = NodeAddresses { rpc: "h:1".to_owned(), ..NodeAddresses::default() };
    let peers = vec![KnownPeer { node: NodeId(9), addresses }];
    {
        let mut folder = open(place.path(), "n1").unwrap();
        folder.admit(membership(u128::MAX)).unwrap();
        folder.remember_peers(peers.clone()).unwrap();
    }
    for start in 2..5 {
        let folder = open(place.path(), "n1").unwrap();
        let identity = folder.identity();
        assert_eq!(identity.incarnation, Incarnation(start));
        assert_eq!(identity.membership, Some(membership(u128::MAX)));
        assert_eq!((&identity.peers, identity.folder), (&peers, 77));
    }
}

#[test]
fn a_folder_is_refused_under_another_name() {
    let place = tempfile::tempdir().unwrap();
    open(place.path(), "n1").unwrap();
    let why = open(place.path(), "n2").err().expect("another name").to_string();
    assert!(why.contains("belongs to node n1, not to n2"), "{why}");
    assert_eq!(open(place.path(), "n1").unwrap().identity().incarnation, Incarnation(2));
}

#[test]
fn a_folder_belongs_to_one_cluster_as_one_node() {
    let place = tempfile::tempdir().unwrap();
    let mut folder = open(place.path(), "n1").unwrap();
    folder.check_cluster(ClusterId(5)).unwrap();
    folder.admit(membership(1)).unwrap();
    folder.admit(membership(1)).unwrap();
    assert!(matches!(folder.admit(membership(2)), Err(FolderError::OtherCluster { .. })));
    assert!(matches!(folder.check_cluster(ClusterId(5)), Err(FolderError::OtherCluster { .. })));
    let other = Membership { node: NodeId(4), ..membership(1) };
    assert!(matches!(folder.admit(other), Err(FolderError::OtherNode { .. })));
    assert_eq!(folder.identity().membership, Some(membership(1)));
}

#[test]
fn data_without_an_identity_is_refused() {
    let place = tempfile::tempdir().unwrap();
    put(&place.path().join("agent.log"), b"");
    open(place.path(), "n1").unwrap();
    RealDisk.remove(&place.path().join("node.json")).unwrap();
    put(&place.path().join("wal-000001"), b"");
    let why = open(place.path(), "n1").err().expect("whose data?").to_string();
    assert!(why.contains("holds wal-000001 but no node.json"), "{why}");
}

#[test]
fn a_damaged_identity_is_refused_with_the_way_out() {
    let place = tempfile::tempdir().unwrap();
    open(place.path(), "n1").unwrap();
    let file = place.path().join("node.json");
    let mut bytes = fs::read(&RealDisk, &file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    for damaged in [bytes, Vec::new()] {
        put(&file, &damaged);
        let why = open(place.path(), "n1").err().expect("damage").to_string();
        assert!(why.contains("node.json") && why.contains("node reinit"), "{why}");
    }
}

#[test]
fn an_identity_of_a_later_format_is_refused() {
    let bytes = envelope_of(r#"{"format":2}"#);
    assert!(matches!(Identity::from_bytes(&bytes), Err(IdentityError::Newer(2))));
}

#[test]
fn an_identity_of_the_first_format_is_still_read() {
    let identity = Identity::from_bytes(&envelope_of(
        r#"{"format":1,"name":"n1","folder":"00000000000000ff","incarnation":4,
        "membership":{"cluster":"0000000000000000000000000000000a","node":2,
        "system_replica_number":5,"system_history_number":1,"system_history_salt":"0b"}}"#,
    ))
    .unwrap();
    assert_eq!((identity.folder, identity.incarnation), (255, Incarnation(4)));
    let membership = identity.membership.unwrap();
    assert_eq!((membership.cluster, membership.node), (ClusterId(10), NodeId(2)));
    assert_eq!(membership.system_replica, ReplicaId::new(NodeId(2), 5));
    assert_eq!(membership.system_history, History { number: 1, salt: 11 });
}

fn envelope_of(body: &str) -> Vec<u8> {
    let checksum = blake3::hash(body.as_bytes()).to_hex();
    format!("{{\"checksum\":\"{checksum}\",\"body\":{body}}}\n").into_bytes()
}

#[test]
fn a_second_holder_is_told_who_has_the_folder() {
    let place = tempfile::tempdir().unwrap();
    let held = FolderLock::acquire(place.path()).unwrap();
    let why = FolderLock::acquire(place.path()).expect_err("it is held").to_string();
    let expected = format!("is in use by process {}", std::process::id());
    assert!(why.contains(&expected), "{why}");
    drop(held);
    FolderLock::acquire(place.path()).unwrap();
    open(place.path(), "n1").unwrap();
}

proptest! {
    #[test]
    fn bytes_of_any_kind_are_read_or_refused_and_never_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        text in ".{0,80}",
    ) {
        prop_assert!(Identity::from_bytes(&bytes).is_err());
        let _ = Identity::from_bytes(&envelope_of(&text));
    }
}
