//! `evenkeel status`: the headline and the counts behind it.
//!
//! The verdict is the agent's (law 4); this file only words it.

use evenkeel_shared::dossier::Score;
use evenkeel_shared::view::{
    ClusterView, FailoverMode, Health, IntentPhase, NodeState, ShardHealth, ShardPhase,
};
use serde::Serialize;

use super::repeat::{self, Repeat};
use super::session::node_name;
use super::{CliError, Exit, Session, format};

/// Shards that a sentence names before it counts the rest.
const SHARDS_NAMED: usize = 8;

/// What `status --json` prints.
#[derive(Debug, Serialize)]
struct Status {
    health: Health,
    nodes: Nodes,
    shards: Shards,
    cluster: String,
    revision: u64,
    observer: String,
    controller: Option<String>,
    taken: Option<String>,
    detector: Score,
    attention: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Nodes {
    total: u32,
    up: u32,
}

#[derive(Debug, Serialize)]
struct Shards {
    total: u32,
    ok: u32,
    under_replicated: u32,
    unavailable: u32,
}

/// Runs the command.
pub(crate) async fn run(session: &Session, repeat: Repeat) -> Result<Exit, CliError> {
    let json = session.json();
    repeat::views(session, repeat, |view| {
        let status = Status::of(view);
        let text = if json { repeat::json_line(&status)? } else { status.text(view.health) };
        Ok((text, exit(view.health)))
    })
    .await
}

fn exit(health: Health) -> Exit {
    if health == Health::Ok { Exit::Done } else { Exit::Degraded }
}

impl Status {
    fn of(view: &ClusterView) -> Self {
        let counts = view.counts;
        Self {
            health: view.health,
            nodes: Nodes { total: counts.nodes_total, up: counts.nodes_up },
            shards: Shards {
                total: counts.shards_total,
                ok: counts.shards_ok,
                under_replicated: counts.shards_under_replicated,
                unavailable: counts.shards_unavailable,
            },
            cluster: view.cluster.to_string(),
            revision: view.revision,
            observer: node_name(view, view.observer),
            controller: view.controller.map(|node| node_name(view, node)),
            taken: format::rfc3339(view.taken_unix_ms),
            detector: view.score,
            attention: attention(view),
        }
    }

