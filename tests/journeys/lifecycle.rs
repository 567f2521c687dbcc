//! The whole life of a cluster under load: nodes come, one is emptied and leaves, one is lost with
//! its zone and comes back. Nothing that was acknowledged is lost, and nothing is refused.

use std::time::Duration;

use evenkeel_tests::{Cluster, ClusterPlan, Writers, wait_for};

/// How long a change may take on a busy machine.
const CHANGED_MAX: Duration = Duration::from_secs(120);

fn balanced(cluster: &Cluster, nodes: &str) {
    let words = ["wait", "--until", "balanced", "--nodes", nodes, "--timeout", "120s"];
    cluster.run(&words).expect(0);
}

fn replicas(cluster: &Cluster, name: &str) -> Option<u64> {
    let nodes = cluster.run(&["nodes", "--json"]);
    (nodes.code == Some(0)).then_some(())?;
    let nodes = nodes.json();
    nodes.as_array()?.iter().find(|node| node["name"] == name)?["replicas"].as_u64()
}

#[test]
fn nodes_come_leave_are_lost_and_return_under_load() {
    let flags = ["--grace", "2s"].map(str::to_owned).to_vec();
    let mut cluster = Cluster::plan(&ClusterPlan { nodes: 5, shards: 6, flags });
    cluster.agents.iter_mut().take(3).for_each(evenkeel_tests::Agent::start);
    balanced(&cluster, "3");
    let writers = Writers::start(cluster.addresses()[..3].to_vec(), "life", 4);
    writers.wait_for_more(100);

    cluster.agents.iter_mut().skip(3).for_each(evenkeel_tests::Agent::start);
    balanced(&cluster, "5");
    for name in ["n4", "n5"] {
        assert!(replicas(&cluster, name) > Some(0), "{name} carries its share");
    }
    writers.wait_for_more(100);

    let drained = cluster.ask(&["node", "drain", "n2", "--yes"]);
    assert_eq!(drained["done"], true, "{drained}");
    cluster.wait_state("n2", "DRAINED");
    assert_eq!(replicas(&cluster, "n2"), Some(0));
    // It still votes in the system shard until another does.
    wait_for("it may leave", CHANGED_MAX, || {
        let left = cluster.run(&["node", "evict", "n2", "--yes", "--override", "n2", "--json"]);
        (left.code == Some(0)).then_some(())
    });
    cluster.agents[1].terminate();
    balanced(&cluster, "4");
    writers.wait_for_more(100);

    // Each agent is a zone of its own here.
    cluster.agents[4].kill();
    wait_for("every copy is where somebody lives", CHANGED_MAX, || {
        let shards = cluster.run(&["shards", "--json"]);
        (shards.code == Some(0)).then_some(())?;
        let shards = shards.json();
        let whole = |shard: &serde_json::Value| {
            let voters = shard["voters"].to_string();
            shard["health"] == "ok" && !voters.contains("n5") && !voters.contains("n2")
        };
        shards.as_array()?.iter().all(whole).then_some(())
    });
    writers.wait_for_more(100);

    cluster.agents[4].start();
    balanced(&cluster, "4");
    assert!(replicas(&cluster, "n5") > Some(0), "it carries its share again");
    writers.wait_for_more(100);
    let tally = writers.finish();
    assert_eq!(tally.refused, 0);
    tally.assert_kept(cluster.addresses());
}
