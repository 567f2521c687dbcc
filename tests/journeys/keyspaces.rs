//! Keyspaces: shards under one policy, kept apart; batches, and records that end.

use std::time::Duration;

use evenkeel_tests::{Cluster, ClusterPlan, wait_for};
use serde_json::Value;

const SOON: Duration = Duration::from_secs(60);

/// A keyspace as it is listed.
fn listed(cluster: &Cluster, name: &str) -> Option<Value> {
    let all = cluster.ask(&["keyspace", "list"]);
    all.as_array()?.iter().find(|keyspace| keyspace["name"] == name).cloned()
}

fn get(cluster: &Cluster, words: &[&str]) -> Option<String> {
    let got = cluster.run(&[&["kv", "get"], words].concat());
    (got.code == Some(0)).then_some(got.stdout)
}

#[test]
fn a_keyspace_is_created_changed_and_dropped_beside_the_others() {
    let cluster = Cluster::start(4);
    let create = ["keyspace", "create", "orders", "--shards", "3", "--read", "session"];
    let create = [&create[..], &["--sync", "all", "--zones", "strict", "--yes"]].concat();
    cluster.run(&create).expect(0);
    // It is there for whoever asks next: all shards are led.
    let orders = listed(&cluster, "orders").expect("it is listed");
    assert_eq!(orders["shards_unavailable"], 0, "{orders}");
    for (field, value) in [("sync", "all"), ("read", "session"), ("zones", "strict")] {
        assert_eq!(orders[field], value, "{orders}");
    }
    cluster.run(&create).expect(1);
    cluster.run(&["keyspace", "create", "Not/A/Name", "--yes"]).expect(1);

    // One key, two records.
    cluster.run(&["kv", "put", "k", "mine"]).expect(0);
    let put = ["kv", "put", "k", "theirs", "--keyspace", "orders", "--json"];
    let put = cluster.run(&put).expect(0).json();
    assert_eq!(put["sync"], "all", "its own policy: {put}");
    assert_eq!(get(&cluster, &["k"]).as_deref(), Some("mine"));
    let read = cluster.run(&["kv", "get", "k", "--keyspace", "orders", "--json"]).expect(0).json();
    assert_eq!(read["level"], "session", "{read}");
    assert_eq!(get(&cluster, &["k", "--keyspace", "orders"]).as_deref(), Some("theirs"));
    let scanned = cluster.run(&["kv", "scan", "", "--keyspace", "orders", "--keys-only"]).expect(0);
    assert_eq!(scanned.stdout, "k\n");
    cluster.run(&["kv", "get", "k", "--keyspace", "nowhere"]).expect(1);

    let set = ["keyspace", "set", "orders", "--sync", "quorum", "--replicas", "4", "--yes"];
    cluster.run(&set).expect(0);
    wait_for("a fourth copy of each of its shards", SOON, || {
        let orders = listed(&cluster, "orders")?;
        let shards = cluster.ask(&["shards"]);
        let ours = shards.as_array()?.iter().filter(|shard| shard["keyspace"] == "orders");
        let full = |shard: &Value| shard["voters"].as_array().is_some_and(|all| all.len() == 4);
        (orders["replicas"] == 4 && ours.clone().count() == 3).then_some(())?;
        ours.clone().all(full).then_some(())
    });
    let put = ["kv", "put", "k", "theirs", "--keyspace", "orders", "--json"];
    assert_eq!(cluster.run(&put).expect(0).json()["sync"], "quorum");

    let drop = ["keyspace", "drop", "orders", "--override", "orders", "--yes"];
    cluster.run(&drop).expect(0);
    assert_eq!(listed(&cluster, "orders"), None);
    cluster.run(&["kv", "get", "k", "--keyspace", "orders"]).expect(1);
    assert_eq!(get(&cluster, &["k"]).as_deref(), Some("mine"));
    cluster.run(&["keyspace", "drop", "default", "--override", "default", "--yes"]).expect(1);
}

