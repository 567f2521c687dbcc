//! A node that was away longer than the log reaches comes back by snapshot.

use bytes::Bytes;
use evenkeel_tests::{Client, Cluster, ClusterPlan};

/// Entries that must pass while it is away: above what a replica keeps of its log, which is at
/// most the 5,000 between two cuts and the 1,000 behind.
const ENTRIES: u64 = 6_500;
/// Keys written between two looks at how many entries they became.
const ROUND: u64 = 1_000;
/// Rounds at most: one entry holds what was waiting when it was made, a handful of writes.
const ROUNDS_MAX: u64 = 100;

#[test]
fn a_node_that_was_away_longer_than_the_log_reaches_returns_by_snapshot() {
    // openraft says at this level how a replica caught up.
    let flags = ["--log", "info,openraft=info"].map(str::to_owned).to_vec();
    let plan = ClusterPlan { shards: 1, flags, ..ClusterPlan::default() };
    let mut cluster = Cluster::start_with(&plan);
    let leader = cluster.busiest();
    let away = (leader + 1) % 3;
    let client = Client::new(cluster.addresses());
    let record = |number: u64| {
        // Keys are written over again: the snapshot is much shorter than the log.
        let value = Bytes::from(number.to_string());
        (format!("{{away}}/{}", number % 500), value)
    };
    client.put_all((0..500).map(record));
    cluster.agents[away].kill();
    let before = committed(&cluster);
    let mut written = 500;
    for _ in 0..ROUNDS_MAX {
        if committed(&cluster) >= before + ENTRIES {
            break;
        }
        client.put_all((written..written + ROUND).map(record));
        written += ROUND;
    }
    assert!(committed(&cluster) >= before + ENTRIES, "{written} writes were too few entries");

    cluster.agents[away].start();
    cluster.wait_healthy();
    let hashes = cluster.assert_hashes_agree(1);
    for replica in hashes["replicas"].as_array().unwrap() {
        assert_eq!(replica["records"], 500, "{hashes}");
        assert!(replica["index"].as_u64().unwrap() >= before + ENTRIES, "{hashes}");
    }
    let log = cluster.agents[away].log();
    assert!(log.contains("filled from a snapshot"), "it came back by its log");
    // What it holds is enough to serve without one of those it learned from.
    cluster.agents[leader].kill();
    let last: Vec<_> = (written - 500..written).map(record).collect();
    assert_eq!(client.wrong(last), Vec::<String>::new());
}

/// The index up to which the shard's log is committed.
fn committed(cluster: &Cluster) -> u64 {
    let shards = cluster.run(&["shards", "--json"]).expect(0).json();
    shards[0]["committed"].as_u64().expect("its leader is known")
}
