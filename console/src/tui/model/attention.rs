//! What deserves a look, worst first: the agents' verdicts put into sentences.

use evenkeel_shared::ids::{NodeId, ShardId};
use evenkeel_shared::view::{
    ClusterView, FailoverMode, IntentKind, IntentPhase, NodeState, NodeView, ShardHealth,
    ShardPhase, ShardView,
};

use super::Model;
use super::cluster::Cluster;
use crate::tui::LinkState;
use crate::tui::action::Screen;
use crate::tui::format;
use crate::tui::theme::Tone;

/// Sentences that are shown; a longer list is not read.
pub(crate) const ATTENTION_MAX: usize = 7;
/// Where the agents' detector begins to suspect a peer; drawn as a mark, never judged here.
pub(crate) const PHI_SUSPECT: f64 = 8.0;
/// Suspicion that is worth a sentence before it is a verdict.
const PHI_RISING: f64 = 4.0;
/// How full a disk may be before it is worth a sentence.
const DISK_FULL: f64 = 0.85;

/// One sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// How bad.
    pub(crate) tone: Tone,
    /// In words.
    pub(crate) text: String,
    /// What it is about.
    pub(crate) about: About,
}

/// Where a sentence leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum About {
    /// Nowhere: it is about all of it.
    All,
    /// To a node.
    Node(NodeId),
    /// To a shard.
    Shard(ShardId),
    /// To a screen, with a filter.
    Listed(Screen, &'static str),
}

/// The findings, and which node must not be lost now.
pub(crate) fn all(model: &Model) -> Vec<Finding> {
    let cluster = model.shown();
    let mut found = findings(cluster, model.shown_at());
    let Some(view) = cluster.view().filter(|_| model.held.is_none()) else { return found };
    waiting(model, &mut found);
    let foreseen = &model.answers.foreseen;
    let lost = view.nodes.iter().filter(|node| node.state != NodeState::Down).filter_map(|node| {
        let shards = foreseen.of(node.id, view.revision)?.quorum_lost.len();
        (shards > 0).then_some((shards, node))
    });
    let mut lost: Vec<(usize, &NodeView)> = lost.collect();
    lost.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.name.cmp(&b.1.name)));
    if let Some((most, node)) = lost.first() {
        let (name, shards) = (&node.name, format::plural(*most, "shard"));
        let text = match lost.len() - 1 {
            0 => format!("losing {name} now would take the quorum of {shards}"),
            others => format!(
                "losing {name}, or one of {others} others, would take the quorum of up to {shards}"
            ),
        };
        let place = found.iter().filter(|finding| finding.tone == Tone::Bad).count();
        found.insert(place, Finding { tone: Tone::Warn, text, about: About::Node(node.id) });
        found.truncate(ATTENTION_MAX);
    }
    found
}

/// Steps that the policy leaves to an operator.
fn waiting(model: &Model, found: &mut Vec<Finding>) {
    let steps = super::acts::waiting(model).len();
    if steps > 0 {
        let wait = if steps == 1 { "step of the plan waits" } else { "steps of the plan wait" };
        let text = format!("{steps} {wait} for your word: A");
        let about = About::Listed(Screen::Shards, "");
        found.insert(0, Finding { tone: Tone::Warn, text, about });
        found.sort_by_key(rank);
        found.truncate(ATTENTION_MAX);
    }
}

/// The worst first.
fn rank(finding: &Finding) -> u8 {
    match finding.tone {
        Tone::Bad => 0,
        Tone::Warn => 1,
        _ => 2,
    }
}

/// The findings, worst first.
fn findings(cluster: &Cluster, now: u64) -> Vec<Finding> {
    let mut found = Vec::new();
    if let Some(stranger) = cluster.stranger {
        let text =
            format!("another cluster, {stranger}, answers at these addresses: it is not shown");
        found.push(Finding { tone: Tone::Bad, text, about: About::All });
    }
    links(cluster, now, &mut found);
    if let Some(view) = cluster.view() {
        shards(view, &mut found);
        for node in &view.nodes {
            nodes(cluster, view, node.id, &mut found);
        }
        disks(cluster, view, now, &mut found);
        modes(view, &mut found);
        intents(view, &mut found);
    }
    found.sort_by_key(rank);
    found.truncate(ATTENTION_MAX);
    found
}

fn links(cluster: &Cluster, now: u64, found: &mut Vec<Finding>) {
    if cluster.links.is_empty() || cluster.is_connected() {
        return;
    }
    let lost = cluster.links.iter().filter_map(|(address, link)| match &link.state {
        LinkState::Lost { why } => Some((link.since, address, why)),
        _ => None,
    });
    if let Some((since, address, why)) = lost.max_by_key(|(since, ..)| *since) {
        let age = format::age(now.saturating_sub(since));
        let text = format!("no agent reachable for {age}: {address} {why}");
        found.push(Finding { tone: Tone::Bad, text, about: About::All });
    }
}