#[test]
fn a_restore_brings_a_dropped_keyspace_back() {
    let cluster = Cluster::start(3);
    let archive = cluster.folder().join("archive").display().to_string();
    cluster
        .run(&["keyspace", "create", "orders", "--shards", "2", "--read", "any", "--yes"])
        .expect(0);
    cluster.run(&["kv", "put", "k", "theirs", "--keyspace", "orders"]).expect(0);
    let made = cluster.ask(&["backup", "create", "--to", &archive, "--yes"]);
    let id = made["backup"].as_str().expect("the backup has an id");
    cluster.run(&["keyspace", "drop", "orders", "--override", "orders", "--yes"]).expect(0);
    cluster.run(&["restore", id, "--from", &archive, "--override", id, "--yes"]).expect(0);
    let level = ["--level", "linearizable"];
    let read = [&["k", "--keyspace", "orders"], &level[..]].concat();
    assert_eq!(get(&cluster, &read).as_deref(), Some("theirs"));
    assert_eq!(listed(&cluster, "orders").expect("it is back")["read"], "any");
    cluster.run(&["restore", "accept", "--yes", "--override", "accept"]).expect(0);
    cluster.wait_healthy();
    assert_eq!(get(&cluster, &read).as_deref(), Some("theirs"));
}

#[test]
fn a_batch_is_one_entry_for_each_shard_and_each_part_says_what_it_did() {
    let cluster = Cluster::start_with(&ClusterPlan { shards: 2, ..ClusterPlan::default() });
    cluster.run(&["kv", "put", "text", "no number"]).expect(0);
    let file = cluster.folder().join("batch");
    let puts = (0..40).map(|number| format!("put b/{number} value {number}"));
    let lines = puts.chain(["add counter 5".to_owned(), "delete text".to_owned()]);
    write(&file, &lines.collect::<Vec<_>>().join("\n"));
    let file_text = file.display().to_string();
    let done = cluster.run(&["kv", "batch", &file_text, "--json"]).expect(0).json();
    assert_eq!((done["result"].as_str(), done["keys"].as_u64()), (Some("ok"), Some(42)), "{done}");
    for shard in done["shards"].as_array().unwrap() {
        let indexes: Vec<_> = shard["keys"]
            .as_array()
            .unwrap()
            .iter()
            .map(|key| key["version"]["index"].as_u64())
            .collect();
        let first = indexes.first().copied().flatten().expect("an index");
        assert!(indexes.iter().all(|index| *index == Some(first)), "one entry: {indexes:?}");
    }
    assert_eq!(get(&cluster, &["b/39"]).as_deref(), Some("value 39"));
    assert_eq!(get(&cluster, &["text"]), None);

    cluster.run(&["kv", "put", "text", "no number"]).expect(0);
    write(&file, "put b/0 again\nadd text\n");
    let done = cluster.run(&["kv", "batch", &file_text, "--json"]).expect(1).json();
    assert_eq!(done["result"], "error", "{done}");
    assert!(done.to_string().contains("whole number"), "{done}");
    assert_eq!(get(&cluster, &["b/0"]).as_deref(), Some("again"), "the others stand");
    write(&file, "put a 1\nput a 2\n");
    let refused = cluster.run(&["kv", "batch", &file_text]).expect(1);
    assert!(refused.stderr.contains("twice"), "{}", refused.stderr);
}

#[test]
fn a_record_ends_when_its_time_is_over_on_every_node() {
    let cluster = Cluster::start(3);
    cluster.run(&["kv", "put", "short", "v", "--ttl", "1s"]).expect(0);
    cluster.run(&["kv", "put", "long", "v", "--ttl", "1h"]).expect(0);
    let long = cluster.run(&["kv", "get", "long", "--json"]).expect(0).json();
    let left_ms = long["expires_in_ms"].as_u64().expect("it ends");
    assert!(left_ms <= 3_600_000, "{long}");
    for agent in 0..3 {
        wait_for("it has ended, in whatever copy is read", SOON, || {
            let got = cluster.run_at(agent, &["kv", "get", "short", "--level", "any"]);
            (got.code == Some(1)).then_some(())
        });
    }
    assert_eq!(get(&cluster, &["short"]), None);
    // A write without an end has none.
    cluster.run(&["kv", "put", "long", "v"]).expect(0);
    let long = cluster.run(&["kv", "get", "long", "--json"]).expect(0).json();
    assert_eq!(long.get("expires_in_ms"), None, "{long}");
    cluster.run(&["kv", "put", "k", "v", "--ttl", "0s"]).expect(2);
}

#[expect(clippy::disallowed_methods, reason = "an operator's own file")]
fn write(file: &std::path::Path, text: &str) {
    std::fs::write(file, text).expect("the folder is writable");
}
