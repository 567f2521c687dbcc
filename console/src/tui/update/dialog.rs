//! The confirmation ladder: y where nothing is lost, the name where something is at risk,
//! `OVERRIDE name` where something breaks. Only here is an act ever sent.

use crossterm::event::{KeyCode, KeyEvent};
use evenkeel_shared::error::AdminError;
use evenkeel_shared::preflight::{Action, Harm, Preflight};
use evenkeel_shared::view::RecoveryChange;
use tui_input::Input;

use super::{following, keys};
use crate::tui::Effect;
use crate::tui::action::Chord;
use crate::tui::model::acts::title;
use crate::tui::model::dialog::{Choice, DOWN_SECS, Dialog, FOR_GOOD, Stage};
use crate::tui::model::layer::Layer;
use crate::tui::model::{Model, PENDING_MAX, Pending, clean, command_line};
use crate::tui::number;
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
    let Some(dialog) = open else { return };
    judge_place(dialog, action, &result);
    if !same_question(&dialog.action, action) {
        return;
    }
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

/// Notes what the agents say of one of the places to choose from.
fn judge_place(dialog: &mut Dialog, action: &Action, result: &Result<Preflight, AdminError>) {
    let Choice::Place { nodes, verdicts } = &mut dialog.choice else { return };
    let node = match (&dialog.action, action) {
        (Action::ReplicaAdd { shard, .. }, Action::ReplicaAdd { shard: of, node })
        | (Action::ReplicaRemove { shard, .. }, Action::ReplicaRemove { shard: of, node })
            if shard == of =>
        {
            *node
        }
        _ => return,
    };
    if nodes.contains(&node) {
        let against = match result {
            Ok(preflight) => preflight.refused.as_deref().map(clean::text),
            Err(error) => Some(clean::error(error)),
        };
        verdicts.insert(node, against);
    }
}

