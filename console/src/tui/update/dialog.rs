//! The confirmation ladder: y where nothing is lost, the name where something is at risk,
//! `OVERRIDE name` where something breaks. Only here is an act ever sent.

use crossterm::event::{KeyCode, KeyEvent};
use evenkeel_shared::error::AdminError;
use evenkeel_shared::preflight::{Action, Harm, Preflight};
use tui_input::Input;

use super::keys;
use crate::tui::Effect;
use crate::tui::action::Chord;
use crate::tui::model::acts::title;
use crate::tui::model::dialog::{Choice, DOWN_SECS, Dialog, Stage};
use crate::tui::model::layer::Layer;
use crate::tui::model::{Model, PENDING_MAX, Pending, clean};
use crate::tui::theme::Tone;

/// Longest time that can be typed: a day.
const DOWN_SECS_MAX: u32 = 86_400;

/// Takes the agents' answer, if it is to the act that is being asked about.
pub(super) fn answered(model: &mut Model, action: &Action, result: Result<Preflight, AdminError>) {
    let now = model.now;
    let open = model.layers.iter_mut().find_map(|layer| match layer {
        Layer::Dialog(dialog) => Some(dialog),
        _ => None,
    });
    let Some(dialog) = open.filter(|dialog| same_question(&dialog.action, action)) else { return };
    if !matches!(dialog.stage, Stage::Asking { .. }) {
        return;
    }
    // Nobody waits any more.
    dialog.hint = None;
    dialog.stage = match result {
        Ok(mut preflight) => {
            clean::preflight(&mut preflight);
            Stage::Ready { preflight: Box::new(preflight), at: now }
        }
        Err(error) => Stage::Failed { why: clean::error(&error) },
    };
}

/// What a kill does does not hang on how long the node stays down.
fn same_question(asked: &Action, answered: &Action) -> bool {
    match (asked, answered) {
        (Action::Kill { node: asked, .. }, Action::Kill { node: answered, .. }) => {
            asked == answered
        }
        _ => asked == answered,
    }
}

/// Takes a key; the dialog was taken off the stack, and goes back unless it is over.
pub(super) fn pressed(model: &mut Model, key: KeyEvent, mut dialog: Box<Dialog>) -> Vec<Effect> {
    let chord = Chord::of(key);
    if chord == Chord::Key(KeyCode::Esc) {
        model.say(Tone::Info, format!("{} cancelled", dialog.title));
        return Vec::new();
    }
    dialog.hint = None;
    if dialog.editing_choice {
        edit_choice(&mut dialog, chord);
        return keep(model, dialog);
    }
    if dialog.choice != Choice::None && matches!(key.code, KeyCode::Left | KeyCode::Right) {
        let forward = key.code == KeyCode::Right;
        let asked = turn_choice(model, &mut dialog, forward);
        model.layers.push(Layer::Dialog(dialog));
        return asked;
    }
    match &dialog.stage {
        Stage::Archive => archive(model, key, dialog),
        Stage::Asking { .. } => {
            dialog.hint = Some("wait for the agents' answer".into());
            keep(model, dialog)
        }
        Stage::Failed { .. } => match chord {
            Chord::Char('r') => {
                dialog.stage = Stage::Asking { since: model.now };
                let effect = Effect::Preflight { action: dialog.action.clone() };
                model.layers.push(Layer::Dialog(dialog));
                vec![effect]
            }
            _ => close(model, &dialog),
        },
        Stage::Ready { preflight, .. } if preflight.refused.is_some() => close(model, &dialog),
        Stage::Ready { preflight, .. } => {
            let (harm, revision) = (preflight.harm, preflight.revision);
            if chord == Chord::Key(KeyCode::Tab) && dialog.choice == Choice::Down {
                dialog.editing_choice = true;
                return keep(model, dialog);
            }
            confirm(model, key, dialog, (harm, revision))
        }
    }
}

fn keep(model: &mut Model, dialog: Box<Dialog>) -> Vec<Effect> {
    model.layers.push(Layer::Dialog(dialog));
    Vec::new()
}

fn close(model: &mut Model, dialog: &Dialog) -> Vec<Effect> {
    model.say(Tone::Info, format!("{} not done", dialog.title));
    Vec::new()
}

