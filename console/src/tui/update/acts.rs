//! Opening the dialog of a harmful act. Nothing is sent here but the question what it would do.

use evenkeel_shared::preflight::Action;
use tui_input::Input;

use crate::tui::Effect;
use crate::tui::action::Command;
use crate::tui::model::acts::{name, target, title};
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
        effects.push(Effect::Preflight { action: dialog.action.clone() });
    }
    model.status = None;
    model.layers.push(Layer::Dialog(Box::new(dialog)));
    effects
}

/// Opens the dialog of an act again that was refused because the cluster has moved since.
pub(super) fn ask_again(model: &mut Model, action: Action, why: &str) -> Vec<Effect> {
    let mut dialog = asking(model, action.clone());
    dialog.again = Some(format!("not done: {why}; look again"));
    model.status = None;
    model.layers.push(Layer::Dialog(Box::new(dialog)));
    vec![Effect::Preflight { action }]
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
        Action::Kill { .. } => Choice::Down,
        Action::Switchover { shard, .. } | Action::Failover { shard, .. } => {
            let Some(shard) = model.live.shard(*shard) else { return Choice::None };
            let voters = shard.replicas.iter().filter(|replica| rows::is_voter(replica));
            let others = voters.map(|replica| replica.node).filter(|id| Some(*id) != shard.leader);
            Choice::Target(std::iter::once(None).chain(others.map(Some)).collect())
        }
        _ => Choice::None,
    }
}
