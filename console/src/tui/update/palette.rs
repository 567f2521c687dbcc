//! The palette and the line that takes a time: letters in, a command or a place out.

use crossterm::event::{KeyCode, KeyEvent};
use tui_input::Input;

use super::{keys, time};
use crate::tui::Effect;
use crate::tui::action::{Chord, Screen};
use crate::tui::model::layer::Layer;
use crate::tui::model::palette::{Entry, found, screen};
use crate::tui::model::{Model, rows};

/// Takes a key of the palette.
pub(super) fn pressed(
    model: &mut Model,
    key: KeyEvent,
    mut input: Input,
    chosen: usize,
) -> Vec<Effect> {
    let chosen = match (key.code, Chord::of(key)) {
        (KeyCode::Esc, _) => return Vec::new(),
        (KeyCode::Enter, _) => {
            let found = found(model, input.value());
            let entry = found.get(chosen.min(found.len().saturating_sub(1))).map(|f| f.entry);
            return entry.map(|entry| take(model, entry)).unwrap_or_default();
        }
        (KeyCode::Down, _) | (_, Chord::Ctrl('n')) => chosen.saturating_add(1),
        (KeyCode::Up, _) | (_, Chord::Ctrl('p')) => chosen.saturating_sub(1),
        _ => {
            keys::write(&mut input, key);
            0
        }
    };
    let last = found(model, input.value()).len().saturating_sub(1);
    model.layers.push(Layer::Palette { input, chosen: chosen.min(last) });
    Vec::new()
}

fn take(model: &mut Model, entry: Entry) -> Vec<Effect> {
    let to = screen(model, entry);
    if to != model.screen {
        keys::show(model, to);
    }
    match entry {
        Entry::Key(line) => return keys::carry_out(model, line),
        Entry::Node(node) => {
            model.filters.remove(&Screen::Nodes);
            let rows = rows::nodes(model, Screen::Nodes);
            let place = rows.iter().position(|row| *row == node);
            model.chosen.node.go(&rows, place.unwrap_or(0));
        }
        Entry::Shard(shard) => {
            model.filters.remove(&Screen::Shards);
            let rows = rows::shards(model);
            let place = rows.iter().position(|row| *row == shard);
            model.chosen.shard.go(&rows, place.unwrap_or(0));
        }
    }
    Vec::new()
}

/// Takes a key of the line that takes a time.
pub(super) fn go_to(model: &mut Model, key: KeyEvent, mut input: Input) {
    match key.code {
        KeyCode::Esc => {}
        KeyCode::Enter => match time::read(model, input.value()) {
            Ok(at) => time::show_at(model, at),
            Err(hint) => model.layers.push(Layer::GoTo { input, hint: Some(hint) }),
        },
        _ => {
            keys::write(&mut input, key);
            model.layers.push(Layer::GoTo { input, hint: None });
        }
    }
}
