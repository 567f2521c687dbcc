//! When writes are acknowledged, and what a session is told when one was not acknowledged by enough.

use std::time::Duration;

use evenkeel_shared::client::ClientError;
use evenkeel_shared::command::OperationResult;
use evenkeel_shared::error::StoreError;
use evenkeel_shared::view::SyncPolicy;
use evenkeel_tests::{Client, Cluster, ClusterPlan, wait_for};

const SOON: Duration = Duration::from_secs(30);

#[test]
fn a_write_says_whose_disks_have_it() {
    let mut cluster = Cluster::start(3);
    cluster.run(&["kv", "put", "k", "v0"]).expect(0);
    for (sync, word) in [("leader", "provisional"), ("quorum", "ok"), ("all", "ok")] {
        let put = cluster.run(&["kv", "put", "k", sync, "--sync", sync, "--json"]).expect(0).json();
        assert_eq!((put["result"].as_str(), put["sync"].as_str()), (Some("ok"), Some(sync)));
        let put = cluster.run(&["kv", "put", "k", sync, "--sync", sync]).expect(0);
        assert!(put.stdout.starts_with(word), "{}", put.stdout);
        assert_eq!(cluster.run(&["kv", "get", "k"]).expect(0).stdout, sync);
    }
    // A counter answers with what it shows, which only the committed log knows.
    let add = cluster.run(&["kv", "add", "n", "--sync", "leader", "--json"]).expect(0).json();
    assert_eq!((add["value"].as_i64(), add["sync"].as_str()), (Some(1), Some("quorum")));

    let leader = cluster.leader_of("k");
    let other = (leader + 1) % 3;
    let name = cluster.agents[other].plan.name.clone();
    cluster.agents[other].kill();
    cluster.wait_state(&name, "DOWN");
    let words = ["kv", "put", "k", "wide", "--sync", "all", "--timeout", "2s", "--json"];
    let put = cluster.run_at(leader, &words).expect(3).json();
    assert_eq!(put["result"], "unknown", "{put}");
    assert_eq!(put["persisted_by"], "2/3", "{put}");
    assert_eq!(cluster.run_at(leader, &["kv", "get", "k"]).expect(0).stdout, "wide");
}

/// Its followers are frozen, so that what the leader sends them dies with them; then all are killed,
/// and the leader stays away. The write was acknowledged by one disk, and is lost, as it said.
#[test]
fn rule_18_a_session_is_told_when_its_provisional_write_is_lost() {
    let plan = ClusterPlan { shards: 1, ..ClusterPlan::default() };
    for _ in 0..5 {
        let mut cluster = Cluster::start_with(&plan);
        let client = Client::new(cluster.addresses());
        client.put(SyncPolicy::Quorum, "k", "kept").expect("it is healthy");
        assert_eq!(client.get_in_session("k").unwrap().found.unwrap().0, "kept");
        let leader = cluster.leader_of("k");
        let others = [(leader + 1) % 3, (leader + 2) % 3];
        for other in others {
            cluster.agents[other].freeze();
        }
        let written = client.put(SyncPolicy::Leader, "k", "provisional");
        for other in others {
            cluster.agents[other].kill();
        }
        cluster.agents[leader].kill();
        let Ok(written) = written else { continue };
        if written.sync != SyncPolicy::Leader {
            continue;
        }
        assert!(matches!(written.result, OperationResult::Provisional { .. }), "{written:?}");

        for other in others {
            cluster.agents[other].start();
        }
        let read = wait_for("the others serve", SOON, || match client.get_in_session("k") {
            Err(ClientError::Unavailable { .. }) => None,
            other => Some(other),
        });
        let Err(ClientError::Refused(why)) = &read else { panic!("shown another past: {read:?}") };
        assert!(matches!(why, StoreError::SessionBroken { .. }), "{why:?}");
        // Who has no such past reads on; and the leader's return changes nothing.
        assert_eq!(cluster.run_at(others[0], &["kv", "get", "k"]).expect(0).stdout, "kept");
        cluster.agents[leader].start();
        cluster.wait_healthy();
        assert!(client.get_in_session("k").is_err());
        assert_eq!(cluster.run(&["kv", "get", "k"]).expect(0).stdout, "kept");
        return;
    }
    panic!("the leader never acknowledged a write while its followers were silent");
}

#[test]
fn a_session_reads_its_provisional_write_through_a_failover_once_others_have_it() {
    let mut cluster = Cluster::start(3);
    let client = Client::new(cluster.addresses());
    client.put(SyncPolicy::Quorum, "k", "v0").expect("it is healthy");
    let leader = cluster.leader_of("k");
    let written = client.put(SyncPolicy::Leader, "k", "v1").expect("its leader's disk has it");
    assert_eq!(written.sync, SyncPolicy::Leader);
    // Whoever follows has it on its disk when it shows it.
    assert_eq!(client.get_in_session("k").unwrap().found.unwrap().0, "v1");
    cluster.agents[leader].kill();
    let read = client.get_in_session("k").expect("the session survives");
    assert_eq!(read.found.unwrap().0, "v1");
}