fn archive(model: &mut Model, key: KeyEvent, mut dialog: Box<Dialog>) -> Vec<Effect> {
    if key.code != KeyCode::Enter {
        keys::write(&mut dialog.input, key);
        return keep(model, dialog);
    }
    let archive = dialog.input.value().trim().to_owned();
    if archive.is_empty() {
        dialog.hint = Some("name the archive's folder".into());
        return keep(model, dialog);
    }
    dialog.action = Action::Backup { archive };
    dialog.input = Input::default();
    dialog.stage = Stage::Asking { since: model.now };
    let effect = Effect::Preflight { action: dialog.action.clone() };
    model.layers.push(Layer::Dialog(dialog));
    vec![effect]
}

fn confirm(
    model: &mut Model,
    key: KeyEvent,
    mut dialog: Box<Dialog>,
    (harm, revision): (Harm, u64),
) -> Vec<Effect> {
    let Some(phrase) = dialog.phrase() else {
        debug_assert_eq!(harm, Harm::None, "every other rung has a phrase");
        return match Chord::of(key) {
            Chord::Char('y' | 'Y') => send(model, &dialog, revision),
            Chord::Char('n' | 'N') => close(model, &dialog),
            _ => {
                dialog.hint = Some("y does it, n or Esc leaves it".into());
                keep(model, dialog)
            }
        };
    };
    if key.code != KeyCode::Enter {
        keys::write(&mut dialog.input, key);
        return keep(model, dialog);
    }
    if dialog.input.value().trim() == phrase {
        return send(model, &dialog, revision);
    }
    dialog.hint = Some(format!("type {phrase} exactly"));
    keep(model, dialog)
}

fn send(model: &mut Model, dialog: &Dialog, revision: u64) -> Vec<Effect> {
    if let Some(why) = model.lock.refusal() {
        model.say(Tone::Warn, format!("{}: {why}", dialog.title));
        return Vec::new();
    }
    let action = dialog.action.clone();
    if model.pending.len() >= PENDING_MAX || model.pending.iter().any(|p| p.action == action) {
        model.say(Tone::Warn, format!("{}: wait for the answers to what was sent", dialog.title));
        return Vec::new();
    }
    let what = dialog.title.clone();
    model.pending.push(Pending { action: action.clone(), what, since: model.now });
    vec![Effect::Act { action, revision }]
}

/// Turns to the next choice; a new target is a new question for the agents.
fn turn_choice(model: &Model, dialog: &mut Dialog, forward: bool) -> Vec<Effect> {
    match (&dialog.choice, &mut dialog.action) {
        (Choice::Down, Action::Kill { down_secs, .. }) => {
            *down_secs = next_down(*down_secs, forward);
            Vec::new()
        }
        (Choice::Target(targets), Action::Switchover { to, .. } | Action::Failover { to, .. }) => {
            let place = targets.iter().position(|target| target == to).unwrap_or(0);
            let step = if forward { 1 } else { targets.len() - 1 };
            *to = targets[(place + step) % targets.len()];
            dialog.stage = Stage::Asking { since: model.now };
            dialog.title = title(model, &dialog.action);
            vec![Effect::Preflight { action: dialog.action.clone() }]
        }
        _ => Vec::new(),
    }
}

/// The next longer or shorter time on offer; for good is the longest.
fn next_down(now: Option<u32>, forward: bool) -> Option<u32> {
    let rank = |secs: Option<u32>| secs.unwrap_or(u32::MAX);
    let mut offers = DOWN_SECS.into_iter();
    let next = if forward {
        offers.find(|offer| rank(*offer) > rank(now))
    } else {
        offers.rfind(|offer| rank(*offer) < rank(now))
    };
    next.unwrap_or(now)
}

/// Typed figures change how long the node stays down; any other key ends that.
fn edit_choice(dialog: &mut Dialog, chord: Chord) {
    let Action::Kill { down_secs, .. } = &mut dialog.action else {
        dialog.editing_choice = false;
        return;
    };
    match chord {
        Chord::Char(c) if c.is_ascii_digit() => {
            let digit = c.to_digit(10).expect("an ASCII digit");
            let typed = down_secs.unwrap_or(0).saturating_mul(10).saturating_add(digit);
            *down_secs = Some(typed.min(DOWN_SECS_MAX));
        }
        Chord::Key(KeyCode::Backspace) => *down_secs = Some(down_secs.unwrap_or(0) / 10),
        Chord::Key(KeyCode::Tab | KeyCode::Enter) => dialog.editing_choice = false,
        _ => {}
    }
}
