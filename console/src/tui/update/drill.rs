//! Choosing a drill, confirming it by the same ladder as every act, and hearing how it goes.

use crossterm::event::{KeyCode, KeyEvent};
use tui_input::Input;

use super::keys;
use crate::tui::Effect;
use crate::tui::action::Chord;
use crate::tui::message::{DrillBrief, DrillNews};
use crate::tui::model::drill::{DrillDialog, DrillRun, DrillStage};
use crate::tui::model::layer::Layer;
use crate::tui::model::{Model, clean};
use crate::tui::theme::Tone;

/// Opens the choice.
pub(super) fn choose(model: &mut Model) {
    let stage = DrillStage::Choosing(0);
    let dialog = DrillDialog { stage, input: Input::default(), hint: None };
    model.layers.push(Layer::Drill(Box::new(dialog)));
}

/// Takes what a drill would do, if it is the one that is being asked about.
pub(super) fn briefed(model: &mut Model, name: &str, result: Result<DrillBrief, String>) {
    let open = model.layers.iter_mut().find_map(|layer| match layer {
        Layer::Drill(dialog) => Some(dialog),
        _ => None,
    });
    let Some(dialog) = open else { return };
    if !matches!(&dialog.stage, DrillStage::Asking(asked) if asked == name) {
        return;
    }
    dialog.hint = None;
    dialog.stage = match result {
        Ok(mut brief) => {
            brief.lines.iter_mut().for_each(clean::scrub);
            DrillStage::Ready(name.to_owned(), brief)
        }
        Err(why) => DrillStage::Failed(name.to_owned(), clean::text(&why)),
    };
}

/// Takes news of the drill that runs.
pub(super) fn heard(model: &mut Model, news: DrillNews) {
    let over = match &news {
        DrillNews::Done { passed, .. } => Some(*passed),
        _ => None,
    };
    let Some(drill) = &mut model.drill else { return };
    drill.take(news, model.now, clean::text);
    let name = drill.name.clone();
    match over {
        Some(true) => model.say(Tone::Good, format!("drill {name} passed")),
        Some(false) => model.say(Tone::Bad, format!("drill {name} did not pass: 4 says why")),
        None => {}
    }
}

/// Ends the drill that runs.
pub(super) fn end(model: &mut Model) -> Vec<Effect> {
    let Some(drill) = model.drill.as_mut().filter(|drill| drill.runs()) else {
        model.say(Tone::Info, "no drill runs");
        return Vec::new();
    };
    drill.ending = true;
    model.say(Tone::Warn, "the drill takes back what it did, and ends");
    vec![Effect::EndDrill]
}

/// Takes a key; the dialog was taken off the stack, and goes back unless it is over.
pub(super) fn pressed(
    model: &mut Model,
    key: KeyEvent,
    mut dialog: Box<DrillDialog>,
) -> Vec<Effect> {
    if key.code == KeyCode::Esc {
        return Vec::new();
    }
    dialog.hint = None;
    let effects = match &mut dialog.stage {
        DrillStage::Choosing(place) => {
            let last = model.drills.len().saturating_sub(1);
            match (key.code, Chord::of(key)) {
                (KeyCode::Down, _) | (_, Chord::Char('j')) => *place = (*place + 1).min(last),
                (KeyCode::Up, _) | (_, Chord::Char('k')) => *place = place.saturating_sub(1),
                (KeyCode::Enter, _) => {
                    let Some(offer) = model.drills.get(*place) else { return Vec::new() };
                    let name = offer.name.clone();
                    dialog.stage = DrillStage::Asking(name.clone());
                    model.layers.push(Layer::Drill(dialog));
                    return vec![Effect::BriefDrill { name }];
                }
                _ => {}
            }
            Vec::new()
        }
        DrillStage::Asking(_) => Vec::new(),
        DrillStage::Failed(..) => return Vec::new(),
        DrillStage::Ready(..) => match confirm(model, key, &mut dialog) {
            Some(effects) => return effects,
            None => Vec::new(),
        },
    };
    model.layers.push(Layer::Drill(dialog));
    effects
}

/// Whether it is confirmed, and what then; `None`: not yet.
fn confirm(model: &mut Model, key: KeyEvent, dialog: &mut DrillDialog) -> Option<Vec<Effect>> {
    let phrase = dialog.phrase();
    let confirmed = match (&phrase, key.code, Chord::of(key)) {
        (None, _, Chord::Char('y')) => true,
        (None, _, Chord::Char('n')) => return Some(Vec::new()),
        (None, ..) => {
            dialog.hint = Some("y runs it, n or Esc leaves it".into());
            false
        }
        (Some(phrase), KeyCode::Enter, _) => {
            let fits = dialog.input.value().trim() == phrase;
            dialog.hint = (!fits).then(|| format!("type {phrase} exactly"));
            fits
        }
        (Some(_), ..) => {
            keys::write(&mut dialog.input, key);
            false
        }
    };
    if !confirmed {
        return None;
    }
    if let Some(why) = model.lock.refusal() {
        model.say(Tone::Warn, format!("drill: {why}"));
        return Some(Vec::new());
    }
    let DrillStage::Ready(name, brief) = &dialog.stage else { return Some(Vec::new()) };
    model.drill = Some(DrillRun::new(name.clone(), model.now));
    Some(vec![Effect::Drill { name: name.clone(), brief: brief.clone() }])
}
