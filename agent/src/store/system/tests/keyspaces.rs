//! Keyspaces: created, kept otherwise, dropped; their numbers are never given out twice.

use evenkeel_shared::limits::{REPLICAS_MAX, SHARDS_MAX};
use evenkeel_shared::view::{KeyspaceChange, KeyspaceSpec, Promise, ReadDefault, ZoneRule};

use super::*;

fn spec(name: &str) -> KeyspaceSpec {
    KeyspaceSpec {
        name: name.to_owned(),
        shards: 4,
        policy: Policy { replicas: 3, sync: SyncPolicy::All, grace_ms: 5_000 },
        promise: Promise { read: ReadDefault::Session, zones: ZoneRule::Strict },
        number: None,
    }
}

fn created(facts: &mut ClusterFacts, spec: KeyspaceSpec) -> KeyspaceId {
    match ok(facts, &SystemCommand::CreateKeyspace(spec)) {
        SystemReply::Keyspace(id) => id,
        other => panic!("a creation answered {other:?}"),
    }
}

#[test]
fn a_keyspace_is_kept_as_it_was_created() {
    let mut facts = with_shards();
    let id = created(&mut facts, spec("orders"));
    assert_eq!(id, KeyspaceId(2));
    let known = facts.keyspace_named("orders").unwrap();
    assert_eq!((known.id, known.shards, &known.policy), (id, 4, &spec("").policy));
    assert_eq!(facts.promise(id), spec("").promise);
    assert_eq!(facts.promise(KEYSPACE), Promise::default(), "the other one is as before");
}

#[test]
fn a_keyspace_that_can_not_be_is_refused() {
    let mut facts = cluster();
    created(&mut facts, spec("orders"));
    let refuse = |spec: KeyspaceSpec, words| {
        refused(&facts, &SystemCommand::CreateKeyspace(spec), words);
    };
    refuse(spec("orders"), "already");
    for name in ["", "a b", "a/b", "system", &"x".repeat(200)] {
        refuse(spec(name), "can't be named");
    }
    refuse(KeyspaceSpec { shards: 0, ..spec("a") }, "shards, not 0");
    refuse(KeyspaceSpec { shards: SHARDS_MAX + 1, ..spec("a") }, "1 to");
    let replicas = |replicas| Policy { replicas, ..spec("a").policy };
    refuse(KeyspaceSpec { policy: replicas(0), ..spec("a") }, "replicas, not 0");
    refuse(KeyspaceSpec { policy: replicas(REPLICAS_MAX + 1), ..spec("a") }, "replicas");
    refuse(KeyspaceSpec { number: Some(KEYSPACE), ..spec("a") }, "another one");
    refuse(KeyspaceSpec { number: Some(KeyspaceId(0)), ..spec("a") }, "another one");
}

#[test]
fn what_is_not_named_stays_when_a_keyspace_is_changed() {
    let mut facts = cluster();
    let id = created(&mut facts, spec("orders"));
    let set = |change| SystemCommand::SetKeyspace { keyspace: id, change };
    ok(&mut facts, &set(KeyspaceChange { replicas: Some(5), ..KeyspaceChange::default() }));
    let read = Some(ReadDefault::Bounded(250));
    ok(&mut facts, &set(KeyspaceChange { read, ..KeyspaceChange::default() }));
    let known = &facts.keyspaces[&id];
    assert_eq!(known.policy, Policy { replicas: 5, ..spec("").policy });
    let promise = Promise { read: ReadDefault::Bounded(250), zones: ZoneRule::Strict };
    assert_eq!(facts.promise(id), promise);
    let none = KeyspaceChange { replicas: Some(0), ..KeyspaceChange::default() };
    refused(&facts, &set(none), "replicas, not 0");
    let nowhere =
        SystemCommand::SetKeyspace { keyspace: KeyspaceId(9), change: KeyspaceChange::default() };
    refused(&facts, &nowhere, "there is no");
}

#[test]
fn a_dropped_keyspace_takes_its_shards_along_and_leaves_its_number_behind() {
    let mut facts = with_shards();
    let id = created(&mut facts, spec("orders"));
    let create = SystemCommand::CreateShards {
        keyspace: id,
        history: HISTORY,
        phase: ShardPhase::Serving,
        shards: vec![(LOW.to_vec(), vec![NodeId(1)])],
    };
    ok(&mut facts, &create);
    let drop = |keyspace| SystemCommand::DropKeyspace { keyspace };
    ok(&mut facts, &drop(id));
    assert!(facts.shards.values().all(|shard| shard.keyspace != id));
    assert_eq!(facts.shards.len(), 3, "the system shard, and the two of the other keyspace");
    assert!(facts.keyspace_named("orders").is_none());
    assert_eq!(facts.promise(id), Promise::default());
    refused(&facts, &drop(id), "there is no");
    refused(&facts, &drop(KEYSPACE), "stays");
    assert_eq!(created(&mut facts, spec("orders")), KeyspaceId(3), "another keyspace");
    // A restore brings back the one that was.
    let again = KeyspaceSpec { number: Some(id), ..spec("older") };
    assert_eq!(created(&mut facts, again), id);
}
