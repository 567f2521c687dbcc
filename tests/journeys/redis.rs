//! Stock Redis clients can be used: through any node, or by those that find the way themselves.

use std::collections::BTreeMap;

use evenkeel_tests::{Cluster, ClusterPlan, Resp};
use serde_json::Value;

#[test]
fn redis_commands_are_answered_by_any_node() {
    let cluster = Cluster::start(3);
    let mut connections: Vec<Resp> =
        cluster.agents.iter().map(|agent| Resp::connect(&agent.plan.resp)).collect();
    for connection in &mut connections {
        connection.check(&["PING"], "+PONG\r\n");
    }
    for (number, key) in ["a", "b", "c", "d", "e", "f"].iter().enumerate() {
        let nodes = [number % 3, (number + 1) % 3, (number + 2) % 3];
        connections[nodes[0]].check(&["GET", key], "$-1\r\n");
        connections[nodes[0]].check(&["SET", key, "value"], "+OK\r\n");
        connections[nodes[1]].check(&["GET", key], "$5\r\nvalue\r\n");
        connections[nodes[1]].check(&["APPEND", key, "s"], ":6\r\n");
        connections[nodes[2]].check(&["GETRANGE", key, "-2", "-1"], "$2\r\nes\r\n");
        connections[nodes[2]].check(&["DEL", key], ":1\r\n");
        connections[nodes[0]].check(&["GET", key], "$-1\r\n");
    }
    connections[0].check(&["SET", "seen", "everywhere"], "+OK\r\n");
    assert_eq!(cluster.run(&["kv", "get", "seen"]).expect(0).stdout, "everywhere");
}

#[test]
fn keys_of_all_shards_are_written_walked_and_end() {
    let cluster = Cluster::start(3);
    let mut redis = Resp::connect(&cluster.agents[1].plan.resp);
    let keys: Vec<String> = (0..60).map(|number| format!("key{number}")).collect();
    let pairs: Vec<&str> = keys.iter().flat_map(|key| [key.as_str(), "v"]).collect();
    redis.check(&[&["MSET"], &pairs[..]].concat(), "+OK\r\n");
    redis.check(&["DBSIZE"], ":60\r\n");
    redis.check(&["EXISTS", "key1", "key2", "nokey"], ":2\r\n");
    redis.check(
        &["SCAN", "0", "COUNT", "10000", "MATCH", "key7"],
        "*2\r\n$1\r\n0\r\n*1\r\n$4\r\nkey7\r\n",
    );
    redis.check(&["KEYS", "key5?"], "*10\r\n");
    let mut redis = Resp::connect(&cluster.agents[2].plan.resp);
    redis.check(&["INCR", "n"], ":1\r\n");
    redis.check(&["RENAME", "{n}", "n"], "-ERR no such key\r\n");
    redis.check(&["RENAME", "n", "{n}"], "+OK\r\n");
    redis.check(&["EXPIRE", "{n}", "3600"], ":1\r\n");
    redis.check(&["INCR", "{n}"], ":2\r\n");
    redis.check(&["PEXPIRE", "{n}", "-1"], ":1\r\n");
    redis.check(&["TTL", "{n}"], ":-2\r\n");
    redis.check(&["WAIT", "1", "1000"], ":1\r\n");
    let all: Vec<&str> = keys.iter().map(String::as_str).collect();
    redis.check(&[&["DEL"], &all[..]].concat(), ":60\r\n");
}

/// The number of an agent's node, and where it serves those who find the way.
fn nodes(cluster: &Cluster) -> BTreeMap<String, String> {
    let nodes = cluster.ask(&["nodes"]);
    let of =
        |node: &Value| Some((node["name"].as_str()?.into(), node["resp_cluster"].as_str()?.into()));
    nodes.as_array().into_iter().flatten().filter_map(of).collect()
}

#[test]
fn a_client_that_finds_the_way_is_sent_to_the_leader_of_its_key() {
    let flags = ["--resp-cluster", "127.0.0.1:0"].map(str::to_owned).to_vec();
    let mut cluster = Cluster::start_with(&ClusterPlan { flags, ..ClusterPlan::default() });
    cluster.run(&["kv", "put", "k", "v"]).expect(0);
    let at = nodes(&cluster);
    let leader = cluster.leader_of("k");
    let address = |cluster: &Cluster, agent: usize| at[&cluster.agents[agent].plan.name].clone();
    let (leads, other) = (address(&cluster, leader), address(&cluster, (leader + 1) % 3));
    Resp::connect(&leads).check(&["GET", "k"], "$1\r\nv\r\n");
    let moved = format!("-MOVED 7629 {leads}\r\n");
    let mut redis = Resp::connect(&other);
    redis.check(&["CLUSTER", "KEYSLOT", "k"], ":7629\r\n");
    redis.check(&["GET", "k"], &moved);
    redis.check(&["SET", "k", "w"], &moved);
    redis.check(&["MGET", "k", "l"], "-CROSSSLOT Keys in request don't hash to the same slot\r\n");
    redis.check(&["CLUSTER", "INFO"], "$");
    // Through the other port any node serves every key.
    Resp::connect(&cluster.agents[(leader + 1) % 3].plan.resp).check(&["GET", "k"], "$1\r\nv\r\n");

    cluster.agents[leader].kill();
    let next = evenkeel_tests::wait_for(
        "the client is sent elsewhere",
        std::time::Duration::from_secs(30),
        || {
            let now = cluster.leader_of("k");
            (now != leader).then(|| address(&cluster, now))
        },
    );
    Resp::connect(&next).check(&["GET", "k"], "$1\r\nv\r\n");
}
