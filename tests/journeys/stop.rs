//! SIGTERM: an agent hands its leaderships away and ends well.

use evenkeel_tests::{Cluster, Writers};

#[test]
fn an_agent_that_is_asked_to_end_hands_its_leaderships_away_and_exits_0() {
    let mut cluster = Cluster::start(3);
    let writers = Writers::start(cluster.addresses(), "stop", 4);
    writers.wait_for_more(100);
    let leaver = cluster.busiest();
    assert_eq!(cluster.agents[leaver].terminate(), Some(0));
    let log = cluster.agents[leaver].log();
    assert!(!log.contains("not handed away"), "{log}");
    assert!(!log.contains("could not be handed away"), "{log}");

    writers.wait_for_more(100);
    let name = cluster.agents[leaver].plan.name.clone();
    for shard in cluster.ask(&["shards"]).as_array().unwrap() {
        assert!(shard["leader"].is_string() && shard["leader"] != name.as_str(), "{shard}");
    }
    cluster.agents[leaver].start();
    cluster.wait_healthy();
    writers.finish().assert_kept(cluster.addresses());
}
