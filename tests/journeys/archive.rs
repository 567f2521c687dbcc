//! Backups: made under load, restored into a fresh cluster, or over a running one and back.

use std::path::Path;

use evenkeel_tests::{Client, Cluster, Writers};
use serde_json::Value;

/// The id of the only backup that an agent lists.
fn create(cluster: &Cluster, archive: &Path) -> String {
    let archive = archive.display().to_string();
    let made = cluster.ask(&["backup", "create", "--to", &archive, "--yes", "--timeout", "60s"]);
    assert_eq!(made["done"], true, "{made}");
    let id = made["backup"].as_str().expect("the backup has an id").to_owned();
    let listed = cluster.ask(&["backup", "list"]);
    let listed = listed.as_array().expect("a list");
    assert!(listed.iter().any(|backup| backup["id"] == id.as_str()), "{listed:?}");
    id
}

/// Restores, over whatever is there.
fn restore(cluster: &Cluster, id: &str, archive: &Path) -> Value {
    let archive = archive.display().to_string();
    cluster.ask(&["restore", id, "--from", &archive, "--override", id, "--yes", "--timeout", "60s"])
}

#[test]
fn a_backup_made_under_load_is_restored_into_a_fresh_cluster() {
    let archive = tempfile::tempdir().unwrap();
    let (id, before) = {
        let cluster = Cluster::start(3);
        let client = Client::new(cluster.addresses());
        let record = |number| (format!("kept/{number}"), format!("value {number}").into());
        client.put_all((0..300).map(record));
        let writers = Writers::start(cluster.addresses(), "load", 4);
        writers.wait_for_more(100);
        let id = create(&cluster, archive.path());
        writers.wait_for_more(50);
        writers.finish();
        let kept: Vec<_> = (0..300).map(record).collect();
        (id, kept)
        // The cluster and all its data go here.
    };
    let cluster = Cluster::start(3);
    let restored = restore(&cluster, &id, archive.path());
    assert_eq!(restored["done"], true, "{restored}");
    cluster.run(&["restore", "accept", "--yes", "--override", "accept"]).expect(0);
    cluster.wait_healthy();
    assert_eq!(Client::new(cluster.addresses()).wrong(before), Vec::<String>::new());
    for shard in cluster.ask(&["shards"]).as_array().unwrap() {
        cluster.assert_hashes_agree(shard["id"].as_u64().unwrap());
    }
}

#[test]
fn a_restore_over_a_running_cluster_can_be_undone_and_accepted() {
    let cluster = Cluster::start(3);
    let archive = cluster.folder().join("archive");
    let get = |key: &str| {
        let got = cluster.run(&["kv", "get", key]);
        (got.code == Some(0)).then_some(got.stdout)
    };
    cluster.run(&["kv", "put", "a", "old"]).expect(0);
    // As many shards, and so the same slots: what is whose must not be mixed up.
    cluster.ask(&["keyspace", "create", "orders", "--shards", "4", "--yes"]);
    cluster.run(&["kv", "put", "a", "ordered", "--keyspace", "orders"]).expect(0);
    let ordered = || cluster.run(&["kv", "get", "a", "--keyspace", "orders"]).expect(0).stdout;
    let id = create(&cluster, &archive);
    cluster.run(&["kv", "put", "a", "new"]).expect(0);
    cluster.run(&["kv", "put", "b", "later"]).expect(0);

    restore(&cluster, &id, &archive);
    assert_eq!((get("a").as_deref(), get("b")), (Some("old"), None), "restored");
    assert_eq!(ordered(), "ordered", "restored");
    cluster.run(&["restore", "undo", "--yes", "--override", "undo"]).expect(0);
    assert_eq!((get("a").as_deref(), get("b").as_deref()), (Some("new"), Some("later")), "undone");

    restore(&cluster, &id, &archive);
    cluster.run(&["restore", "accept", "--yes", "--override", "accept"]).expect(0);
    assert_eq!((get("a").as_deref(), get("b")), (Some("old"), None), "accepted");
    assert_eq!(ordered(), "ordered", "accepted");
    // There is nothing left to go back to.
    cluster.run(&["restore", "undo", "--yes", "--override", "undo"]).expect(1);
    cluster.wait_healthy();
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the archive is damaged behind the agents' backs")]
fn a_damaged_backup_is_refused_and_changes_nothing() {
    let cluster = Cluster::start(3);
    let archive = cluster.folder().join("archive");
    cluster.run(&["kv", "put", "a", "kept"]).expect(0);
    let id = create(&cluster, &archive);
    let mut chunks = Vec::new();
    files_below(&archive.join("chunks"), &mut chunks);
    for chunk in chunks {
        let mut bytes = std::fs::read(&chunk).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&chunk, bytes).unwrap();
    }
    let from = archive.display().to_string();
    let words = ["restore", &id, "--from", &from, "--override", &id, "--yes", "--timeout", "60s"];
    let output = cluster.run(&words).expect(1);
    assert!(output.stderr.contains("damaged"), "{}", output.stderr);
    cluster.run(&["wait", "--until", "settled", "--timeout", "30s"]).expect(0);
    assert_eq!(cluster.run(&["kv", "get", "a"]).expect(0).stdout, "kept");
    cluster.run(&["kv", "put", "a", "served"]).expect(0);
}

fn files_below(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("the archive has chunks") {
        let path = entry.expect("it can be listed").path();
        if path.is_dir() { files_below(&path, found) } else { found.push(path) }
    }
}
