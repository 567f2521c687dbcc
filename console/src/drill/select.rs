//! Which nodes and zones a step strikes, of those that a view has. Pure.

use std::collections::{BTreeMap, BTreeSet};

use evenkeel_shared::ids::{NodeId, ShardId};
use evenkeel_shared::view::{
    ClusterView, NodeState, NodeView, ReplicaRole, ReplicaState, ShardPhase, ShardView,
};

use super::error::DrillError;
use super::format::list;
use super::script::{Whom, Zone};

/// Nodes of one zone, and what becomes of shards without them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ZoneChoice {
    /// Its name.
    pub(crate) name: String,
    /// Its nodes.
    pub(crate) nodes: Vec<NodeId>,
    /// Shards that would have no majority left.
    pub(crate) quorum_lost: Vec<ShardId>,
}

/// The nodes that are meant, in order.
pub(crate) fn nodes<'a>(
    view: &'a ClusterView,
    whom: &Whom,
) -> Result<Vec<&'a NodeView>, DrillError> {
    match whom {
        Whom::Each => Ok(view.nodes.iter().collect()),
        Whom::Named(name) => {
            let named = view.nodes.iter().find(|node| node.name == *name);
            named.map(|node| vec![node]).ok_or_else(|| {
                let names = list(view.nodes.iter().map(|node| &node.name));
                DrillError::refused(format!("no node is named {name}"), format!("one of {names}"))
            })
        }
        Whom::BusiestLeader => {
            let found = busiest_leader(view).or_else(|| most_leaders(view));
            found.map(|node| vec![node]).ok_or_else(nobody_leads)
        }
        Whom::MostLeaders => most_leaders(view).map(|node| vec![node]).ok_or_else(nobody_leads),
    }
}

/// The zone that is meant.
pub(crate) fn zone(view: &ClusterView, zone: &Zone) -> Result<ZoneChoice, DrillError> {
    let mut zones: BTreeMap<&str, Vec<NodeId>> = BTreeMap::new();
    for node in &view.nodes {
        zones.entry(&node.zone).or_default().push(node.id);
    }
    let names = list(zones.keys());
    let mut all: Vec<ZoneChoice> = zones
        .into_iter()
        .map(|(name, nodes)| {
            let quorum_lost = quorum_lost(view, &nodes);
            ZoneChoice { name: name.to_owned(), nodes, quorum_lost }
        })
        .collect();
    let whole = all.len() < 2;
    let safe = |choice: &ZoneChoice| choice.quorum_lost.is_empty();
    let found = match zone {
        Zone::Named(name) => {
            all.into_iter().find(|choice| choice.name == *name).ok_or_else(|| {
                DrillError::refused(format!("no zone is named {name}"), format!("one of {names}"))
            })?
        }
        Zone::FirstSafe => all.into_iter().find(safe).ok_or_else(|| no_safe_zone(&names))?,
        Zone::LargestSafe => {
            all.retain(safe);
            // Of equals, the first.
            let largest = all.into_iter().rev().max_by_key(|choice| choice.nodes.len());
            largest.ok_or_else(|| no_safe_zone(&names))?
        }
    };
    if whole {
        return Err(DrillError::refused(
            format!("all nodes are in zone {}: nothing can be cut off from anything", found.name),
            "a drill that cuts one node off",
        ));
    }
    Ok(found)
}

/// Shards that have a majority now and would have none without these nodes.
pub(crate) fn quorum_lost(view: &ClusterView, without: &[NodeId]) -> Vec<ShardId> {
    let without: BTreeSet<NodeId> = without.iter().copied().collect();
    let shards = view.shards.iter().filter(|shard| shard.phase == ShardPhase::Serving);
    let lost = shards.chain(&view.system).filter(|shard| {
        let (voters, left) = voters_left(shard, &without);
        left * 2 <= voters
    });
    lost.map(|shard| shard.id).collect()
}

/// How many voters a shard has, and how many serve it without these nodes.
fn voters_left(shard: &ShardView, without: &BTreeSet<NodeId>) -> (usize, usize) {
    let voters = shard.replicas.iter().filter(|replica| replica.role == ReplicaRole::Voter);
    let serves = [ReplicaState::Leader, ReplicaState::Follower];
    let left = voters
        .clone()
        .filter(|replica| serves.contains(&replica.state) && !without.contains(&replica.node));
    (voters.count(), left.count())
}

/// The leader of the shard with most operations; of equals, of the first.
fn busiest_leader(view: &ClusterView) -> Option<&NodeView> {
    let led = view.shards.iter().filter(|shard| shard.phase == ShardPhase::Serving);
    let rated = led.filter_map(|shard| Some((shard.ops_s?, shard.leader?)));
    let busiest = rated.rev().max_by(|(one, _), (other, _)| one.total_cmp(other));
    let (_, leader) = busiest.filter(|(ops, _)| *ops > 0.0)?;
    view.nodes.iter().find(|node| node.id == leader)
}

/// The node that leads most shards; of equals, the first.
fn most_leaders(view: &ClusterView) -> Option<&NodeView> {
    let leads =
        |node: &NodeView| view.shards.iter().filter(|shard| shard.leader == Some(node.id)).count();
    let up = view.nodes.iter().filter(|node| node.state == NodeState::Up);
    up.rev().max_by_key(|node| leads(node)).filter(|node| leads(node) > 0)
}

fn nobody_leads() -> DrillError {
    DrillError::refused("no node leads anything", "`evenkeel shards`")
}

fn no_safe_zone(names: &str) -> DrillError {
    DrillError::refused(
        format!("without any of the zones {names}, some shard would have no majority"),
        "nodes in three zones, or a drill that cuts one node off",
    )
}
