//! The command line that does what a key does: for runbooks, for a second pair of eyes.

use evenkeel_shared::fault::{Fault, Way};
use evenkeel_shared::ids::{NodeId, ShardId};
use evenkeel_shared::preflight::{Action, Harm};
use evenkeel_shared::view::{FailoverMode, Later, RecoveryChange};
use evenkeel_shared::what_if::Change;

use super::Model;
use super::acts::name;
use crate::tui::LinkState;
use crate::tui::action::Screen;

/// An act as a command line, as it would have to be confirmed.
pub(crate) fn of(model: &Model, action: &Action, harm: Option<Harm>) -> String {
    let consent = match harm {
        Some(Harm::Break) => format!(" --override {}", quoted(&name(model, action))),
        Some(Harm::None | Harm::Risk) => " --yes".to_owned(),
        None => String::new(),
    };
    let input = match action {
        Action::Recover(RecoveryChange::SetPolicy { new, .. }) => {
            format!(" <<'EOF'\n{}EOF\n", new.text)
        }
        _ => String::new(),
    };
    format!("evenkeel {}{consent}{}{input}", words(model, action), connect(model))
}

/// Changes that are only thought of, as the command line that asks about them.
pub(crate) fn of_changes(model: &Model, changes: &[Change]) -> String {
    let words = changes.iter().map(|change| match change {
        Change::Drain(node) => format!(" --drain {}", quoted(&model.live.name(*node))),
        Change::Lose(node) => format!(" --lose {}", quoted(&model.live.name(*node))),
        Change::Add { zone, capacity } => {
            format!(" --add {}", quoted(&format!("{zone}:{capacity}")))
        }
    });
    format!("evenkeel plan what-if{}{}", words.collect::<String>(), connect(model))
}

/// The command line that shows what is chosen.
pub(crate) fn of_screen(model: &Model) -> String {
    let words = match model.screen {
        Screen::Nodes | Screen::Load => match model.chosen.node.key {
            Some(node) => format!("node explain {}", quoted(&model.live.name(node))),
            None => "nodes".to_owned(),
        },
        Screen::Shards => match model.chosen.shard.key {
            Some(shard) => format!("shard explain {}", shard.0),
            None => "shards".to_owned(),
        },
        Screen::Failover => "events --why".to_owned(),
        Screen::Backups => match &model.chosen.backup.key {
            Some((_, id)) => format!("backup show {}", quoted(id)),
            None => "backup list".to_owned(),
        },
        Screen::Events => "events".to_owned(),
    };
    format!("evenkeel {words}{}", connect(model))
}

fn words(model: &Model, action: &Action) -> String {
    let node = |id: &NodeId| quoted(&model.live.name(*id));
    let to = |to: &Option<NodeId>| match to {
        Some(to) => format!(" --to {}", node(to)),
        None => String::new(),
    };
    match action {
        Action::Kill { node: id, down_secs } => {
            let down = down_secs.map(|secs| format!(" --for {secs}s")).unwrap_or_default();
            format!("node kill {}{down}", node(id))
        }
        Action::Fault { node: id, fault, secs } => {
            let (verb, rest) = fault_words(model, fault);
            format!("node {verb} {} --for {secs}s{rest}", node(id))
        }
        Action::Heal => "drill stop".to_owned(),
        Action::Switchover { shard, to: target } => {
            format!("shard switchover {}{}", shard.0, to(target))
        }
        Action::Failover { shard, to: target } => {
            format!("shard failover {}{} --accept-loss", shard.0, to(target))
        }
        Action::NodeSwitchover { node: id } => format!("node switchover {}", node(id)),
        Action::Drain { node: id, undo: false } => format!("node drain {}", node(id)),
        Action::Drain { node: id, undo: true } => format!("node undrain {}", node(id)),
        Action::Evict { node: id } => format!("node evict {}", node(id)),
        Action::Reinit { node: id } => format!("node reinit {}", node(id)),
        Action::ReplicaAdd { shard, node: id } => {
            format!("shard replica add {} {}", shard.0, node(id))
        }
        Action::ReplicaRemove { shard, node: id } => {
            format!("shard replica remove {} {}", shard.0, node(id))
        }
        Action::Backup { archive } => format!("backup create --to {}", quoted(archive)),
        Action::Restore { archive, backup } => {
            format!("restore {} --from {}", quoted(backup), quoted(archive))
        }
        Action::RestoreAccept => "restore accept".to_owned(),
        Action::RestoreUndo => "restore undo".to_owned(),
        Action::KeyspaceCreate(spec) => format!("keyspace create {}", quoted(&spec.name)),
        Action::KeyspaceSet { .. } => format!("keyspace set {}", quoted(&name(model, action))),
        Action::KeyspaceDrop { .. } => format!("keyspace drop {}", quoted(&name(model, action))),
        Action::RecoverQuorum { shards, archive } => {
            let shards: Vec<String> = shards.iter().map(|ShardId(id)| id.to_string()).collect();
            format!("recover quorum-loss {} --to {}", shards.join(" "), quoted(archive))
        }
        Action::Recover(change) => declared(model, change),
    }
}

