//! A stock Redis client can be used through any node.

use evenkeel_tests::{Cluster, Resp};

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
        connections[nodes[2]].check(&["DEL", key], ":1\r\n");
        connections[nodes[0]].check(&["GET", key], "$-1\r\n");
    }
    connections[0].check(&["SET", "seen", "everywhere"], "+OK\r\n");
    assert_eq!(cluster.run(&["kv", "get", "seen"]).expect(0).stdout, "everywhere");
}
