//! Shards that have lost most of their voters for good: what survives takes their place, once an
//! operator says so.

use std::collections::BTreeSet;
use std::time::Duration;

use evenkeel_tests::{Cluster, ClusterPlan, Writers, wait_for};
use serde_json::Value;

/// How long a change may take on a busy machine.
const SOON: Duration = Duration::from_secs(60);

fn unavailable(cluster: &Cluster) -> Option<Vec<u64>> {
    let shards = cluster.run(&["shards", "--json"]);
    (shards.code == Some(0)).then_some(())?;
    let shards = shards.json();
    let lost = shards.as_array()?.iter().filter(|shard| shard["health"] == "unavailable");
    lost.map(|shard| shard["id"].as_u64()).collect()
}

/// Two nodes that hold most of some shard's voters, and the system shard's majority outlives.
fn worst_pair(cluster: &Cluster) -> [String; 2] {
    let shards = cluster.ask(&["shards"]);
    let first = shards[0]["voters"].as_array().expect("it has voters").clone();
    let names: BTreeSet<String> =
        first.iter().filter_map(|voter| voter.as_str().map(str::to_owned)).collect();
    let mut names = names.into_iter();
    [names.next().expect("three voters"), names.next().expect("three voters")]
}

#[test]
fn what_survives_of_lost_shards_takes_their_place_when_an_operator_says_so() {
    let plan = ClusterPlan { nodes: 5, shards: 6, ..ClusterPlan::default() };
    let mut cluster = Cluster::start_with(&plan);
    let writers = Writers::start(cluster.addresses(), "lost", 4);
    writers.wait_for_more(300);
    let tally = writers.finish();
    // Whatever was acknowledged is on all copies now: so it is on those that survive.
    for shard in 1..=6 {
        cluster.assert_hashes_agree(shard);
    }
    let healthy =
        cluster.run(&["recover", "quorum-loss", "--to", "/tmp/x", "--override", "recover"]);
    assert_eq!(healthy.code, Some(1), "{}", healthy.stderr);
    assert!(healthy.stderr.contains("has its majority"), "{}", healthy.stderr);

    let victims = worst_pair(&cluster);
    for name in &victims {
        let at = cluster.agents.iter().position(|agent| agent.plan.name == *name);
        cluster.agents[at.expect("agents have their names")].kill();
    }
    let lost = wait_for("some shard has lost its majority", SOON, || {
        for name in &victims {
            let nodes = cluster.ask(&["nodes"]);
            let node = nodes.as_array()?.iter().find(|node| node["name"] == name.as_str())?.clone();
            (node["state"] == "DOWN").then_some(())?;
        }
        unavailable(&cluster).filter(|lost| !lost.is_empty())
    });
    let ids: Vec<String> = lost.iter().map(u64::to_string).collect();
    let archive = cluster.folder().join("salvaged").display().to_string();
    let words: Vec<&str> =
        ["recover", "quorum-loss"].into_iter().chain(ids.iter().map(String::as_str)).collect();
    let unasked = cluster.run(&[&words[..], &["--to", &archive, "--yes"]].concat()).expect(2);
    assert!(unasked.stderr.contains("--override recover"), "{}", unasked.stderr);
    assert!(unasked.stderr.contains("whose log ends at"), "{}", unasked.stderr);
    let all = [&words[..], &["--to", &archive, "--override", "recover"]].concat();
    let recovered = cluster.ask(&all);
    assert_eq!(recovered["done"], true, "{recovered}");

    wait_for("every shard is written again", SOON, || {
        unavailable(&cluster).filter(Vec::is_empty).map(drop)
    });
    let more = Writers::start(cluster.addresses(), "found", 4);
    more.wait_for_more(100);
    more.finish().assert_kept(cluster.addresses());
    let survivors: Vec<String> = cluster
        .agents
        .iter()
        .filter(|agent| !victims.contains(&agent.plan.name))
        .map(|agent| agent.plan.rpc.clone())
        .collect();
    tally.assert_kept(survivors);
    let undo = cluster.run(&["restore", "undo", "--override", "restore", "--yes"]);
    assert_ne!(undo.code, Some(0), "what has no majority can't be put back");

    // The lost come back after all: what they hold of those shards counts no more.
    for agent in &mut cluster.agents {
        if !agent.is_running() {
            agent.start();
        }
    }
    let accepted = cluster.ask(&["restore", "accept", "--yes"]);
    assert_eq!(accepted["done"], true, "{accepted}");
    cluster.wait_healthy();
    tally.assert_kept(cluster.addresses());
    let shards = cluster.ask(&["shards"]);
    let held = |shard: &Value| shard["id"].as_u64().is_some_and(|id| lost.contains(&id));
    assert!(!shards.as_array().is_some_and(|all| all.iter().any(held)), "{shards}");
}
