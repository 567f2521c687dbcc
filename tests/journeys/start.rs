//! Three agents, started by hand in any order, form one cluster that says so in its contract.

use evenkeel_tests::{Agent, Cluster, ClusterPlan};

#[test]
fn agents_started_in_any_order_form_one_healthy_cluster() {
    let mut cluster = Cluster::plan(&ClusterPlan::default());
    // The founder comes last: those who join go on asking until it answers.
    cluster.agents.iter_mut().rev().for_each(Agent::start);
    cluster.wait_healthy();

    let status = cluster.ask(&["status"]);
    assert_eq!(status["health"], "ok", "{status}");
    assert_eq!(status["nodes"]["total"], 3, "{status}");
    assert_eq!(status["nodes"]["up"], 3, "{status}");
    assert_eq!(status["shards"]["total"], 4, "{status}");
    assert_eq!(status["shards"]["ok"], 4, "{status}");
    assert_eq!(status["shards"]["under_replicated"], 0, "{status}");
    assert_eq!(status["shards"]["unavailable"], 0, "{status}");

    for agent in 0..3 {
        // Each goes by what it has heard itself, which may be a moment later.
        let healthy = ["wait", "--until", "healthy", "--nodes", "3", "--timeout", "60s"];
        cluster.run_at(agent, &healthy).expect(0);
        let seen = cluster.run_at(agent, &["status", "--json"]).expect(0).json();
        assert_eq!(seen["cluster"], status["cluster"], "every agent is in the same cluster");
    }
}

#[test]
fn nodes_and_shards_are_listed_with_the_fields_of_the_contract() {
    let cluster = Cluster::start(3);
    let nodes = cluster.ask(&["nodes"]);
    let nodes = nodes.as_array().unwrap();
    assert_eq!(nodes.len(), 3);
    for node in nodes {
        for field in
            ["name", "id", "state", "zone", "rpc", "incarnation", "leaders", "replicas", "phi"]
        {
            assert!(node.get(field).is_some(), "{field} of {node}");
        }
        assert_eq!(node["state"], "UP", "{node}");
    }
    let zones: Vec<&str> = nodes.iter().filter_map(|node| node["zone"].as_str()).collect();
    assert!(["a", "b", "c"].iter().all(|zone| zones.contains(zone)), "{zones:?}");

    let shards = cluster.ask(&["shards"]);
    let mut slots = 0;
    for shard in shards.as_array().unwrap() {
        assert_eq!(shard["voters"].as_array().unwrap().len(), 3, "{shard}");
        assert!(shard["leader"].is_string(), "{shard}");
        for range in shard["slots"].as_array().unwrap() {
            slots += range[1].as_u64().unwrap() - range[0].as_u64().unwrap() + 1;
        }
    }
    assert_eq!(slots, 16_384, "every slot has its shard: {shards}");
}
