//! Keys of the recovery policy's form. Nothing is set here: what is wanted becomes an act, which is
//! confirmed as every other.

use crossterm::event::{KeyCode, KeyEvent};
use evenkeel_shared::error::AdminError;
use evenkeel_shared::preflight::Action;
use evenkeel_shared::view::Recovery;

use super::acts;
use crate::tui::Effect;
use crate::tui::action::Chord;
use crate::tui::model::acts::closed;
use crate::tui::model::layer::Layer;
use crate::tui::model::policy::{Draft, PolicyForm, PolicyStage};
use crate::tui::model::{Model, clean, command_line};

/// Who sets a policy here.
const BY: &str = "an operator at the console";
const UNCHANGED: &str = "nothing is different from what holds";

/// Opens the form; what holds is asked for.
pub(super) fn open(model: &mut Model) -> Vec<Effect> {
    model.layers.push(Layer::Policy(Box::new(PolicyForm::asking())));
    vec![Effect::Declared]
}

/// Takes what holds, if the form waits for it.
pub(super) fn declared(model: &mut Model, result: Result<Box<Recovery>, AdminError>) {
    let keyspaces = model.live.view().map_or_else(Vec::new, |view| view.keyspaces.clone());
    let open = model.layers.iter_mut().find_map(|layer| match layer {
        Layer::Policy(form) => Some(form),
        _ => None,
    });
    let Some(form) = open.filter(|form| matches!(form.stage, PolicyStage::Asking)) else { return };
    form.stage = match result {
        Ok(mut recovery) => {
            for known in &mut recovery.policies {
                clean::scrub(&mut known.by);
                clean::scrub(&mut known.why);
            }
            PolicyStage::Editing(Box::new(Draft::new(*recovery, &keyspaces)))
        }
        Err(error) => PolicyStage::Failed(clean::error(&error)),
    };
}

/// Takes a key; the form was taken off the stack, and goes back unless it is over.
pub(super) fn pressed(model: &mut Model, key: KeyEvent, mut form: Box<PolicyForm>) -> Vec<Effect> {
    let chord = Chord::of(key);
    if matches!(chord, Chord::Key(KeyCode::Esc) | Chord::Char('q')) {
        return Vec::new();
    }
    form.hint = None;
    let PolicyForm { stage, row, hint } = form.as_mut();
    let draft = match stage {
        PolicyStage::Asking => {
            model.layers.push(Layer::Policy(form));
            return Vec::new();
        }
        PolicyStage::Failed(_) => return Vec::new(),
        PolicyStage::Editing(draft) => draft,
    };
    let lines = draft.lines();
    let last = lines.len().saturating_sub(1);
    let chosen = lines.get(*row).map(|line| line.key.clone()).unwrap_or_default();
    match chord {
        Chord::Char('j') | Chord::Key(KeyCode::Down) => *row = (*row + 1).min(last),
        Chord::Char('k') | Chord::Key(KeyCode::Up) => *row = row.saturating_sub(1),
        Chord::Char('g') | Chord::Key(KeyCode::Home) => *row = 0,
        Chord::Char('G') | Chord::Key(KeyCode::End) => *row = last,
        Chord::Char('l') | Chord::Key(KeyCode::Right) => draft.turn(&chosen, true),
        Chord::Char('h') | Chord::Key(KeyCode::Left) => draft.turn(&chosen, false),
        Chord::Char('v') => *hint = Some(draft.take_older()),
        Chord::Char('Y') => match draft.change(BY, model.now) {
            Ok(Some(change)) => {
                let line = command_line::of(model, &Action::Recover(change), None);
                let first = line.lines().next().unwrap_or_default();
                *hint = Some(format!("copied: {first}"));
                model.layers.push(Layer::Policy(form));
                return vec![Effect::Copy(line)];
            }
            Ok(None) => *hint = Some(UNCHANGED.to_owned()),
            Err(why) => *hint = Some(clean::text(&why)),
        },
        Chord::Key(KeyCode::Enter) => {
            let holds = model.live.view().map_or(draft.version(), |view| view.policy_version);
            match draft.change(BY, model.now) {
                _ if holds != draft.version() => {
                    *hint = Some(format!("version {holds} holds by now: Esc, and S shows it"));
                }
                Ok(Some(change)) => match closed(model) {
                    Some(why) => *hint = Some(why),
                    None => return acts::confirm(model, Action::Recover(change)),
                },
                Ok(None) => *hint = Some(UNCHANGED.to_owned()),
                Err(why) => *hint = Some(clean::text(&why)),
            }
        }
        _ => *hint = Some("arrows choose and change, Enter asks to set it, Esc leaves".to_owned()),
    }
    model.layers.push(Layer::Policy(form));
    Vec::new()
}