/// Whether an answer is to what is asked now. Who pauses failover until when is read off a clock.
fn same_question(asked: &Action, answered: &Action) -> bool {
    match (asked, answered) {
        (
            Action::Recover(RecoveryChange::SetMode { mode, .. }),
            Action::Recover(RecoveryChange::SetMode { mode: other, .. }),
        ) => mode == other,
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
    if is_copy(chord, &dialog) {
        let harm = match &dialog.stage {
            Stage::Ready { preflight, .. } => Some(preflight.harm),
            _ => None,
        };
        let line = command_line::of(model, &dialog.action, harm);
        dialog.hint = Some(format!("copied: {}", line.lines().next().unwrap_or_default()));
        model.layers.push(Layer::Dialog(dialog));
        return vec![Effect::Copy(line)];
    }
    if dialog.editing_choice {
        edit_choice(&mut dialog, chord);
        if dialog.editing_choice {
            return keep(model, dialog);
        }
        // Another time is another question: what is shown must be of this one.
        let asked = ask_about(model, &mut dialog);
        model.layers.push(Layer::Dialog(dialog));
        return asked;
    }
    let listed = matches!(dialog.choice, Choice::Place { .. });
    let turns = match key.code {
        KeyCode::Left | KeyCode::Right => dialog.choice != Choice::None,
        KeyCode::Up | KeyCode::Down => listed,
        _ => false,
    };
    if turns {
        let forward = matches!(key.code, KeyCode::Right | KeyCode::Down);
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
        Stage::Ready { preflight, .. } if preflight.refused.is_some() => match &dialog.choice {
            // Another place may do: only Esc leaves it.
            Choice::Place { .. } => {
                dialog.hint = Some("this one can't be: the arrows choose another".into());
                keep(model, dialog)
            }
            _ => close(model, &dialog),
        },
        Stage::Ready { preflight, .. } => {
            let (harm, revision) = (preflight.harm, preflight.revision);
            if chord == Chord::Key(KeyCode::Tab) && dialog.choice == Choice::Lasts {
                dialog.editing_choice = true;
                return keep(model, dialog);
            }
            confirm(model, key, dialog, (harm, revision))
        }
    }
}

/// `^y` always; `Y` where nothing is being typed.
fn is_copy(chord: Chord, dialog: &Dialog) -> bool {
    let typing = matches!(dialog.stage, Stage::Archive) || dialog.phrase().is_some();
    chord == Chord::Ctrl('y') || (chord == Chord::Char('Y') && !typing)
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
            Chord::Char('y') => send(model, &dialog, revision),
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
    following::begin(model, &action, &what);
    model.pending.push(Pending { action: action.clone(), what, since: model.now });
    vec![Effect::Act { action, revision }]
}

/// Turns to the next choice; a new target is a new question for the agents.
fn turn_choice(model: &Model, dialog: &mut Dialog, forward: bool) -> Vec<Effect> {
    match (&dialog.choice, &mut dialog.action) {
        (Choice::Lasts, Action::Kill { down_secs, .. }) => {
            *down_secs = next_down(*down_secs, forward);
            ask_about(model, dialog)
        }
        (Choice::Lasts, Action::Fault { secs, .. }) => {
            // A fault is never for good: its agent ends it.
            *secs = next_down(Some(*secs), forward).unwrap_or(*secs);
            ask_about(model, dialog)
        }
        (
            Choice::Place { nodes, .. },
            Action::ReplicaAdd { node, .. } | Action::ReplicaRemove { node, .. },
        ) => {
            let place = nodes.iter().position(|known| known == node).unwrap_or(0);
            *node = turned(nodes, place, forward);
            ask_about(model, dialog)
        }
        (Choice::Mode(modes), Action::Recover(RecoveryChange::SetMode { mode, .. })) => {
            let place = modes.iter().position(|(_, known)| known == mode).unwrap_or(0);
            *mode = turned(modes, place, forward).1;
            ask_about(model, dialog)
        }
        // The plan may have gone on since it was looked at.
        (Choice::Step(steps), _) if steps.is_empty() => Vec::new(),
        (Choice::Step(steps), Action::Recover(RecoveryChange::Decide { step, .. })) => {
            let place = steps.iter().position(|known| known == step).unwrap_or(0);
            *step = turned(steps, place, forward);
            ask_about(model, dialog)
        }
        (Choice::Target(targets), Action::Switchover { to, .. } | Action::Failover { to, .. }) => {
            let place = targets.iter().position(|target| target == to).unwrap_or(0);
            *to = turned(targets, place, forward);
            ask_about(model, dialog)
        }
        _ => Vec::new(),
    }
}

/// The next of a list that goes round and has at least one.
fn turned<T: Clone>(all: &[T], place: usize, forward: bool) -> T {
    let step = if forward { 1 } else { all.len() - 1 };
    all[(place + step) % all.len()].clone()
}

fn ask_about(model: &Model, dialog: &mut Dialog) -> Vec<Effect> {
    dialog.stage = Stage::Asking { since: model.now };
    dialog.title = title(model, &dialog.action);
    vec![Effect::Preflight { action: dialog.action.clone() }]
}

/// The next longer or shorter time on offer; for good is the longest.
fn next_down(now: Option<u32>, forward: bool) -> Option<u32> {
    let now = now.map_or(FOR_GOOD, u64::from);
    let next = number::next_of(&DOWN_SECS, now, forward);
    u32::try_from(next).ok()
}

/// Typed figures change how long the node stays down; any other key ends that.
fn edit_choice(dialog: &mut Dialog, chord: Chord) {
    let secs = match &dialog.action {
        Action::Kill { down_secs, .. } => down_secs.unwrap_or(0),
        Action::Fault { secs, .. } => *secs,
        _ => return dialog.editing_choice = false,
    };
    let typed = match chord {
        Chord::Char(c) if c.is_ascii_digit() => {
            let digit = c.to_digit(10).expect("an ASCII digit");
            secs.saturating_mul(10).saturating_add(digit).min(DOWN_SECS_MAX)
        }
        Chord::Key(KeyCode::Backspace) => secs / 10,
        Chord::Key(KeyCode::Tab | KeyCode::Enter) => return dialog.editing_choice = false,
        _ => return,
    };
    match &mut dialog.action {
        Action::Kill { down_secs, .. } => *down_secs = Some(typed),
        Action::Fault { secs, .. } => *secs = typed,
        _ => {}
    }
}
