//! The rows of each list: filtered and sorted, by id. Pure, so that keys and drawing agree.

use std::cmp::Reverse;

use evenkeel_shared::event::Event;
use evenkeel_shared::ids::{NodeId, ShardId};
use evenkeel_shared::view::{
    NodeState, ReplicaRole, ReplicaState, ReplicaView, ShardHealth, ShardView,
};

use super::Model;
use super::failovers::{self, Incident};
use super::journal::EventKey;
use crate::tui::action::Screen;

/// The sort orders of a screen, the first being the usual one.
pub(crate) fn sorts(screen: Screen) -> &'static [&'static str] {
    match screen {
        Screen::Nodes => &["state", "name", "phi", "ops"],
        Screen::Load => &["name", "ops", "cpu", "p99"],
        Screen::Shards => &["risk", "id", "ops"],
        Screen::Failover | Screen::Backups | Screen::Events => &[""],
    }
}

/// Whether every word of the filter is in the text, none of those after `!`, and of those after `~`
/// the letters in their order.
pub(crate) fn matches(filter: &str, text: &str) -> bool {
    let text = text.to_lowercase();
    filter.to_lowercase().split_whitespace().all(|word| {
        if let Some(word) = word.strip_prefix('!') {
            word.is_empty() || !text.contains(word)
        } else if let Some(word) = word.strip_prefix('~') {
            word.is_empty() || super::palette::score(word, &text).is_some()
        } else {
            text.contains(word)
        }
    })
}

/// Orders figures downwards, the unknown last.
fn downwards(figure: Option<f64>) -> Reverse<u64> {
    let bits = figure.filter(|f| f.is_finite() && *f >= 0.0).map_or(0, |f| f.to_bits() + 1);
    Reverse(bits)
}

/// The nodes of Nodes or Load.
pub(crate) fn nodes(model: &Model, screen: Screen) -> Vec<NodeId> {
    let cluster = model.shown();
    let now = model.shown_at();
    let filter = model.filter(screen);
    let mut ids: Vec<NodeId> = cluster
        .nodes_by_name()
        .into_iter()
        .filter(|id| {
            let Some(node) = cluster.node(*id) else { return matches(filter, &cluster.name(*id)) };
            matches(
                filter,
                &format!("{} zone:{} {} {}", node.name, node.zone, node.state, node.why),
            )
        })
        .collect();
    let order = sorts(screen).get(model.sort(screen)).copied().unwrap_or_default();
    ids.sort_by_key(|id| {
        let node = cluster.node(*id);
        let load = cluster.load(*id, now).map(|seen| seen.load);
        let figure = match order {
            "phi" => node.and_then(|node| node.phi),
            "ops" => load.map(|load| load.reads_s + load.writes_s),
            "cpu" => load.and_then(|load| load.cpu_percent).map(f64::from),
            "p99" => load.and_then(|load| load.write_p99_us).map(f64::from),
            _ => None,
        };
        let rank = if order == "state" { node.map_or(0, |node| state_rank(node.state)) } else { 0 };
        // Those that are equal stay in the order of their names.
        (rank, downwards(figure))
    });
    ids
}

/// The worse, the higher up.
pub(crate) fn state_rank(state: NodeState) -> u8 {
    match state {
        NodeState::Down => 0,
        NodeState::Suspect => 1,
        NodeState::Slow => 2,
        NodeState::Unknown => 3,
        NodeState::Joining | NodeState::Draining => 4,
        NodeState::Maint | NodeState::Drained => 5,
        NodeState::Up => 6,
        NodeState::Left => 7,
    }
}

/// The shards of the placement matrix; the system shard is one of them.
pub(crate) fn shards(model: &Model) -> Vec<ShardId> {
    let cluster = model.shown();
    let Some(view) = cluster.view() else { return Vec::new() };
    let filter = model.filter(Screen::Shards);
    let mut found: Vec<&ShardView> = view.system.iter().chain(&view.shards).collect();
    if !filter.trim().is_empty() {
        found.retain(|shard| matches(filter, &shard_text(model, shard)));
    }
    match sorts(Screen::Shards).get(model.sort(Screen::Shards)).copied() {
        Some("risk") => found.sort_by_key(|shard| (risk(shard), shard.id)),
        Some("ops") => found.sort_by_key(|shard| (downwards(shard.ops_s), shard.id)),
        _ => found.sort_by_key(|shard| shard.id),
    }
    found.into_iter().map(|shard| shard.id).collect()
}

