//! Agents are killed with SIGKILL: no acknowledged write is lost, and the cluster heals.

use evenkeel_tests::{Agent, Cluster, Writers};

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
