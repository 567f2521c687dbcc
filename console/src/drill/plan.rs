//! Before a drill: whether it may begin, and what it would do, step by step.
//!
//! Nothing is done here. Every act of every step is looked at as if it were the first.

use std::path::PathBuf;

use evenkeel_shared::preflight::{Action, Harm, Preflight};
use evenkeel_shared::view::{ClusterView, Health, NodeState};

use super::acts::{self, Acts};
use super::error::DrillError;
use super::format::{count, list};
use super::link::Link;
use super::script::{Script, Step, What};

/// What is to be said before a drill, and how hard it must be confirmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Briefing {
    /// The cluster.
    pub(crate) cluster: String,
    /// What each step would do, in lines.
    pub(crate) lines: Vec<String>,
    /// The worst of all steps.
    pub(crate) harm: Harm,
    /// Where backups go, if the drill makes any.
    pub(crate) archive: Option<String>,
}

/// Looks at every step. An error: the drill may not begin.
pub(crate) async fn brief(
    link: &Link,
    script: &Script,
    to: Option<&str>,
) -> Result<Briefing, DrillError> {
    let view = link.view().await?;
    if let Some(missing) = not_whole(&view) {
        return Err(DrillError::refused(
            format!("the cluster is not whole: {missing}"),
            "`evenkeel wait --until healthy`, then the drill again",
        ));
    }
    let archive = archive(&view, script, to)?;
    let cluster = view.cluster.to_string();
    let mut briefing = Briefing { cluster, lines: Vec::new(), harm: Harm::None, archive };
    for (number, step) in (1..).zip(&script.steps) {
        let acts = acts::of(&view, step)?;
        briefing.lines.push(format!("{number}. {}{}", step, chosen(step, &acts)));
        let mut actions = acts.actions.clone();
        if let (What::Backup { .. }, Some(archive)) = (&step.what, &briefing.archive) {
            actions.push(Action::Backup { archive: archive.clone() });
            briefing.lines.push(format!("   into {archive}, where it stays"));
        }
        for action in &actions {
            let flight = link.preflight(action).await?;
            if let Some(why) = &flight.refused {
                let safer = flight.safer.clone().unwrap_or_default();
                return Err(DrillError::refused(format!("{}: {why}", flight.title), safer));
            }
            briefing.harm = briefing.harm.max(flight.harm);
            briefing.lines.extend(foretold(&flight).into_iter().map(|line| format!("   {line}")));
        }
        if !acts.quorum_lost.is_empty() {
            briefing.harm = Harm::Break;
            let shards = count(acts.quorum_lost.len(), "shard");
            let ids = list(&acts.quorum_lost);
            briefing.lines.push(format!("   {shards} would lose their quorum ({ids})"));
        }
        if step.what == What::RestoreAndUndo {
            briefing.harm = Harm::Break;
            briefing.lines.extend(RESTORE.map(|line| format!("   {line}")));
        }
    }
    Ok(briefing)
}

/// What a rehearsal does to live data.
const RESTORE: [&str; 4] = [
    "this is done to live data, for everybody:",
    "- between the restore and its undo everybody reads what the backup has",
    "- every write made between the restore and its undo, by anybody, is DROPPED by the undo",
    "- writes are refused for a moment, twice, while shards change hands",
];

/// What of a cluster is missing; `None`: nothing.
pub(crate) fn not_whole(view: &ClusterView) -> Option<String> {
    let (counts, nodes) = (view.counts, view.nodes.iter());
    if view.health != Health::Ok || counts.shards_total == 0 {
        let up = format!("{} of {} nodes up", counts.nodes_up, counts.nodes_total);
        let ok = format!("{} of {} shards ok", counts.shards_ok, counts.shards_total);
        return Some(format!("{}: {up}, {ok}", view.health));
    }
    // A node whose disk stalls looks well to the others: a second fault would take the quorum.
    let drilled = |node: &&_| {
        let node: &evenkeel_shared::view::NodeView = node;
        node.load.as_ref().is_some_and(|load| load.drill.is_some())
    };
    let under_way = list(nodes.clone().filter(drilled).map(|node| &node.name));
    if !under_way.is_empty() {
        return Some(format!("a drill is under way on {under_way}"));
    }
    let apart = nodes.filter(|node| node.state != NodeState::Up);
    let apart = list(apart.map(|node| format!("{} is {}", node.name, node.state)));
    (!apart.is_empty()).then_some(apart)
}