/// Copies that are caught up with, of those wanted.
pub(crate) fn copies(shard: &ShardView) -> usize {
    let whole = |state| matches!(state, ReplicaState::Leader | ReplicaState::Follower);
    shard.replicas.iter().filter(|replica| whole(replica.state)).count()
}

/// Whether it counts in the quorum.
pub(crate) fn is_voter(replica: &ReplicaView) -> bool {
    replica.role == ReplicaRole::Voter
}

/// Whether it counts in the quorum and answers.
pub(crate) fn is_whole_voter(replica: &ReplicaView) -> bool {
    is_voter(replica) && matches!(replica.state, ReplicaState::Leader | ReplicaState::Follower)
}

fn risk(shard: &ShardView) -> (Reverse<ShardHealth>, usize, Reverse<u64>) {
    let lag = shard.replicas.iter().filter_map(|replica| replica.lag).max().unwrap_or(0);
    // Small lags come and go; rows must not jump for them.
    (Reverse(shard.health), copies(shard), Reverse(lag / 1_000))
}

/// A shard's health as filters and sentences call it.
pub(crate) fn health(health: ShardHealth) -> &'static str {
    match health {
        ShardHealth::Ok => "ok",
        ShardHealth::UnderReplicated => "under",
        ShardHealth::Unavailable => "unavailable",
    }
}

fn shard_text(model: &Model, shard: &ShardView) -> String {
    let cluster = model.shown();
    let health = health(shard.health);
    let moves = |state| matches!(state, ReplicaState::Filling | ReplicaState::Leaving);
    let moving = shard.replicas.iter().any(|replica| moves(replica.state));
    let names: Vec<String> =
        shard.replicas.iter().map(|replica| cluster.name(replica.node)).collect();
    let moving = if moving { "moving" } else { "" };
    let phase = format!("{:?}", shard.phase);
    format!("{} {} {health} {moving} {phase} {}", shard.id, shard.keyspace_name, names.join(" "))
}

/// The failovers, newest first.
pub(crate) fn failovers(model: &Model) -> Vec<Incident> {
    let filter = model.filter(Screen::Failover);
    let mut found = failovers::incidents(&model.shown().journal);
    found.retain(|incident| filter.is_empty() || matches(filter, &incident_text(model, incident)));
    found
}

fn incident_text(model: &Model, incident: &Incident) -> String {
    let rises = incident.rises.iter().map(|rise| {
        let leader = rise.leader.map(|id| model.shown().name(id)).unwrap_or_default();
        format!("{} {leader}", rise.shard)
    });
    let planned = if incident.planned { "planned" } else { "failover" };
    format!("{} {planned} {}", incident.cause, rises.collect::<Vec<_>>().join(" "))
}

/// The backups, newest first.
pub(crate) fn backups(model: &Model) -> Vec<(String, String)> {
    let Some(view) = model.shown().view() else { return Vec::new() };
    let filter = model.filter(Screen::Backups);
    let found = view.backups.iter().rev();
    found
        .filter(|backup| matches(filter, &format!("{} {}", backup.id, backup.archive)))
        .map(|backup| (backup.archive.clone(), backup.id.clone()))
        .collect()
}

/// The journal lines of Events, oldest first.
pub(crate) fn events(model: &Model) -> Vec<(&EventKey, &Event)> {
    let filter = model.filter(Screen::Events);
    let lines = model.shown().journal.iter();
    lines
        .filter(|(_, event)| event.severity >= model.severity)
        .filter(|(_, event)| filter.is_empty() || matches(filter, &event_text(model, event)))
        .collect()
}

fn event_text(model: &Model, event: &Event) -> String {
    let node = event.node.map(|id| model.shown().name(id)).unwrap_or_default();
    let shard = event.shard.map(|id| id.to_string()).unwrap_or_default();
    let severity = format!("{:?}", event.severity);
    format!("{} {severity} {node} {shard} {} {}", event.kind, event.what, event.why)
}
