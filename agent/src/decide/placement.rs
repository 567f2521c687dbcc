//! Where copies go: apart by zone first, then by load relative to capacity.
//!
//! Invariant: no node holds two copies of one shard, and equal inputs give equal places.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use evenkeel_shared::ids::NodeId;
use evenkeel_shared::view::{ClusterFacts, ZoneRule};

use super::by_node::ByNode;
use super::facts::{Observed, takes_more};

/// A node that may be given copies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The node.
    pub node: NodeId,
    /// Its failure domain.
    pub zone: String,
    /// Its share, relative to the others'.
    pub capacity: u32,
    /// Copies that it holds already.
    pub holds: u32,
}

/// Where new shards go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    /// The nodes of each shard; the first one initialises it and leads at first.
    pub shards: Vec<Vec<NodeId>>,
    /// What could not be kept, in words.
    pub notes: Vec<String>,
}

/// How copies of one shard lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spread {
    /// How many.
    pub replicas: u8,
    /// Over which zones.
    pub zones: ZoneRule,
}

/// The nodes that may be given copies, with the data copies that each should hold now.
pub fn candidates(facts: &ClusterFacts, observed: &Observed) -> Vec<Candidate> {
    let mut held: ByNode<u32> = facts.nodes.keys().map(|node| (*node, 0)).collect();
    for shard in facts.shards.values().filter(|shard| !shard.id.is_system()) {
        // In the order of their nodes: a new copy beside a lost one counts once.
        let mut before = None;
        for node in shard.replicas.keys().map(|copy| copy.node()) {
            if before.replace(node) != Some(node) {
                *held.get_or(node, 0) += 1;
            }
        }
    }
    let holds = |node: NodeId| held.get(node).copied().unwrap_or(0);
    let takers = facts.nodes.values().filter(|node| takes_more(node, observed));
    takers
        .map(|node| Candidate {
            node: node.id,
            zone: node.zone.clone(),
            capacity: node.capacity,
            holds: holds(node.id),
        })
        .collect()
}

/// Places `shards` new shards.
pub fn place(nodes: &[Candidate], shards: u16, spread: Spread) -> Placement {
    let wanted = usize::from(spread.replicas);
    let copies = wanted.min(nodes.len());
    let mut load: BTreeMap<NodeId, u32> =
        nodes.iter().map(|node| (node.node, node.holds)).collect();
    let mut leads: BTreeMap<NodeId, u32> = BTreeMap::new();
    let mut placement = Placement { shards: Vec::new(), notes: notes(nodes, spread) };
    for _ in 0..shards {
        let mut chosen: Vec<&Candidate> = Vec::new();
        for _ in 0..copies {
            let zones = chosen.iter().map(|node| node.zone.as_str()).collect::<Vec<_>>();
            let free = nodes.iter().filter(|node| !chosen.contains(node));
            let fit =
                free.filter_map(|node| Some((crowd(spread.zones, &zones, &node.zone)?, node)));
            let best = fit.min_by_key(|(crowd, node)| {
                let held = load.get(&node.node).copied().unwrap_or(0);
                (*crowd, share(held + 1, node.capacity), node.node)
            });
            let best = best.map(|(_, node)| node);
            let Some(best) = best else { break };
            *load.entry(best.node).or_default() += 1;
            chosen.push(best);
        }
        // The first one leads: whoever leads least for its capacity.
        chosen.sort_by_key(|node| {
            let led = leads.get(&node.node).copied().unwrap_or(0);
            (share(led + 1, node.capacity), node.node)
        });
        if let Some(first) = chosen.first() {
            *leads.entry(first.node).or_default() += 1;
        }
        placement.shards.push(chosen.into_iter().map(|node| node.node).collect());
    }
    placement
}

/// The best node for one more copy of a shard whose other copies lie in `zones`.
pub fn best<'a>(
    candidates: &'a [Candidate],
    zones: &[&str],
    rule: ZoneRule,
) -> Option<&'a Candidate> {
    let fit = candidates.iter().filter_map(|node| Some((crowd(rule, zones, &node.zone)?, node)));
    fit.min_by_key(|(crowd, node)| (*crowd, share(node.holds + 1, node.capacity), node.node))
        .map(|(_, node)| node)
}

/// How many copies lie in this zone already, as far as zones count.
pub fn crowding(rule: ZoneRule, zones: &[&str], zone: &str) -> usize {
    match rule {
        ZoneRule::Ignore => 0,
        ZoneRule::Spread | ZoneRule::Strict => zones.iter().filter(|other| **other == zone).count(),
    }
}

/// The same for one more copy; `None` where it may not go.
fn crowd(rule: ZoneRule, zones: &[&str], zone: &str) -> Option<usize> {
    let crowding = crowding(rule, zones, zone);
    (rule != ZoneRule::Strict || crowding == 0).then_some(crowding)
}

/// A count relative to a capacity, in millionths; a capacity of 0 counts as 1.
pub fn share(count: u32, capacity: u32) -> u64 {
    u64::from(count) * 1_000_000 / u64::from(capacity.max(1))
}

fn notes(nodes: &[Candidate], spread: Spread) -> Vec<String> {
    let (mut notes, wanted) = (Vec::new(), usize::from(spread.replicas));
    if nodes.len() < wanted {
        notes.push(format!("only {} nodes for {wanted} copies of each shard", nodes.len()));
    }
    let zones: std::collections::BTreeSet<&str> =
        nodes.iter().map(|node| node.zone.as_str()).collect();
    let copies = wanted.min(nodes.len());
    let apart = zones.len();
    match spread.zones {
        ZoneRule::Spread if apart < copies => notes.push(format!(
            "{copies} copies of each shard in {apart} zones: one zone's loss takes more than one copy"
        )),
        ZoneRule::Strict if apart < copies => notes.push(format!(
            "only {apart} zones for {copies} copies of each shard, none of which may share one"
        )),
        _ => {}
    }
    notes
}