fn shards(view: &ClusterView, found: &mut Vec<Finding>) {
    let mut say = |tone, text, filter| {
        found.push(Finding { tone, text, about: About::Listed(Screen::Shards, filter) });
    };
    let list = |health| -> Vec<&ShardView> {
        // What a restore builds beside serves nobody yet.
        let shards = view.system.iter().chain(&view.shards);
        let serving = shards.filter(|shard| shard.phase == ShardPhase::Serving);
        serving.filter(|shard| shard.health == health).collect()
    };
    let unavailable = list(ShardHealth::Unavailable);
    if !unavailable.is_empty() {
        let names: Vec<String> = unavailable.iter().map(|shard| shard.id.to_string()).collect();
        let what = format::plural(names.len(), "shard");
        let text = format!("{what} can't be written: {}", format::some_of(&names, 5));
        say(Tone::Bad, text, "unavailable");
    }
    let under = list(ShardHealth::UnderReplicated);
    if !under.is_empty() {
        let names: Vec<String> = under.iter().map(|shard| shard.id.to_string()).collect();
        let text = format!(
            "{} with a copy missing: {}",
            format::plural(names.len(), "shard"),
            format::some_of(&names, 5)
        );
        say(Tone::Info, text, "under");
    }
    let hanging = under.into_iter().filter_map(|shard| {
        let voters = shard.replicas.iter().filter(|r| super::rows::is_whole_voter(r)).count();
        let all = shard.replicas.iter().filter(|r| super::rows::is_voter(r)).count();
        (all > 1 && voters == all / 2 + 1).then(|| shard.id.to_string())
    });
    let hanging: Vec<String> = hanging.collect();
    if !hanging.is_empty() {
        let what = format::plural(hanging.len(), "shard");
        let text = format!("{what} without a copy to spare: {}", format::some_of(&hanging, 5));
        say(Tone::Warn, text, "under");
    }
}

/// Full disks, all of them in one sentence: they fill up together.
fn disks(cluster: &Cluster, view: &ClusterView, now: u64, found: &mut Vec<Finding>) {
    let full = view.nodes.iter().filter_map(|node| {
        let share = cluster.load(node.id, now).and_then(|seen| disk_share(seen.load))?;
        (share >= DISK_FULL).then_some((node, share))
    });
    let full: Vec<_> = full.collect();
    let Some((first, _)) = full.first() else { return };
    let names: Vec<String> =
        full.iter().map(|(node, share)| format!("{} {:.0}%", node.name, share * 100.0)).collect();
    let disk = if names.len() == 1 { "disk" } else { "disks" };
    let text = format!("{disk} nearly full: {}", format::some_of(&names, 5));
    found.push(Finding { tone: Tone::Warn, text, about: About::Node(first.id) });
}

fn nodes(cluster: &Cluster, view: &ClusterView, id: NodeId, found: &mut Vec<Finding>) {
    let Some(node) = cluster.node(id) else { return };
    let name = &node.name;
    let since = format::age(view.taken_unix_ms.saturating_sub(node.since_unix_ms));
    let why = if node.why.is_empty() { String::new() } else { format!(": {}", node.why) };
    let mut say = |tone, text| found.push(Finding { tone, text, about: About::Node(id) });
    match node.state {
        NodeState::Down => say(Tone::Bad, format!("{name} down {since}{why}")),
        NodeState::Suspect => say(Tone::Warn, format!("{name} suspected {since}{why}")),
        NodeState::Slow => say(Tone::Warn, format!("{name} slow {since}{why}")),
        NodeState::Maint => say(Tone::Info, format!("{name} in maintenance {since}{why}")),
        NodeState::Draining => say(Tone::Info, format!("{name} draining {since}{why}")),
        NodeState::Joining => say(Tone::Info, format!("{name} joining {since}{why}")),
        _ => {}
    }
    let phi = node.phi.filter(|phi| (PHI_RISING..PHI_SUSPECT).contains(phi));
    if let Some(phi) = phi.filter(|_| node.state == NodeState::Up) {
        say(Tone::Warn, format!("{name} phi {phi:.1} rising, suspect at {PHI_SUSPECT:.0}"));
    }
}

/// Shards that lose their leader stay without one: nobody should forget that.
fn modes(view: &ClusterView, found: &mut Vec<Finding>) {
    let now = view.taken_unix_ms;
    let mut say = |whose: &str, mode: FailoverMode| {
        let left = match mode {
            FailoverMode::Paused { until_unix_ms } => {
                format!(" for {} more", format::age(until_unix_ms.saturating_sub(now)))
            }
            FailoverMode::Automatic | FailoverMode::Manual => String::new(),
        };
        let text = format!("failover of {whose} is {mode}{left}: nobody takes over by itself");
        found.push(Finding { tone: Tone::Warn, text, about: About::All });
    };
    if !view.modes.cluster.elects(now) {
        say("all keyspaces", view.modes.cluster);
    }
    for (keyspace, mode) in view.modes.keyspaces.iter().filter(|(_, mode)| !mode.elects(now)) {
        let named = view.keyspaces.iter().find(|known| known.id == *keyspace);
        say(&named.map_or_else(|| keyspace.to_string(), |known| known.name.clone()), *mode);
    }
}

/// How full the data folder's disk is.
pub(crate) fn disk_share(load: &evenkeel_shared::heartbeat::Load) -> Option<f64> {
    let total = load.disk_total_bytes.filter(|total| *total > 0)?;
    Some(crate::tui::number::float(load.disk_used_bytes?) / crate::tui::number::float(total))
}

fn intents(view: &ClusterView, found: &mut Vec<Finding>) {
    for intent in &view.intents {
        let IntentKind::Restore { backup, .. } = &intent.kind;
        let (tone, text) = match &intent.phase {
            IntentPhase::Complete => {
                (Tone::Info, format!("restore of {backup} waits for accept or undo"))
            }
            IntentPhase::Failed(why) => (Tone::Bad, format!("restore of {backup} failed: {why}")),
            _ => (Tone::Info, format!("restore of {backup} under way")),
        };
        found.push(Finding { tone, text, about: About::Listed(Screen::Backups, "") });
    }
}
