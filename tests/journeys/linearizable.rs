//! What clients of real processes do and see while leaders are killed is linearizable, as two
//! judges find that share no code.

use evenkeel_tests::{Cluster, Contenders};

#[test]
fn what_contending_clients_see_through_kills_is_linearizable() {
    let mut cluster = Cluster::start(3);
    let contenders = Contenders::start(cluster.addresses(), 8);
    contenders.wait_for_more(500);
    for _ in 0..2 {
        let victim = cluster.busiest();
        cluster.agents[victim].kill();
        contenders.wait_for_more(300);
        cluster.agents[victim].start();
        cluster.wait_healthy();
        contenders.wait_for_more(100);
    }
    let history = contenders.finish();
    assert!(history.operations().len() > 1_000);
    if let Err(verdict) = evenkeel_history::check(&history) {
        panic!("{} operations: {verdict}", history.operations().len());
    }
}
