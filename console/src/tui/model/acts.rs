//! Harmful acts as the model has them: whether one can be begun, which one a command means on what
//! is chosen, and its words. It opens nothing and sends nothing.

use evenkeel_shared::fault::{Fault, Way};
use evenkeel_shared::ids::{KeyspaceId, NodeId, ShardId};
use evenkeel_shared::plan::StepStatus;
use evenkeel_shared::preflight::Action;
use evenkeel_shared::view::{
    Decision, FailoverMode, IntentKind, IntentPhase, Maintenance, NodeState, RecoveryChange,
};

use super::dialog::DOWN_SECS_DEFAULT;
use super::drill::DrillRun;
use super::{Model, rows};
use crate::tui::action::{Command, Screen};
use crate::tui::format;

/// How long a word on a step of the plan counts: long enough to be done, not for the next time.
const WORD_MS: u64 = 10 * 60 * 1_000;
/// How long maintenance lasts unless it is ended.
const MAINTAINED_MS: u64 = 60 * 60 * 1_000;

/// Why a harmful command can't be begun now; the lock comes first.
pub(crate) fn refusal(model: &Model, command: Command) -> Option<String> {
    closed(model).or_else(|| target(model, command).err().map(str::to_owned))
}

/// Why nothing harmful can be begun at all.
pub(crate) fn closed(model: &Model) -> Option<String> {
    if model.replay {
        return Some("this is a recording: nothing can be done to it".into());
    }
    if let Some(held) = &model.held {
        return Some(held.refusal().into());
    }
    if model.live.stranger.is_some() {
        return Some("another cluster answers at these addresses: open the console again".into());
    }
    if let Some(why) = model.lock.refusal() {
        return Some(why.into());
    }
    if !model.live.links.is_empty() && !model.live.is_connected() {
        return Some("no agent reachable".into());
    }
    None
}

/// The act that a command means on what is chosen now.
pub(crate) fn target(model: &Model, command: Command) -> Result<Action, &'static str> {
    match command {
        Command::Kill => {
            Ok(Action::Kill { node: node(model)?, down_secs: Some(DOWN_SECS_DEFAULT) })
        }
        Command::Drain => {
            let node = node(model)?;
            let state = model.live.node(node).map(|node| node.state);
            let undo = matches!(state, Some(NodeState::Draining | NodeState::Drained));
            Ok(Action::Drain { node, undo })
        }
        Command::FreezeNode => Ok(fault(node(model)?, Fault::Freeze)),
        Command::Cut => Ok(fault(node(model)?, Fault::Cut { from: Vec::new(), way: Way::Both })),
        Command::Switchover => Ok(Action::NodeSwitchover { node: node(model)? }),
        Command::Maintain => Ok(maintain(model, node(model)?)),
        Command::Mode => Ok(other_mode(model)),
        Command::Apply => {
            let waiting = waiting(model);
            let step = waiting.first().ok_or("no step of the plan waits for a word")?;
            Ok(decide(model, step.clone()))
        }
        Command::AddCopy => {
            let shard = data_shard(model)?;
            let places = places(model, shard, false);
            let node = *places.first().ok_or("every node has a copy of it")?;
            Ok(Action::ReplicaAdd { shard, node })
        }
        Command::RemoveCopy => {
            let shard = data_shard(model)?;
            let places = places(model, shard, true);
            let node = *places.first().ok_or("no node has a copy of it")?;
            Ok(Action::ReplicaRemove { shard, node })
        }
        Command::Drill if model.drills.is_empty() => Err("there are no drills here"),
        Command::Drill if model.drill.as_ref().is_some_and(DrillRun::runs) => {
            Err("one drill runs already: a ends it")
        }
        // Each step of a drill is an act of its own; this stands for them all.
        Command::Heal | Command::Drill => Ok(Action::Heal),
        Command::Evict => Ok(Action::Evict { node: node(model)? }),
        Command::Reinit => Ok(Action::Reinit { node: node(model)? }),
        Command::Failover => Ok(handover(model, shard(model)?)),
        Command::Backup => Ok(Action::Backup { archive: archive(model) }),
        Command::Restore => {
            let found = model.chosen.backup.chosen(&rows::backups(model));
            let (archive, backup) = found.ok_or("no backup is chosen")?;
            Ok(Action::Restore { archive, backup })
        }
        Command::Accept | Command::Undo => {
            let view = model.live.view().ok_or("nothing is known of the cluster yet")?;
            let stands = |phase| view.intents.iter().any(|intent| intent.phase == phase);
            let complete = stands(IntentPhase::Complete);
            let (action, waits) = match command {
                Command::Accept => (Action::RestoreAccept, complete),
                _ => (Action::RestoreUndo, complete || stands(IntentPhase::Building)),
            };
            if waits { Ok(action) } else { Err("no restore waits for it") }
        }
        _ => Err("not an act"),
    }
}

