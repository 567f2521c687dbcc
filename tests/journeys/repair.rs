//! A node stays away for longer than its grace: others take over its replicas. Until it leaves for
//! good, nothing is lost; afterwards nothing is missing.

use std::time::Duration;

use evenkeel_tests::{Cluster, ClusterPlan, Writers, wait_for};
use serde_json::Value;

/// How long replicas may take to be rebuilt on a busy machine.
const REPAIRED_MAX: Duration = Duration::from_secs(120);

fn has_voter(shard: &Value, node: &str) -> bool {
    shard["voters"].as_array().is_some_and(|voters| voters.iter().any(|voter| voter == node))
}

#[test]
fn replicas_of_a_node_that_stays_down_are_rebuilt_elsewhere() {
    let flags = ["--grace", "2s"].map(str::to_owned).to_vec();
    let plan = ClusterPlan { nodes: 4, flags, ..ClusterPlan::default() };
    let mut cluster = Cluster::start_with(&plan);
    let writers = Writers::start(cluster.addresses(), "repair", 4);
    writers.wait_for_more(200);
    let lost = cluster.busiest();
    let name = cluster.agents[lost].plan.name.clone();
    cluster.agents[lost].kill();

    wait_for("every shard has three voters on living nodes", REPAIRED_MAX, || {
        let shards = cluster.run(&["shards", "--json"]);
        (shards.code == Some(0)).then_some(())?;
        let shards = shards.json();
        let whole = |shard: &Value| {
            let count = shard["voters"].as_array().map_or(0, Vec::len);
            count == 3 && !has_voter(shard, &name) && shard["health"] == "ok"
        };
        shards.as_array()?.iter().all(whole).then_some(())
    });
    writers.wait_for_more(200);
    let events = cluster.ask(&["events", "--limit", "500"]).to_string();
    assert!(events.contains(&format!("in the place of {name}")), "the journal says why: {events}");

    // The copies that were made hold what the lost ones held, without another of the old ones.
    let other = cluster.busiest();
    cluster.agents[other].kill();
    writers.wait_for_more(200);
    writers.finish().assert_kept(cluster.addresses());

    // Whoever comes back is taken in again.
    cluster.agents[lost].start();
    cluster.agents[other].start();
    cluster.wait_healthy();
    for shard in 1..=4 {
        cluster.assert_hashes_agree(shard);
    }
}
