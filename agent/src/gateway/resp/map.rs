//! Who serves which slots, in the words of Redis Cluster.
//!
//! A node that leads any shard is a master of its slots; the other holders of a copy are its
//! replicas there, whatever they lead elsewhere. In `CLUSTER NODES`, which knows a node only once,
//! all are masters.

use std::fmt::Write as _;

use evenkeel_shared::key::{SLOTS, SlotRange};

use super::super::{Map, MapNode, MapShard};
use super::command::ClusterQuestion;
use super::reply::Reply;

/// What the map says.
pub(super) fn tell(map: &Map, question: ClusterQuestion) -> Reply {
    match question {
        ClusterQuestion::MyId => Reply::text(node_id(map, map.me)),
        ClusterQuestion::Info => Reply::text(info(map)),
        ClusterQuestion::Nodes => Reply::text(nodes(map)),
        ClusterQuestion::Slots => {
            Reply::Array(map.shards.iter().flat_map(|it| slots(map, it)).collect())
        }
        ClusterQuestion::Shards => {
            Reply::Array(map.shards.iter().map(|it| shard(map, it)).collect())
        }
    }
}

/// 40 digits, as in Redis: the cluster's number and the node's.
fn node_id(map: &Map, node: u32) -> String {
    format!("{:032x}{node:08x}", map.cluster)
}

fn address(node: &MapNode) -> Option<(&str, u16)> {
    node.at.as_ref().map(|(host, port)| (host.as_str(), *port))
}

/// The nodes that hold a shard and can be reached, its leader first.
fn holders<'a>(map: &'a Map, shard: &'a MapShard) -> Vec<(&'a MapNode, &'a str, u16)> {
    let ids = shard.leader.iter().chain(&shard.others);
    let nodes = ids.filter_map(|id| map.node(*id));
    nodes.filter_map(|node| address(node).map(|(host, port)| (node, host, port))).collect()
}

/// A stretch of slots without a leader that can be reached is left out: nobody serves it.
fn slots(map: &Map, shard: &MapShard) -> Vec<Reply> {
    let led = shard.leader.and_then(|id| map.node(id)).and_then(address).is_some();
    if !led {
        return Vec::new();
    }
    let holders: Vec<Reply> = holders(map, shard)
        .into_iter()
        .map(|(node, host, port)| {
            let id = Reply::text(node_id(map, node.id));
            Reply::Array(vec![Reply::text(host.to_owned()), Reply::Integer(port.into()), id])
        })
        .collect();
    let stretch = |range: &SlotRange| {
        let ends = [range.0, range.1].map(|slot| Reply::Integer(slot.into()));
        Reply::Array(ends.into_iter().chain(holders.clone()).collect())
    };
    shard.slots.iter().map(stretch).collect()
}

fn shard(map: &Map, shard: &MapShard) -> Reply {
    let ends = shard.slots.iter().flat_map(|range| [range.0, range.1]);
    let nodes = holders(map, shard).into_iter().map(|(node, host, port)| {
        let role = if shard.leader == Some(node.id) { "master" } else { "replica" };
        Reply::Map(vec![
            ("id", Reply::text(node_id(map, node.id))),
            ("port", Reply::Integer(port.into())),
            ("ip", Reply::text(host.to_owned())),
            ("endpoint", Reply::text(host.to_owned())),
            ("role", Reply::text(role)),
            ("replication-offset", Reply::Integer(0)),
            ("health", Reply::text(if node.is_down { "fail" } else { "online" })),
        ])
    });
    Reply::Map(vec![
        ("slots", Reply::Array(ends.map(|slot| Reply::Integer(slot.into())).collect())),
        ("nodes", Reply::Array(nodes.collect())),
    ])
}

fn count(ranges: &[SlotRange]) -> u32 {
    ranges.iter().map(|range| u32::from(range.1 - range.0) + 1).sum()
}

