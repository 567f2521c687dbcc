//! `evenkeel demo --headless`: a whole cluster from one command, and nothing left after it.

use std::time::Duration;

use evenkeel_tests::{Ports, Running, evenkeel, is_alive, wait_for};

/// How long five agents in a debug build may take to be healthy.
const HEALTHY_MAX: Duration = Duration::from_secs(100);
/// How long they may take to end.
const END_MAX: Duration = Duration::from_secs(40);

#[test]
fn a_headless_demo_prints_its_line_serves_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let ports = Ports::block();
    let base = ports.base().to_string();
    let words = ["demo", "--headless", "--base-port", &base, "--load", "50", "--shards", "8"];
    let mut demo = Running::start(&words, folder.path(), "demo");
    let line = wait_for("the demo prints its line", HEALTHY_MAX, || {
        assert!(demo.is_running(), "it has ended: {}", demo.complained());
        let said = demo.said();
        said.ends_with('\n').then_some(said)
    });
    assert_eq!(line.lines().count(), 1, "{line}");
    let row: serde_json::Value = serde_json::from_str(&line).unwrap();
    let nodes = row["nodes"].as_array().unwrap();
    assert_eq!(nodes.len(), 5, "{row}");
    let pids: Vec<u32> =
        nodes.iter().map(|node| node["pid"].as_u64().unwrap().try_into().unwrap()).collect();
    assert!(pids.iter().all(|pid| is_alive(*pid)), "{row}");
    let data = nodes[0]["data"].as_str().unwrap().to_owned();
    assert!(std::path::Path::new(&data).is_dir(), "{row}");

    let rpc = nodes[3]["rpc"].as_str().unwrap();
    // Its line says that one agent has seen it healthy; another may be a heartbeat behind.
    evenkeel(&["--connect", rpc, "wait", "--until", "healthy", "--nodes", "5"]).expect(0);
    let status = evenkeel(&["--connect", rpc, "status", "--json"]).json();
    assert_eq!((&status["nodes"]["up"], &status["shards"]["ok"]), (&5.into(), &8.into()));
    evenkeel(&["--connect", rpc, "kv", "put", "a", "b"]).expect(0);

    demo.terminate();
    wait_for("the demo ends", END_MAX, || (!demo.is_running()).then_some(()));
    assert_eq!(demo.code(), Some(0), "{}", demo.complained());
    wait_for("no agent is left", END_MAX, || pids.iter().all(|pid| !is_alive(*pid)).then_some(()));
    let left: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .filter(|name| name != "demo.out" && name != "demo.err")
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn agents_end_when_their_demo_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let ports = Ports::block();
    let base = ports.base().to_string();
    let words = [
        "demo",
        "--headless",
        "--nodes",
        "3",
        "--shards",
        "4",
        "--base-port",
        &base,
        "--load",
        "0",
    ];
    let mut demo = Running::start(&words, folder.path(), "demo");
    let line = wait_for("the demo prints its line", HEALTHY_MAX, || {
        assert!(demo.is_running(), "it has ended: {}", demo.complained());
        let said = demo.said();
        said.ends_with('\n').then_some(said)
    });
    let row: serde_json::Value = serde_json::from_str(&line).unwrap();
    let nodes = row["nodes"].as_array().unwrap();
    let pids: Vec<u32> =
        nodes.iter().map(|node| node["pid"].as_u64().unwrap().try_into().unwrap()).collect();
    demo.kill();
    wait_for("no agent is left", END_MAX, || pids.iter().all(|pid| !is_alive(*pid)).then_some(()));
}