    fn text(&self, health: Health) -> String {
        let shards = &self.shards;
        let mut text = format!(
            "{health}  {} of {} nodes up, {} of {} shards ok",
            self.nodes.up, self.nodes.total, shards.ok, shards.total
        );
        if shards.under_replicated > 0 {
            format::append(
                &mut text,
                format_args!(", {} under-replicated", shards.under_replicated),
            );
        }
        if shards.unavailable > 0 {
            format::append(&mut text, format_args!(", {} unavailable", shards.unavailable));
        }
        let controller = self.controller.as_deref().unwrap_or("none");
        format::append(
            &mut text,
            format_args!(
                "\ncluster {}, seen by {}, controller {controller}, revision {}\n",
                self.cluster, self.observer, self.revision
            ),
        );
        let Score { right, wrong, detect_median_us, detect_max_us, .. } = self.detector;
        if let Some((median, longest)) = detect_median_us.zip(detect_max_us) {
            format::append(
                &mut text,
                format_args!(
                    "verdicts of {}: {right} right, {wrong} wrong, found out within {} (median), {} (max)\n",
                    self.observer,
                    format::micros(median),
                    format::micros(longest)
                ),
            );
        }
        let Score { slow_right, slow_wrong, lead_median_us, .. } = self.detector;
        if slow_right + slow_wrong > 0 {
            let lead = lead_median_us.map_or(String::new(), |lead| {
                format!(", {} before a node died (median)", format::micros(lead))
            });
            format::append(
                &mut text,
                format_args!("held slow: {slow_right} right, {slow_wrong} wrong{lead}\n"),
            );
        }
        for sentence in &self.attention {
            format::append(&mut text, format_args!("- {sentence}\n"));
        }
        text
    }
}

/// What an operator should look at, a sentence each, the most pressing first.
fn attention(view: &ClusterView) -> Vec<String> {
    let mut sentences = Vec::new();
    sentences.extend(shards_that("can't be written", ShardHealth::Unavailable, view));
    for node in &view.nodes {
        if !matches!(node.state, NodeState::Up | NodeState::Left) {
            let why = if node.why.is_empty() { String::new() } else { format!(": {}", node.why) };
            sentences.push(format!("{} is {}{why}", node.name, node.state));
        }
    }
    if view.modes.cluster != FailoverMode::Automatic {
        sentences.push(format!("failover is {} in the whole cluster", mode(view.modes.cluster)));
    }
    for (keyspace, own) in &view.modes.keyspaces {
        let named = view.keyspaces.iter().find(|known| known.id == *keyspace);
        if let Some(named) = named.filter(|_| !own.elects(view.taken_unix_ms)) {
            sentences.push(format!("failover of {} is {}", named.name, mode(*own)));
        }
    }
    sentences.extend(shards_that("without a copy to spare", ShardHealth::UnderReplicated, view));
    if view.controller.is_none() {
        sentences.push("no controller: nothing is repaired or balanced".into());
    }
    for intent in &view.intents {
        sentences.push(match &intent.phase {
            IntentPhase::Complete => {
                "a restore waits for `restore accept` or `restore undo`".to_owned()
            }
            IntentPhase::Failed(why) => format!("{} has failed: {why}", intent.id),
            phase => format!("{} is under way: {phase:?}", intent.id),
        });
    }
    sentences
}

fn mode(mode: FailoverMode) -> String {
    match mode {
        FailoverMode::Paused { until_unix_ms } => {
            format!("paused until {}", format::moment(until_unix_ms))
        }
        FailoverMode::Automatic | FailoverMode::Manual => mode.to_string(),
    }
}

/// One sentence for all shards of that health, however many they are.
fn shards_that(what: &str, health: ShardHealth, view: &ClusterView) -> Option<String> {
    // What a restore builds beside serves nobody yet.
    let serving = view.shards.iter().filter(|shard| shard.phase == ShardPhase::Serving);
    let shards: Vec<String> =
        serving.filter(|shard| shard.health == health).map(|shard| shard.id.to_string()).collect();
    let named = shards.iter().take(SHARDS_NAMED).cloned().collect::<Vec<_>>().join(" ");
    match shards.len() {
        0 => None,
        1 => Some(format!("{named} {what}")),
        many @ 2..=SHARDS_NAMED => Some(format!("{many} shards {what}: {named}")),
        many => Some(format!("{many} shards {what}: {named} +{}", many - SHARDS_NAMED)),
    }
}

#[cfg(test)]
mod tests {
    use evenkeel_shared::ids::ShardId;
    use evenkeel_shared::view::ShardView;

    use super::*;
    use crate::cli::fake::sample_view;

    #[test]
    fn json_has_the_fields_of_the_contract() {
        let json = serde_json::to_value(Status::of(&sample_view())).unwrap();
        assert_eq!(json["health"], "ok");
        assert_eq!(json["nodes"], serde_json::json!({"total": 3, "up": 3}));
        let shards =
            serde_json::json!({"total": 2, "ok": 2, "under_replicated": 0, "unavailable": 0});
        assert_eq!(json["shards"], shards);
    }

    #[test]
    fn anything_but_ok_exits_with_1() {
        assert_eq!(exit(Health::Ok), Exit::Done);
        assert_eq!(exit(Health::Degraded), Exit::Degraded);
        assert_eq!(exit(Health::Unavailable), Exit::Degraded);
    }

    #[test]
    fn a_lost_node_and_a_shard_without_leader_are_named() {
        let mut view = sample_view();
        view.nodes[1].state = NodeState::Down;
        view.nodes[1].why = "refused".into();
        view.shards[0].health = ShardHealth::Unavailable;
        let sentences = attention(&view);
        assert_eq!(sentences, ["s1 can't be written", "n2 is DOWN: refused"]);
        view.shards[1].health = ShardHealth::Unavailable;
        assert_eq!(attention(&view)[0], "2 shards can't be written: s1 s2");
        let more = (3..=10).map(|id| ShardView { id: ShardId(id), ..view.shards[0].clone() });
        view.shards.extend(more.collect::<Vec<_>>());
        let all = "10 shards can't be written: s1 s2 s3 s4 s5 s6 s7 s8 +2";
        assert_eq!(attention(&view)[0], all);
    }
}
