//! Opening the dialog of a harmful act. Nothing is sent here but the question what it would do.

use std::collections::BTreeMap;

use evenkeel_shared::preflight::Action;
use evenkeel_shared::view::RecoveryChange;
use tui_input::Input;

use crate::tui::Effect;
use crate::tui::action::Command;
use crate::tui::model::acts::{modes, name, places, target, title, waiting};
use crate::tui::model::dialog::{Choice, Dialog, Stage};
use crate::tui::model::layer::Layer;
use crate::tui::model::{Model, rows};

/// Opens the dialog of a command; the agents are asked at once unless a folder is missing.
pub(super) fn begin(model: &mut Model, command: Command) -> Vec<Effect> {
    let Ok(action) = target(model, command) else { return Vec::new() };
    let mut dialog = asking(model, action);
    let mut effects = Vec::new();
    if let Action::Backup { archive } = &dialog.action {
        dialog.stage = Stage::Archive;
        dialog.input = Input::new(archive.clone());
    } else {
        effects.extend(questions(&dialog));
    }
    model.status = None;
    model.layers.push(Layer::Dialog(Box::new(dialog)));
    effects
}

/// Opens the dialog of an act that was put together elsewhere.
pub(super) fn confirm(model: &mut Model, action: Action) -> Vec<Effect> {
    let dialog = asking(model, action);
    let questions = questions(&dialog);
    model.status = None;
    model.layers.push(Layer::Dialog(Box::new(dialog)));
    questions
}

/// Opens the dialog of an act again that was refused because the cluster has moved since.
pub(super) fn ask_again(model: &mut Model, action: Action, why: &str) -> Vec<Effect> {
    let mut dialog = asking(model, action);
    dialog.again = Some(format!("not done: {why}; look again"));
    model.status = None;
    let questions = questions(&dialog);
    model.layers.push(Layer::Dialog(Box::new(dialog)));
    questions
}

/// What the agents are asked: the act, and where there are places to choose from, each of them.
fn questions(dialog: &Dialog) -> Vec<Effect> {
    let ask = |action: Action| Effect::Preflight { action };
    match (&dialog.choice, &dialog.action) {
        (Choice::Place { nodes, .. }, Action::ReplicaAdd { shard, .. }) => {
            let at = |node: &_| Action::ReplicaAdd { shard: *shard, node: *node };
            nodes.iter().map(at).map(ask).collect()
        }
        (Choice::Place { nodes, .. }, Action::ReplicaRemove { shard, .. }) => {
            let at = |node: &_| Action::ReplicaRemove { shard: *shard, node: *node };
            nodes.iter().map(at).map(ask).collect()
        }
        _ => vec![ask(dialog.action.clone())],
    }
}

fn asking(model: &Model, action: Action) -> Dialog {
    Dialog {
        title: title(model, &action),
        name: name(model, &action),
        stage: Stage::Asking { since: model.now },
        choice: choice(model, &action),
        input: Input::default(),
        editing_choice: false,
        again: None,
        hint: None,
        action,
    }
}

fn choice(model: &Model, action: &Action) -> Choice {
    match action {
        Action::Kill { .. } | Action::Fault { .. } => Choice::Lasts,
        Action::ReplicaAdd { shard, .. } => {
            Choice::Place { nodes: places(model, *shard, false), verdicts: BTreeMap::new() }
        }
        Action::ReplicaRemove { shard, .. } => {
            Choice::Place { nodes: places(model, *shard, true), verdicts: BTreeMap::new() }
        }
        Action::Recover(RecoveryChange::Decide { .. }) => Choice::Step(waiting(model)),
        Action::Recover(RecoveryChange::SetMode { .. }) => Choice::Mode(modes(model)),
        Action::Switchover { shard, .. } | Action::Failover { shard, .. } => {
            let Some(shard) = model.live.shard(*shard) else { return Choice::None };
            let voters = shard.replicas.iter().filter(|replica| rows::is_voter(replica));
            let others = voters.map(|replica| replica.node).filter(|id| Some(*id) != shard.leader);
            Choice::Target(std::iter::once(None).chain(others.map(Some)).collect())
        }
        _ => Choice::None,
    }
}
