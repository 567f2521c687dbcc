//! A small cluster for tests: nodes `n1`, `n2`, … in zones, shards on some of them.

use evenkeel_shared::ids::{Epoch, Incarnation, KeyspaceId, NodeId, ReplicaId, ShardId};
use evenkeel_shared::key::SlotRange;
use evenkeel_shared::view::{
    ClusterView, Health, HealthCounts, NodeAddresses, NodeState, NodeView, Observer, ReplicaRole,
    ReplicaState, ReplicaView, ShardHealth, ShardPhase, ShardView,
};

/// A cluster of nodes in these zones, all well, with these shards: leader first.
pub(super) fn view(zones: &[&str], shards: &[&[u32]]) -> ClusterView {
    let nodes: Vec<NodeView> =
        zones.iter().zip(1..).map(|(zone, number)| node(number, zone)).collect();
    let shards: Vec<ShardView> =
        shards.iter().zip(1..).map(|(copies, number)| shard(number, copies)).collect();
    let count = |length: usize| u32::try_from(length).unwrap();
    let counts = HealthCounts {
        nodes_total: count(nodes.len()),
        nodes_up: count(nodes.len()),
        shards_total: count(shards.len()),
        shards_ok: count(shards.len()),
        ..HealthCounts::default()
    };
    ClusterView { health: Health::Ok, counts, nodes, shards, ..ClusterView::default() }
}

fn node(number: u32, zone: &str) -> NodeView {
    NodeView {
        id: NodeId(number),
        name: format!("n{number}"),
        zone: zone.into(),
        capacity: 1,
        addresses: NodeAddresses::default(),
        state: NodeState::Up,
        since_unix_ms: 0,
        why: String::new(),
        observers: Observer::default(),
        incarnation: Some(Incarnation(1)),
        phi: None,
        heard_ms: None,
        round_trip_us: None,
        leaders: 0,
        replicas: 0,
        load: None,
        drills: true,
    }
}

fn shard(number: u32, copies: &[u32]) -> ShardView {
    let leader = NodeId(copies[0]);
    let replica = |node: &u32| ReplicaView {
        id: ReplicaId::new(NodeId(*node), number),
        node: NodeId(*node),
        role: ReplicaRole::Voter,
        state: if NodeId(*node) == leader { ReplicaState::Leader } else { ReplicaState::Follower },
        why: None,
        lag: Some(0),
    };
    ShardView {
        id: ShardId(number),
        keyspace: KeyspaceId(1),
        keyspace_name: "default".into(),
        slots: vec![SlotRange::ALL],
        phase: ShardPhase::Serving,
        leader: Some(leader),
        term: 1,
        epoch: Epoch(1),
        committed: None,
        health: ShardHealth::Ok,
        wanted: 3,
        replicas: copies.iter().map(replica).collect(),
        ops_s: Some(f64::from(number)),
        log_bytes: None,
        data_bytes: None,
    }
}
