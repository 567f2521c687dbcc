//! Keys of the changes that are only thought of: every one of them asks the agents anew what would
//! come of all. Nothing is changed here.

use crossterm::event::{KeyCode, KeyEvent};
use evenkeel_shared::error::AdminError;
use evenkeel_shared::ids::NodeId;
use evenkeel_shared::what_if::{Change, WhatIf};

use super::{keys, navigate};
use crate::tui::Effect;
use crate::tui::action::{BINDINGS, Chord, Command, Screen};
use crate::tui::model::attention::About;
use crate::tui::model::layer::Layer;
use crate::tui::model::what_if::{Thought, WhatIfForm, nodes};
use crate::tui::model::{Model, clean, command_line};
use crate::tui::theme::Tone;

/// Opens the form at the chosen node.
pub(super) fn open(model: &mut Model) -> Vec<Effect> {
    let chosen = model.chosen.node.key;
    let row = chosen.and_then(|node| nodes(model).iter().position(|id| *id == node)).unwrap_or(0);
    let form = WhatIfForm { row, ..WhatIfForm::default() };
    let effects = vec![Effect::WhatIf { changes: form.changes() }];
    model.layers.push(Layer::WhatIf(Box::new(form)));
    effects
}

/// Takes an answer, if the form is still open.
pub(super) fn told(model: &mut Model, changes: Vec<Change>, result: Result<WhatIf, AdminError>) {
    let open = model.layers.iter_mut().find_map(|layer| match layer {
        Layer::WhatIf(form) => Some(form),
        _ => None,
    });
    let Some(form) = open else { return };
    let result = result.map_err(|error| clean::error(&error)).map(|mut told| {
        for node in &mut told.nodes {
            clean::scrub(&mut node.name);
            clean::scrub(&mut node.zone);
        }
        told.notes.iter_mut().for_each(clean::scrub);
        told.short.iter_mut().for_each(|(_, why)| clean::scrub(why));
        told
    });
    form.told = Some((changes, result));
}

/// Takes a key; the form was taken off the stack, and goes back unless it is over.
pub(super) fn pressed(model: &mut Model, key: KeyEvent, mut form: Box<WhatIfForm>) -> Vec<Effect> {
    let all = nodes(model);
    let last = all.len().saturating_sub(1);
    form.row = form.row.min(last);
    let node = all.get(form.row).copied();
    let before = form.changes();
    match Chord::of(key) {
        Chord::Key(KeyCode::Esc) | Chord::Char('q' | 'w') => return Vec::new(),
        Chord::Char('j') | Chord::Key(KeyCode::Down) => form.row = (form.row + 1).min(last),
        Chord::Char('k') | Chord::Key(KeyCode::Up) => form.row = form.row.saturating_sub(1),
        Chord::Char(' ') | Chord::Key(KeyCode::Enter) => {
            if let Some(node) = node {
                form.turn(node);
            }
        }
        Chord::Char('z') => form.turn_zone(&zone_of(model, node)),
        Chord::Char('+') => {
            let zone = node.and_then(|node| Some(model.live.node(node)?.zone.clone()));
            form.add(&zone.unwrap_or_default());
        }
        Chord::Char('-') => drop(form.added.pop()),
        Chord::Char('0') => *form = WhatIfForm { row: form.row, ..WhatIfForm::default() },
        Chord::Char('Y') => {
            let line = command_line::of_changes(model, &before);
            model.say(Tone::Info, format!("copied: {line}"));
            model.layers.push(Layer::WhatIf(form));
            return vec![Effect::Copy(line)];
        }
        Chord::Char('D') => {
            let drained = form.thoughts.iter().find(|(_, thought)| **thought == Thought::Drain);
            if let Some(node) = drained.map(|(node, _)| *node) {
                return drain(model, node);
            }
            model.say(Tone::Info, "no node is thought of as drained: Space");
        }
        _ => {}
    }
    let changes = form.changes();
    let asks = changes != before;
    model.layers.push(Layer::WhatIf(form));
    if asks { vec![Effect::WhatIf { changes }] } else { Vec::new() }
}

fn zone_of(model: &Model, node: Option<NodeId>) -> Vec<NodeId> {
    let zone = node.and_then(|node| Some(model.live.node(node)?.zone.as_str()));
    let there =
        |id: &NodeId| zone.is_some() && model.live.node(*id).map(|n| n.zone.as_str()) == zone;
    nodes(model).into_iter().filter(there).collect()
}

/// What was thought of is done: by the key that does it, with all that it asks.
fn drain(model: &mut Model, node: NodeId) -> Vec<Effect> {
    navigate::to(model, About::Node(node));
    let here = |line: &&crate::tui::action::Binding| {
        line.command == Command::Drain && line.works_on(Screen::Nodes)
    };
    BINDINGS.iter().find(here).map_or_else(Vec::new, |line| keys::carry_out(model, line))
}
