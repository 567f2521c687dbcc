//! Who serves which slots, out of the cluster's facts and what heartbeats claim.

use evenkeel_shared::ids::{KeyspaceId, NodeId};
use evenkeel_shared::key::Slot;
use evenkeel_shared::view::ShardPhase;

use crate::gateway::{Map, MapNode, MapShard, Place};
use crate::store::router::Router;

/// An address as host and port.
fn at(address: &str) -> Option<(String, u16)> {
    let (host, port) = address.rsplit_once(':')?;
    Some((host.trim_matches(['[', ']']).to_owned(), port.parse().ok()?))
}

/// The whole map.
pub(super) fn of(router: &Router, keyspace: KeyspaceId) -> Map {
    let facts = router.facts.borrow().clone();
    let nodes = facts.nodes.values().map(|node| MapNode {
        id: node.id.0,
        name: node.name.clone(),
        at: node.addresses.resp_cluster.as_deref().and_then(at),
        is_down: router.is_held_dead(node.id),
    });
    let mut shards: Vec<MapShard> = facts
        .shards
        .values()
        .filter(|shard| shard.keyspace == keyspace && shard.phase == ShardPhase::Serving)
        .filter(|shard| !shard.id.is_system())
        .map(|shard| {
            let leader = router.leader_of(shard.id).map(|node| node.0);
            let holders = shard.replicas.keys().map(|replica| replica.node().0);
            let others = holders.filter(|node| leader != Some(*node)).collect();
            MapShard { slots: shard.slots.clone(), leader, others }
        })
        .collect();
    shards.sort_by_key(|shard| shard.slots.first().copied());
    Map {
        cluster: facts.cluster.0,
        revision: facts.revision,
        me: router.me.0,
        nodes: nodes.collect(),
        shards,
    }
}

/// Where a slot is led.
pub(super) fn place(router: &Router, keyspace: KeyspaceId, slot: Slot) -> Place {
    let facts = router.facts.borrow().clone();
    let Some(shard) = facts.shard_of(keyspace, slot) else { return Place::Nowhere };
    match router.leader_of(shard) {
        None => Place::Nowhere,
        Some(node) if node == router.me => Place::Here,
        Some(NodeId(node)) => {
            let known = facts.nodes.get(&NodeId(node));
            let at = known.and_then(|node| node.addresses.resp_cluster.clone());
            Place::There { at, has_copy: router.replicas.get(shard).is_some() }
        }
    }
}