fn info(map: &Map) -> String {
    let assigned: u32 = map.shards.iter().map(|shard| count(&shard.slots)).sum();
    let led = map.shards.iter().filter(|shard| shard.leader.is_some());
    let led: u32 = led.map(|shard| count(&shard.slots)).sum();
    let state = if led == u32::from(SLOTS) { "ok" } else { "fail" };
    let masters: std::collections::BTreeSet<u32> =
        map.shards.iter().filter_map(|shard| shard.leader).collect();
    let fields = [
        ("cluster_state", state.to_owned()),
        ("cluster_slots_assigned", assigned.to_string()),
        ("cluster_slots_ok", led.to_string()),
        ("cluster_slots_pfail", "0".to_owned()),
        ("cluster_slots_fail", (assigned - led).to_string()),
        ("cluster_known_nodes", map.nodes.len().to_string()),
        ("cluster_size", masters.len().to_string()),
        ("cluster_current_epoch", map.revision.to_string()),
        ("cluster_my_epoch", map.revision.to_string()),
    ];
    let mut text = String::new();
    for (name, value) in fields {
        write!(text, "{name}:{value}\r\n").expect("a string takes all");
    }
    text
}

/// One line a node: id, address, flags, its master, ping, pong, epoch, link, slots.
fn nodes(map: &Map) -> String {
    let mut lines = String::new();
    for node in &map.nodes {
        let Some((host, port)) = address(node) else { continue };
        let (id, name) = (node_id(map, node.id), &node.name);
        let me = if node.id == map.me { "myself," } else { "" };
        let fail = if node.is_down { ",fail" } else { "" };
        let link = if node.is_down { "disconnected" } else { "connected" };
        let revision = map.revision;
        write!(lines, "{id} {host}:{port}@{port},{name} {me}master{fail} - 0 0 {revision} {link}")
            .expect("a string takes all");
        let led = map.shards.iter().filter(|shard| shard.leader == Some(node.id));
        for range in led.flat_map(|shard| &shard.slots) {
            if range.0 == range.1 {
                write!(lines, " {}", range.0).expect("a string takes all");
            } else {
                write!(lines, " {}-{}", range.0, range.1).expect("a string takes all");
            }
        }
        lines.push('\n');
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map() -> Map {
        let node = |id: u32, is_down| MapNode {
            id,
            name: format!("n{id}"),
            at: Some(("127.0.0.1".to_owned(), 7_000 + u16::try_from(id).unwrap())),
            is_down,
        };
        let shard = |slots, leader, others: &[u32]| MapShard {
            slots: vec![slots],
            leader,
            others: others.to_vec(),
        };
        Map {
            cluster: 0xabc,
            revision: 9,
            me: 2,
            nodes: vec![node(1, false), node(2, false), node(3, true)],
            shards: vec![
                shard(SlotRange(0, 8_191), Some(1), &[2, 3]),
                shard(SlotRange(8_192, 16_383), Some(2), &[1]),
            ],
        }
    }

    #[test]
    fn every_stretch_of_slots_names_its_leader_first() {
        let Reply::Array(stretches) = tell(&map(), ClusterQuestion::Slots) else { panic!() };
        assert_eq!(stretches.len(), 2);
        let Reply::Array(first) = &stretches[0] else { panic!() };
        assert_eq!(first[..2], [Reply::Integer(0), Reply::Integer(8_191)]);
        let Reply::Array(leader) = &first[2] else { panic!() };
        assert_eq!(leader[..2], [Reply::text("127.0.0.1"), Reply::Integer(7_001)]);
        assert_eq!(first.len(), 5, "three holders");
        let mut leaderless = map();
        leaderless.shards[0].leader = None;
        let Reply::Array(stretches) = tell(&leaderless, ClusterQuestion::Slots) else { panic!() };
        assert_eq!(stretches.len(), 1, "nobody serves the others");
        assert!(info(&leaderless).contains("cluster_state:fail"));
        assert!(info(&map()).contains("cluster_state:ok\r\ncluster_slots_assigned:16384"));
    }

    #[test]
    fn nodes_are_lines_with_the_slots_that_they_lead() {
        let text = nodes(&map());
        let lines: Vec<&str> = text.lines().collect();
        let id = format!("{:032x}{:08x}", 0xabc, 2);
        assert_eq!(id.len(), 40);
        let second =
            format!("{id} 127.0.0.1:7002@7002,n2 myself,master - 0 0 9 connected 8192-16383");
        assert_eq!(lines[1], second);
        assert!(lines[2].contains("master,fail - 0 0 9 disconnected"));
    }
}