fn fault(node: NodeId, fault: Fault) -> Action {
    Action::Fault { node, fault, secs: DOWN_SECS_DEFAULT }
}

/// Maintenance begins, or ends where it has begun.
fn maintain(model: &Model, node: NodeId) -> Action {
    let state = model.live.node(node).map(|node| node.state);
    let maintenance = (state != Some(NodeState::Maint)).then(|| Maintenance {
        until_unix_ms: model.now.saturating_add(MAINTAINED_MS),
        by: "an operator at the console".to_owned(),
        why: "asked for at the console".to_owned(),
    });
    Action::Recover(RecoveryChange::Maintain { node, maintenance })
}

/// The modes that can be chosen from, the one that is not now coming first.
pub(crate) fn modes(model: &Model) -> Vec<(&'static str, FailoverMode)> {
    let until = |ms| FailoverMode::Paused { until_unix_ms: model.now.saturating_add(ms) };
    let all = [
        ("the agents: automatic", FailoverMode::Automatic),
        ("operators for 10 minutes: paused", until(600_000)),
        ("operators for an hour: paused", until(3_600_000)),
        ("operators: manual", FailoverMode::Manual),
    ];
    let now = model.live.view().map_or(FailoverMode::Automatic, |view| view.modes.cluster);
    let is_now = |mode: FailoverMode| mode.to_string() == now.to_string();
    let others = all.into_iter().filter(|(_, mode)| !is_now(*mode));
    others.collect()
}

/// The steps of the plan that wait for an operator's word.
pub(crate) fn waiting(model: &Model) -> Vec<String> {
    let heard = model.answers.plan.about(()).and_then(|heard| heard.value.as_ref().ok());
    let steps = heard.map_or(&[][..], |plan| &plan.steps);
    let waits = |status| matches!(status, StepStatus::Advised | StepStatus::Held);
    steps.iter().filter(|step| waits(step.status)).map(|step| step.name.clone()).collect()
}

/// An operator's word that a step be done.
pub(crate) fn decide(model: &Model, step: String) -> Action {
    let decision = Decision {
        go: true,
        by: "an operator at the console".to_owned(),
        until_unix_ms: model.now.saturating_add(WORD_MS),
    };
    Action::Recover(RecoveryChange::Decide { step, decision: Some(decision) })
}

fn other_mode(model: &Model) -> Action {
    let mode = modes(model).first().map_or(FailoverMode::Automatic, |(_, mode)| *mode);
    Action::Recover(RecoveryChange::SetMode { keyspace: None, mode })
}

/// The nodes that hold a copy of the shard, or those that do not and are still members.
pub(crate) fn places(model: &Model, shard: ShardId, holding: bool) -> Vec<NodeId> {
    let Some(known) = model.live.shard(shard) else { return Vec::new() };
    let holds = |id: NodeId| known.replicas.iter().any(|replica| replica.node == id);
    let zone = |id: NodeId| model.live.node(id).map(|node| node.zone.clone());
    let held: Vec<_> = known.replicas.iter().map(|replica| zone(replica.node)).collect();
    let mut nodes = model.live.nodes_by_name();
    nodes.retain(|id| holds(*id) == holding);
    // Those that are most likely to be fit come first.
    nodes.sort_by_key(|id| {
        let state = model.live.node(*id).map(|node| node.state);
        (state != Some(NodeState::Up), !holding && held.contains(&zone(*id)))
    });
    nodes
}

fn node(model: &Model) -> Result<NodeId, &'static str> {
    let screen = if model.screen == Screen::Load { Screen::Load } else { Screen::Nodes };
    model.chosen.node.chosen(&rows::nodes(model, screen)).ok_or("no node is chosen")
}

fn shard(model: &Model) -> Result<ShardId, &'static str> {
    model.chosen.shard.chosen(&rows::shards(model)).ok_or("no shard is chosen")
}

fn data_shard(model: &Model) -> Result<ShardId, &'static str> {
    let shard = shard(model)?;
    if shard.is_system() {
        Err("the cluster's own shard takes care of its copies")
    } else {
        Ok(shard)
    }
}

/// Planned when the leader answers, forced when it does not.
fn handover(model: &Model, shard: ShardId) -> Action {
    let leader = model.live.shard(shard).and_then(|shard| shard.leader);
    let state = leader.and_then(|leader| model.live.node(leader)).map(|node| node.state);
    match state {
        None | Some(NodeState::Down | NodeState::Unknown) => Action::Failover { shard, to: None },
        Some(_) => Action::Switchover { shard, to: None },
    }
}

/// The archive of the newest backup, or the one of the command line.
fn archive(model: &Model) -> String {
    let newest = model.live.view().and_then(|view| view.backups.last());
    newest.map(|backup| backup.archive.clone()).or(model.archive.clone()).unwrap_or_default()
}

