//! An operator kills a node on purpose; its supervisor brings it back.

use std::time::Duration;

use evenkeel_tests::{Cluster, ClusterPlan, Writers, wait_for};

/// How long a change may take on a busy machine.
const SOON: Duration = Duration::from_secs(60);

#[test]
fn a_node_killed_by_an_operator_comes_back_by_itself() {
    let flags = ["--drills", "--supervise"].map(str::to_owned).to_vec();
    let mut cluster = Cluster::start_with(&ClusterPlan { flags, ..ClusterPlan::default() });
    let writers = Writers::start(cluster.addresses(), "drill", 4);
    writers.wait_for_more(100);
    let victim = cluster.busiest();
    let name = cluster.agents[victim].plan.name.clone();
    let first = cluster.agents[victim].pid().expect("a running agent has written its number");

    let words = ["node", "kill", &name, "--for", "3s", "--yes", "--override", &name];
    let killed = cluster.ask(&words);
    assert_eq!(killed["done"], true, "{killed}");
    cluster.wait_state(&name, "DOWN");
    writers.wait_for_more(100);
    cluster.wait_state(&name, "UP");
    cluster.wait_healthy();

    assert_ne!(cluster.agents[victim].pid(), Some(first), "another process, same supervisor");
    assert!(cluster.agents[victim].is_running());
    writers.finish().assert_kept(cluster.addresses());
    let events = cluster.ask(&["events", "--limit", "200"]).to_string();
    assert!(events.contains(&name), "the act is in the journal: {events}");
}

#[test]
fn a_node_without_drills_is_not_killed() {
    let cluster = Cluster::start(3);
    let refused = cluster.run(&["node", "kill", "n2", "--yes", "--override", "n2"]).expect(1);
    assert!(refused.stderr.contains("drills"), "{}", refused.stderr);
    cluster.wait_healthy();
}

#[test]
fn an_act_without_a_quorum_is_in_the_journal_once_there_is_one() {
    let flags = ["--drills", "--supervise"].map(str::to_owned).to_vec();
    let mut cluster = Cluster::start_with(&ClusterPlan { flags, ..ClusterPlan::default() });
    cluster.agents[1].kill();
    cluster.agents[2].kill();
    let first = cluster.agents[0].pid().expect("a running agent has written its number");

    // An act that was foretold before both were missed would be refused as stale.
    wait_for("n1 misses both", SOON, || {
        let nodes = cluster.run_at(0, &["nodes", "--json"]);
        (nodes.code == Some(0)).then_some(())?;
        let nodes = nodes.json();
        let down = nodes.as_array()?.iter().filter(|node| node["state"] == "DOWN").count();
        (down == 2).then_some(())
    });

    // Nobody can commit a line now; the act is done all the same, and ends its only witness.
    let words = ["node", "kill", "n1", "--for", "1s", "--override", "n1", "--json"];
    let killed = cluster.run_at(0, &words).expect(0).json();
    assert_eq!(killed["done"], true, "{killed}");
    wait_for("another process runs", SOON, || cluster.agents[0].pid().filter(|pid| *pid != first));

    cluster.agents[1].start();
    cluster.agents[2].start();
    cluster.wait_healthy();
    wait_for("the act is in the journal", SOON, || {
        let events = cluster.ask(&["events", "--limit", "500"]).to_string();
        events.contains("asked: kill n1").then_some(())
    });
}
