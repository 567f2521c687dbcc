//! Rust's Redis client, which knows nothing of Evenkeel: plain through any node, and as a client of
//! a Redis Cluster that finds the way itself, while a leader dies. (Its blocking cluster client asks
//! a dead node for ever, whoever serves the others: only the asynchronous one asks for a new map.)

use std::collections::BTreeMap;
use std::time::Duration;

use evenkeel_tests::{Cluster, ClusterPlan, wait_for};
use redis::cluster::ClusterClient;
use redis::{AsyncCommands, Client, Commands, Connection, RedisResult};

/// Keys of all shards.
const KEYS: usize = 200;
/// Longest wait for a failover.
const PATIENCE: Duration = Duration::from_secs(30);

fn connect(address: &str, protocol: &str) -> Connection {
    let url = format!("redis://{address}/?protocol={protocol}");
    let client = Client::open(url).expect("a URL of the right form");
    client.get_connection().expect("the agent speaks the protocol")
}

#[test]
fn a_plain_client_uses_any_node_in_both_protocols() {
    let cluster = Cluster::start(3);
    for (agent, protocol) in cluster.agents.iter().zip(["resp2", "resp3", "resp3"]) {
        let mut redis = connect(&agent.plan.resp, protocol);
        let key = format!("of-{}", agent.plan.name);
        let _: () = redis.set_ex(&key, "value", 3_600).unwrap();
        let left: i64 = redis.ttl(&key).unwrap();
        assert!((1..=3_600).contains(&left), "{left}");
        let sum: i64 = redis.incr("everybody", 1).unwrap();
        assert!((1..=3).contains(&sum));

        let mut pipeline = redis::pipe();
        for number in 0..KEYS {
            pipeline.set(format!("{key}/{number}"), number).ignore();
        }
        pipeline.get(format!("{key}/{}", KEYS - 1));
        let last: Vec<usize> = pipeline.query(&mut redis).unwrap();
        assert_eq!(last, [KEYS - 1]);
        let walked: Vec<String> = redis
            .scan_match::<_, String>(format!("{key}/*"))
            .unwrap()
            .collect::<RedisResult<_>>()
            .unwrap();
        assert_eq!(walked.len(), KEYS);
    }
    let mut redis = connect(&cluster.agents[0].plan.resp, "resp3");
    let counted: i64 = redis.get("everybody").unwrap();
    assert_eq!(counted, 3);
    let wrong: RedisResult<i64> = redis.incr("of-n1", 1);
    assert!(wrong.is_err_and(|error| error.to_string().contains("not an integer")));
}

#[test]
fn a_cluster_client_loses_nothing_that_was_acknowledged_when_a_leader_dies() {
    let flags = ["--resp-cluster", "127.0.0.1:0"].map(str::to_owned).to_vec();
    let mut cluster = Cluster::start_with(&ClusterPlan { flags, ..ClusterPlan::default() });
    let nodes = cluster.ask(&["nodes"]);
    let seeds = nodes.as_array().into_iter().flatten();
    let seeds: Vec<String> = seeds
        .filter_map(|node| Some(format!("redis://{}/", node["resp_cluster"].as_str()?)))
        .collect();
    assert_eq!(seeds.len(), 3);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let client = ClusterClient::new(seeds).unwrap();
    let mut redis = runtime.block_on(client.get_async_connection()).expect("the map can be read");
    let mut acknowledged = BTreeMap::new();
    for number in 0..KEYS {
        if number == KEYS / 2 {
            let busiest = cluster.busiest();
            cluster.agents[busiest].kill();
        }
        let key = format!("key{number}");
        // Between the death and the new map, the client may be told to come back.
        wait_for("the write is acknowledged", PATIENCE, || {
            runtime.block_on(AsyncCommands::set::<_, _, ()>(&mut redis, &key, number)).ok()
        });
        acknowledged.insert(key, number);
    }
    for (key, number) in acknowledged {
        let found = wait_for("it is read", PATIENCE, || {
            runtime.block_on(AsyncCommands::get::<_, Option<usize>>(&mut redis, &key)).ok()
        });
        assert_eq!(found, Some(number), "{key}");
    }
    let same_slot: Vec<usize> = runtime.block_on(async {
        let _: () = AsyncCommands::mset(&mut redis, &[("{t}a", 1), ("{t}b", 2)]).await.unwrap();
        AsyncCommands::mget(&mut redis, &["{t}a", "{t}b"]).await.unwrap()
    });
    assert_eq!(same_slot, [1, 2]);
}