/// Who was chosen, where the step does not say it itself.
fn chosen(step: &Step, acts: &Acts) -> String {
    let words = step.to_string();
    let told = acts.names.iter().all(|name| words.split([' ', ',']).any(|word| word == name));
    if told { String::new() } else { format!(" (as things stand: {})", list(&acts.names)) }
}

/// What a pre-flight foretells, in lines.
fn foretold(flight: &Preflight) -> Vec<String> {
    let mut lines = Vec::new();
    let shards = [
        (&flight.quorum_lost, "would lose their quorum: no reads, no writes"),
        (&flight.no_spare, "would have no copy to spare"),
        (&flight.leaders_moved, "would get another leader"),
    ];
    let told = shards.iter().filter(|(shards, _)| !shards.is_empty());
    let told: Vec<String> =
        told.map(|(shards, what)| format!("{} {what}", count(shards.len(), "shard"))).collect();
    if !told.is_empty() {
        lines.push(format!("{}: {}", flight.title, told.join(", ")));
    }
    if let Some(writes) = flight.writes_dropped.filter(|writes| *writes > 0) {
        lines.push(format!("{}: {writes} acknowledged writes would be dropped", flight.title));
    }
    let risky = flight.notes.iter().filter(|_| flight.harm > Harm::None);
    lines.extend(risky.map(|note| format!("{}: {note}", flight.title)));
    lines
}

/// Where backups go: as the command says, as the script says, or, where all agents are on this
/// machine, into a folder of this user's.
fn archive(
    view: &ClusterView,
    script: &Script,
    to: Option<&str>,
) -> Result<Option<String>, DrillError> {
    let mut named = script.steps.iter().filter_map(|step| match &step.what {
        What::Backup { to } => Some(to.clone()),
        _ => None,
    });
    let Some(named) = named.next() else { return Ok(None) };
    if let Some(folder) = to.map(str::to_owned).or(named) {
        return Ok(Some(folder));
    }
    let here = |address: &str| {
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
        ["127.0.0.1", "localhost", "[::1]"].contains(&host)
    };
    let own = || super::history::file()?.parent().map(|folder| folder.join("drill-archive"));
    let own: Option<PathBuf> = own().filter(|_| view.nodes.iter().all(|n| here(&n.addresses.rpc)));
    match own.and_then(|path| path.into_os_string().into_string().ok()) {
        Some(folder) => Ok(Some(folder)),
        None => Err(DrillError::refused(
            "this drill makes a backup, and must be told where",
            "--to DIR, a folder that all agents see",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drill::fixture::view;

    #[test]
    fn a_cluster_is_whole_when_all_nodes_are_up_and_no_drill_is_under_way() {
        let mut view = view(&["a", "b", "c"], &[&[1, 2, 3]]);
        assert_eq!(not_whole(&view), None);
        view.nodes[1].state = NodeState::Maint;
        assert_eq!(not_whole(&view).as_deref(), Some("n2 is MAINT"));
        view.health = Health::Degraded;
        view.counts.nodes_up = 2;
        let expected = "DEGRADED: 2 of 3 nodes up, 1 of 1 shards ok";
        assert_eq!(not_whole(&view).as_deref(), Some(expected));
    }

    #[test]
    fn a_pre_flight_is_told_by_what_it_would_take() {
        let flight = Preflight {
            title: "kill n1".into(),
            leaders_moved: vec![evenkeel_shared::ids::ShardId(1)],
            notes: vec!["started again after 5 s".into()],
            ..Preflight::default()
        };
        assert_eq!(foretold(&flight), ["kill n1: 1 shard would get another leader"]);
        let risky = Preflight { harm: Harm::Risk, ..flight };
        assert_eq!(foretold(&risky).len(), 2);
    }
}
