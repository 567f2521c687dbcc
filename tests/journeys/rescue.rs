//! A cluster that is lost for good: most of its agents' folders are gone, the system shard's
//! majority with them. What the others hold is put into an archive, and into a new cluster.

use evenkeel_tests::{Client, Cluster, ClusterPlan, Writers, evenkeel};
use serde_json::Value;

fn rescue(cluster: &Cluster, agents: &[usize], to: &str) -> Value {
    let folders: Vec<String> =
        agents.iter().map(|at| cluster.agents[*at].plan.data().display().to_string()).collect();
    let folders = folders.iter().map(String::as_str);
    let words: Vec<&str> =
        ["agent", "rescue"].into_iter().chain(folders).chain(["--to", to, "--json"]).collect();
    evenkeel(&words).expect(0).json()
}

fn restore(id: &str, from: &str) -> Cluster {
    let cluster = Cluster::start(3);
    let words = ["restore", id, "--from", from, "--override", id, "--yes", "--timeout", "60s"];
    let restored = cluster.ask(&words);
    assert_eq!(restored["done"], true, "{restored}");
    cluster
}

#[test]
fn two_of_three_folders_hold_every_acknowledged_write() {
    let mut lost = Cluster::start(3);
    lost.ask(&["keyspace", "create", "orders", "--shards", "4", "--yes"]);
    lost.run(&["kv", "put", "a", "ordered", "--keyspace", "orders"]).expect(0);
    let writers = Writers::start(lost.addresses(), "rescued", 4);
    writers.wait_for_more(200);
    lost.agents.iter_mut().for_each(evenkeel_tests::Agent::kill);

    let archive = lost.folder().join("archive").display().to_string();
    let told = rescue(&lost, &[2, 0], &archive);
    assert_eq!(told["missing"], serde_json::json!(["n2"]), "{told}");
    let shards = told["shards"].as_array().expect("each shard is told");
    assert_eq!(shards.len(), 8, "{told}");
    assert!(shards.iter().all(|shard| shard["whole"] == true), "{told}");
    assert_eq!(told["system"]["whole"], true, "{told}");
    assert_eq!(told["troubles"], serde_json::json!([]), "{told}");
    let id = told["backup"]["id"].as_str().expect("it was written").to_owned();

    let found = restore(&id, &archive);
    // Only now, for whoever waits for the lost cluster waits for a minute.
    writers.finish().assert_kept(found.addresses());
    let got = found.run(&["kv", "get", "a", "--keyspace", "orders"]).expect(0);
    assert_eq!(got.stdout, "ordered");

    // The folders are what they were: their own agents still form the old cluster.
    lost.agents.iter_mut().for_each(evenkeel_tests::Agent::start);
    lost.wait_healthy();
}

#[test]
fn one_folder_of_three_says_what_may_be_missing() {
    let mut lost = Cluster::start_with(&ClusterPlan { shards: 2, ..ClusterPlan::default() });
    let record = |number| (format!("kept/{number}"), format!("value {number}").into());
    Client::new(lost.addresses()).put_all((0..50).map(record));
    for shard in 1..=2 {
        lost.assert_hashes_agree(shard);
    }
    let folder = lost.agents[1].plan.data().display().to_string();
    let busy = evenkeel(&["agent", "rescue", &folder]).expect(1);
    assert!(busy.stderr.contains("in use by process"), "{}", busy.stderr);
    let nobodys = lost.folder().display().to_string();
    let refused = evenkeel(&["agent", "rescue", &nobodys]).expect(1);
    assert!(refused.stderr.contains("node.json"), "{}", refused.stderr);

    lost.agents.iter_mut().for_each(evenkeel_tests::Agent::kill);
    let shown = evenkeel(&["agent", "rescue", &folder]).expect(0);
    assert!(shown.stdout.contains("no majority: without n1, n3"), "{}", shown.stdout);
    assert!(shown.stdout.contains("nothing was written"), "{}", shown.stdout);

    let archive = lost.folder().join("archive").display().to_string();
    let told = rescue(&lost, &[1], &archive);
    let id = told["backup"]["id"].as_str().expect("it was written").to_owned();
    let found = restore(&id, &archive);
    let kept = (0..50).map(record).collect();
    assert_eq!(Client::new(found.addresses()).wrong(kept), Vec::<String>::new());

    // Without its log a folder knows nothing, and is not taken for an empty cluster.
    std::fs::remove_dir_all(lost.agents[1].plan.data().join("wal")).unwrap();
    let nothing = evenkeel(&["agent", "rescue", &folder, "--to", &archive]).expect(1);
    assert!(nothing.stderr.contains("none of these folders"), "{}", nothing.stderr);
}
