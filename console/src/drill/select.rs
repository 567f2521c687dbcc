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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drill::fixture::view;

    fn chosen(view: &ClusterView, whom: &Whom) -> Vec<String> {
        let nodes = nodes(view, whom).unwrap();
        nodes.iter().map(|node| node.name.clone()).collect()
    }

    #[test]
    fn nodes_are_chosen_by_name_by_load_and_by_what_they_lead() {
        // s3 has most operations.
        let mut view = view(&["a", "b", "c"], &[&[1, 2, 3], &[1, 2, 3], &[2, 3, 1]]);
        assert_eq!(chosen(&view, &Whom::BusiestLeader), ["n2"]);
        assert_eq!(chosen(&view, &Whom::MostLeaders), ["n1"]);
        assert_eq!(chosen(&view, &Whom::Named("n3".into())), ["n3"]);
        assert_eq!(chosen(&view, &Whom::Each), ["n1", "n2", "n3"]);
        for shard in &mut view.shards {
            shard.ops_s = None;
        }
        assert_eq!(chosen(&view, &Whom::BusiestLeader), ["n1"], "no figures: who leads most");
        let unknown = nodes(&view, &Whom::Named("n9".into())).unwrap_err();
        assert_eq!(unknown.hint(), "one of n1, n2, n3");
    }

    #[test]
    fn a_zone_is_safe_when_every_shard_keeps_its_majority_without_it() {
        let view = view(&["a", "a", "b", "b", "c"], &[&[1, 3, 5], &[2, 4, 5]]);
        let largest = zone(&view, &Zone::LargestSafe).unwrap();
        assert_eq!((largest.name.as_str(), largest.nodes), ("a", vec![NodeId(1), NodeId(2)]));
        assert_eq!(zone(&view, &Zone::FirstSafe).unwrap().name, "a");
        assert_eq!(zone(&view, &Zone::Named("c".into())).unwrap().quorum_lost, []);
        assert!(zone(&view, &Zone::Named("d".into())).unwrap_err().hint().contains("a, b, c"));
    }

    #[test]
    fn a_zone_that_takes_a_majority_is_chosen_only_by_its_name() {
        let view = view(&["a", "a", "b", "c"], &[&[1, 2, 3], &[2, 3, 4]]);
        let named = zone(&view, &Zone::Named("a".into())).unwrap();
        assert_eq!(named.quorum_lost, [ShardId(1)]);
        assert_eq!(zone(&view, &Zone::LargestSafe).unwrap().name, "b");
    }

    #[test]
    fn a_copy_that_is_behind_is_no_help() {
        let mut view = view(&["a", "b", "c"], &[&[1, 2, 3]]);
        view.shards[0].replicas[1].state = ReplicaState::Lost;
        assert_eq!(quorum_lost(&view, &[NodeId(3)]), [ShardId(1)]);
        assert!(zone(&view, &Zone::FirstSafe).is_ok_and(|zone| zone.name == "b"));
    }

    #[test]
    fn one_zone_can_not_be_cut_off() {
        let view = view(&["a", "a", "a"], &[&[1, 2, 3]]);
        assert!(zone(&view, &Zone::Named("a".into())).is_err());
    }
}