fn fault_words(model: &Model, fault: &Fault) -> (&'static str, String) {
    match fault {
        Fault::Freeze => ("freeze", String::new()),
        Fault::StallDisk => ("stall-disk", String::new()),
        Fault::FillDisk => ("fill-disk", String::new()),
        Fault::Skew { milliseconds } => ("skew", format!(" --by {milliseconds}")),
        Fault::Slow { delay_ms, jitter_ms } => {
            ("slow", format!(" --delay {delay_ms}ms --jitter {jitter_ms}ms"))
        }
        Fault::Cut { from, way } => {
            let names: Vec<String> = from.iter().map(|id| quoted(&model.live.name(*id))).collect();
            let from = if names.is_empty() {
                String::new()
            } else {
                format!(" --from {}", names.join(","))
            };
            let way = match way {
                Way::Both => "",
                Way::In => " --way in",
                Way::Out => " --way out",
            };
            ("cut", format!("{from}{way}"))
        }
    }
}

fn declared(model: &Model, change: &RecoveryChange) -> String {
    let node = |id: &NodeId| quoted(&model.live.name(*id));
    match change {
        RecoveryChange::SetMode { mode, .. } => match mode {
            FailoverMode::Automatic => "failover automatic".to_owned(),
            FailoverMode::Manual => "failover manual".to_owned(),
            FailoverMode::Paused { until_unix_ms } => {
                let left = until_unix_ms.saturating_sub(model.now).div_ceil(1_000);
                format!("failover pause --for {left}s")
            }
        },
        RecoveryChange::Maintain { node: id, maintenance: None } => {
            format!("node maintain {} --end", node(id))
        }
        RecoveryChange::Maintain { node: id, maintenance: Some(word) } => {
            let left = word.until_unix_ms.saturating_sub(model.now).div_ceil(1_000);
            format!("node maintain {} --for {left}s --reason {}", node(id), quoted(&word.why))
        }
        RecoveryChange::Withdraw { node: id } => format!("node report {} --withdraw", node(id)),
        RecoveryChange::Report(report) => {
            format!("node report {} --reason {}", node(&report.node), quoted(&report.reason))
        }
        RecoveryChange::Decide { step, decision: Some(_) } => {
            format!("plan apply {}", quoted(step))
        }
        RecoveryChange::Decide { step, decision: None } => format!("plan cancel {}", quoted(step)),
        RecoveryChange::Schedule(later) => match &later.what {
            Later::NodeSwitchover { node: id } => format!("node switchover {} --in 1h", node(id)),
            Later::Switchover { shard, .. } => format!("shard switchover {} --in 1h", shard.0),
        },
        RecoveryChange::Unschedule { id } => format!("plan cancel {id}"),
        RecoveryChange::SetPolicy { .. } => "policy set -".to_owned(),
        RecoveryChange::SetCopies { shard, .. } => format!("shard replica add {} NODE", shard.0),
    }
}

/// ` --connect HOST:PORT`, of an agent that answers.
fn connect(model: &Model) -> String {
    let open = |state: &LinkState| *state == LinkState::Connected;
    let mut links = model.live.links.iter();
    let address = links.find(|(_, link)| open(&link.state)).map(|(address, _)| address);
    address.map(|address| format!(" --connect {address}")).unwrap_or_default()
}

/// A word as a shell takes it for one.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=@,+%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_a_shell_would_take_apart_are_quoted() {
        assert_eq!(quoted("/var/archive"), "/var/archive");
        assert_eq!(quoted("my archive"), "'my archive'");
        assert_eq!(quoted("it's; rm"), "'it'\\''s; rm'");
        assert_eq!(quoted(""), "''");
    }
}
