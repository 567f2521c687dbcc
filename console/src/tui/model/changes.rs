//! What is different between two moments, in sentences.

use std::collections::BTreeMap;

use evenkeel_shared::ids::{NodeId, ShardId};
use evenkeel_shared::view::{NodeView, ShardView};

use super::cluster::Cluster;
use crate::tui::format;
use crate::tui::theme::Tone;

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    /// How it weighs.
    pub(crate) tone: Tone,
    /// In words.
    pub(crate) text: String,
}

/// What has changed from one moment to the other: nodes first, then shards, then what happened.
pub(crate) fn between(before: &Cluster, after: &Cluster, (from, to): (u64, u64)) -> Vec<Change> {
    let mut found = Vec::new();
    nodes(before, after, &mut found);
    shards(before, after, &mut found);
    let lines = after.journal.iter().filter(|(key, _)| key.unix_ms > from && key.unix_ms <= to);
    let count = format::plural(lines.count(), "journal line");
    found.push(Change { tone: Tone::Muted, text: format!("{count} in between") });
    found
}

fn nodes(before: &Cluster, after: &Cluster, found: &mut Vec<Change>) {
    let of = |cluster: &Cluster| -> BTreeMap<NodeId, NodeView> {
        let nodes = cluster.view().into_iter().flat_map(|view| &view.nodes);
        nodes.map(|node| (node.id, node.clone())).collect()
    };
    let (old, new) = (of(before), of(after));
    for (id, node) in &new {
        let name = &node.name;
        match old.get(id) {
            None => found.push(Change { tone: Tone::Info, text: format!("{name} joined") }),
            Some(was) => {
                if was.state != node.state {
                    let text = format!("{name} {} → {}", was.state, node.state);
                    found.push(Change { tone: Tone::Warn, text });
                }
                if was.incarnation != node.incarnation {
                    let text = format!("{name} was started again");
                    found.push(Change { tone: Tone::Warn, text });
                }
                if was.leaders != node.leaders || was.replicas != node.replicas {
                    let text = format!(
                        "{name} leads {} → {}, holds {} → {} copies",
                        was.leaders, node.leaders, was.replicas, node.replicas
                    );
                    found.push(Change { tone: Tone::Plain, text });
                }
            }
        }
    }
    for (_, node) in old.iter().filter(|(id, _)| !new.contains_key(id)) {
        found.push(Change { tone: Tone::Warn, text: format!("{} has left", node.name) });
    }
}

fn shards(before: &Cluster, after: &Cluster, found: &mut Vec<Change>) {
    let of = |cluster: &Cluster| -> BTreeMap<ShardId, ShardView> {
        let view = cluster.view();
        let shards = view.into_iter().flat_map(|view| view.system.iter().chain(&view.shards));
        shards.map(|shard| (shard.id, shard.clone())).collect()
    };
    let (old, new) = (of(before), of(after));
    let name = |id: Option<NodeId>| id.map_or_else(|| "nobody".into(), |id| after.name(id));
    for (id, shard) in &new {
        let Some(was) = old.get(id) else {
            found.push(Change { tone: Tone::Info, text: format!("{id} is new") });
            continue;
        };
        let mut parts = Vec::new();
        if was.health != shard.health {
            let (from, to) = (super::rows::health(was.health), super::rows::health(shard.health));
            parts.push(format!("{from} → {to}"));
        }
        if was.leader != shard.leader {
            parts.push(format!("led by {} → {}", name(was.leader), name(shard.leader)));
        }
        let holders = |shard: &ShardView| -> Vec<NodeId> {
            let mut nodes: Vec<NodeId> = shard.replicas.iter().map(|r| r.node).collect();
            nodes.sort_unstable();
            nodes
        };
        let (then, now) = (holders(was), holders(shard));
        let gone = then.iter().filter(|node| !now.contains(node));
        parts.extend(gone.map(|node| format!("copy on {} gone", name(Some(*node)))));
        let come = now.iter().filter(|node| !then.contains(node));
        parts.extend(come.map(|node| format!("copy on {} new", name(Some(*node)))));
        if !parts.is_empty() {
            let text = format!("{id} {}", parts.join(", "));
            found.push(Change { tone: Tone::Plain, text });
        }
    }
    for id in old.keys().filter(|id| !new.contains_key(id)) {
        found.push(Change { tone: Tone::Warn, text: format!("{id} is gone") });
    }
}