/// What is typed to confirm.
pub(crate) fn name(model: &Model, action: &Action) -> String {
    match action {
        Action::Heal => "drills".into(),
        Action::Kill { node, .. }
        | Action::Fault { node, .. }
        | Action::Drain { node, .. }
        | Action::Evict { node }
        | Action::NodeSwitchover { node }
        | Action::Recover(RecoveryChange::Maintain { node, .. })
        | Action::Reinit { node } => model.live.name(*node),
        Action::Switchover { shard, .. }
        | Action::Failover { shard, .. }
        | Action::ReplicaAdd { shard, .. }
        | Action::ReplicaRemove { shard, .. } => shard.to_string(),
        Action::Recover(RecoveryChange::SetMode { .. }) => "cluster".into(),
        Action::Recover(RecoveryChange::SetPolicy { .. }) => "policy".into(),
        Action::Recover(RecoveryChange::Decide { step, .. }) => step.clone(),
        Action::Recover(_) | Action::RecoverQuorum { .. } => "recovery".into(),
        Action::Backup { .. } => "backup".into(),
        Action::Restore { backup, .. } => backup.clone(),
        Action::RestoreAccept | Action::RestoreUndo => restored(model),
        Action::KeyspaceCreate(spec) => spec.name.clone(),
        Action::KeyspaceSet { keyspace, .. } | Action::KeyspaceDrop { keyspace } => {
            keyspace_name(model, *keyspace)
        }
    }
}

fn keyspace_name(model: &Model, id: KeyspaceId) -> String {
    let known = model.live.view().map_or(&[][..], |view| &view.keyspaces);
    let known = known.iter().find(|keyspace| keyspace.id == id);
    known.map_or_else(|| id.to_string(), |keyspace| keyspace.name.clone())
}

/// The backup whose restore waits.
fn restored(model: &Model) -> String {
    let intents = model.live.view().map_or(&[][..], |view| &view.intents);
    let waits =
        |phase: &IntentPhase| matches!(phase, IntentPhase::Complete | IntentPhase::Building);
    let waiting = intents.iter().find(|intent| waits(&intent.phase));
    waiting.map_or_else(String::new, |intent| {
        let IntentKind::Restore { backup, .. } = &intent.kind;
        backup.clone()
    })
}

/// An act in words: "kill n3".
pub(crate) fn title(model: &Model, action: &Action) -> String {
    let name = name(model, action);
    let to = |to: &Option<NodeId>| match to {
        Some(to) => format!(" to {}", model.live.name(*to)),
        None => String::new(),
    };
    match action {
        Action::Kill { .. } => format!("kill {name}"),
        Action::Fault { fault, secs, .. } => {
            format!("{name} {} for {secs} s", fault.words(|id| model.live.name(id)))
        }
        Action::Heal => "end every drill".to_owned(),
        Action::Switchover { to: target, .. } => format!("switchover {name}{}", to(target)),
        Action::Failover { to: target, .. } => format!("failover {name}{}", to(target)),
        Action::NodeSwitchover { .. } => format!("switchover {name}"),
        Action::ReplicaAdd { node, .. } => {
            format!("add a copy of {name} on {}", model.live.name(*node))
        }
        Action::ReplicaRemove { node, .. } => {
            format!("remove the copy of {name} on {}", model.live.name(*node))
        }
        Action::RecoverQuorum { .. } => "recover what is left of lost shards".into(),
        Action::Recover(RecoveryChange::Maintain { maintenance: None, .. }) => {
            format!("end the maintenance of {name}")
        }
        Action::Recover(RecoveryChange::Maintain { .. }) => format!("maintain {name}"),
        Action::Recover(RecoveryChange::SetMode { mode, .. }) => format!("failover is {mode}"),
        Action::Recover(RecoveryChange::Decide { step, .. }) => format!("do step {step}"),
        Action::Recover(RecoveryChange::SetPolicy { .. }) => "set the recovery policy".into(),
        Action::Recover(_) => "declare something of recovery".into(),
        Action::Drain { undo: false, .. } => format!("drain {name}"),
        Action::Drain { undo: true, .. } => format!("stop draining {name}"),
        Action::Evict { .. } => format!("evict {name}"),
        Action::Reinit { .. } => format!("give up the data of {name}"),
        Action::Backup { .. } => "back up".into(),
        Action::Restore { .. } => format!("restore {name}"),
        Action::RestoreAccept => format!("accept restore of {name}"),
        Action::RestoreUndo => format!("undo restore of {name}"),
        Action::KeyspaceCreate(_) => format!("create keyspace {name}"),
        Action::KeyspaceSet { .. } => format!("change keyspace {name}"),
        Action::KeyspaceDrop { .. } => format!("drop keyspace {name}"),
    }
}

/// How long a killed node stays down, in words.
pub(crate) fn down_words(down_secs: Option<u32>) -> String {
    down_secs.map_or_else(|| "for good".into(), |secs| format::age(u64::from(secs) * 1_000))
}
