//! Agents are killed with SIGKILL: no acknowledged write is lost, and the cluster heals.

use evenkeel_tests::{Agent, Cluster, Writers, evenkeel};

#[test]
fn no_acknowledged_write_is_lost_when_leaders_are_killed_under_load() {
    let mut cluster = Cluster::start(3);
    let writers = Writers::start(cluster.addresses(), "kill", 8);
    writers.wait_for_more(200);
    for _ in 0..2 {
        let victim = cluster.busiest();
        cluster.agents[victim].kill();
        // Its shards are led by others, and writes to them go on.
        writers.wait_for_more(200);
        cluster.agents[victim].start();
        cluster.wait_healthy();
        writers.wait_for_more(100);
    }
    let tally = writers.finish();
    tally.assert_kept(cluster.addresses());
    for shard in 1..=4 {
        cluster.assert_hashes_agree(shard);
    }
}

#[test]
fn nothing_is_missing_after_all_agents_are_killed_at_once() {
    let mut cluster = Cluster::start(3);
    let writers = Writers::start(cluster.addresses(), "all", 8);
    writers.wait_for_more(400);
    cluster.agents.iter_mut().for_each(Agent::kill);
    cluster.agents.iter_mut().for_each(Agent::start);
    cluster.wait_healthy();
    writers.wait_for_more(100);
    writers.finish().assert_kept(cluster.addresses());
    for shard in 1..=4 {
        cluster.assert_hashes_agree(shard);
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the command runs while agents are killed")]
fn rule_17_counters_show_exactly_what_was_acknowledged_through_kills() {
    let mut cluster = Cluster::start(3);
    let addresses = cluster.addresses().join(",");
    let counting = std::thread::spawn(move || {
        let words = ["bench", "count", "--adds", "3000", "--clients", "32", "--counters", "8"];
        evenkeel(&[&["--connect", &addresses, "--json"], &words[..]].concat())
    });
    let mut kills = 0;
    while !counting.is_finished() && kills < 2 {
        let victim = cluster.busiest();
        cluster.agents[victim].kill();
        cluster.agents[victim].start();
        cluster.wait_healthy();
        kills += 1;
    }
    let report = counting.join().expect("the counting ends").expect(0).json();
    assert!(kills > 0);
    assert_eq!((&report["counted"], &report["unresolved"]), (&3_000.into(), &0.into()), "{report}");
    assert_eq!(report["acknowledged"], 3_000, "{report}");
}
