//! What must be kept at once when it changes, as against figures that move all the time.

use std::collections::BTreeMap;

use evenkeel_shared::heartbeat::Report;
use evenkeel_shared::ids::NodeId;
use evenkeel_shared::view::{ClusterView, NodeView, ShardView};

use crate::tui::model::track::Track;

/// The view, with everything but its shards.
pub(super) fn without_shards(view: &ClusterView) -> ClusterView {
    ClusterView {
        cluster: view.cluster,
        revision: view.revision,
        observer: view.observer,
        taken_unix_ms: view.taken_unix_ms,
        health: view.health,
        counts: view.counts,
        controller: view.controller,
        nodes: view.nodes.clone(),
        shards: Vec::new(),
        system: view.system.clone(),
        intents: view.intents.clone(),
        backups: view.backups.clone(),
        score: view.score,
        modes: view.modes.clone(),
        policy_version: view.policy_version,
        scheduled: view.scheduled,
        keyspaces: view.keyspaces.clone(),
    }
}

/// Whether nothing but figures has changed.
pub(super) fn same_view(a: &ClusterView, b: &ClusterView) -> bool {
    let nodes = |a: &NodeView, b: &NodeView| {
        (a.id, a.state, a.observers, a.incarnation, &a.name, &a.zone, &a.why)
            == (b.id, b.state, b.observers, b.incarnation, &b.name, &b.zone, &b.why)
    };
    a.observer == b.observer
        && a.revision == b.revision
        && a.health == b.health
        && a.counts == b.counts
        && a.controller == b.controller
        && a.intents == b.intents
        && a.modes == b.modes
        && a.backups.len() == b.backups.len()
        && a.keyspaces.len() == b.keyspaces.len()
        && a.nodes.len() == b.nodes.len()
        && a.nodes.iter().zip(&b.nodes).all(|(a, b)| nodes(a, b))
}

/// The shards of `new` whose placement or health differs; `None` when they are not the same shards.
pub(super) fn changed(old: &[ShardView], new: &[ShardView]) -> Option<Vec<ShardView>> {
    let same_ids = old.len() == new.len() && old.iter().zip(new).all(|(old, new)| old.id == new.id);
    let differs = |(old, new): (&ShardView, &ShardView)| {
        let replicas = |shard: &ShardView| {
            shard.replicas.iter().map(|r| (r.id, r.role, r.state)).collect::<Vec<_>>()
        };
        (old.leader, old.term, old.epoch, old.health, old.phase, old.wanted)
            != (new.leader, new.term, new.epoch, new.health, new.phase, new.wanted)
            || old.slots != new.slots
            || replicas(old) != replicas(new)
    };
    let pairs = old.iter().zip(new);
    same_ids.then(|| pairs.filter(|pair| differs(*pair)).map(|(_, new)| new.clone()).collect())
}

/// Puts newer shards in the place of older ones.
pub(super) fn overlay(shards: &mut [ShardView], newer: Vec<ShardView>) {
    for new in newer {
        if let Ok(place) = shards.binary_search_by_key(&new.id, |shard| shard.id) {
            shards[place] = new;
        } else if let Some(old) = shards.iter_mut().find(|shard| shard.id == new.id) {
            *old = new;
        }
    }
}

/// Whether the same nodes report, and hold the same peers dead.
pub(super) fn same_reports(last: &[Report], tracks: &BTreeMap<NodeId, Track>) -> bool {
    let now = tracks.values().filter_map(|track| Some(&track.report.as_ref()?.value));
    let dead = |report: &Report| -> Vec<NodeId> {
        report.peers.iter().filter(|peer| peer.dead).map(|peer| peer.node).collect()
    };
    let shape = |report: &Report| (report.node, report.incarnation, dead(report));
    last.iter().map(shape).eq(now.map(shape))
}
