//! The palette and the line that takes a time: letters in, a command or a place out.

use crossterm::event::{KeyCode, KeyEvent};
use tui_input::Input;

use super::{keys, navigate, time};
use crate::tui::Effect;
use crate::tui::action::Chord;
use crate::tui::model::Model;
use crate::tui::model::attention::About;
use crate::tui::model::layer::Layer;
use crate::tui::model::palette::{Entry, found, screen};

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
        Entry::Node(node) => navigate::to(model, About::Node(node)),
        Entry::Shard(shard) => navigate::to(model, About::Shard(shard)),
        Entry::OnNode(line, node) => {
            navigate::to(model, About::Node(node));
            return keys::carry_out(model, line);
        }
        Entry::OnShard(line, shard) => {
            navigate::to(model, About::Shard(shard));
            return keys::carry_out(model, line);
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

/// Takes a key of the line that takes a stretch of time.
pub(super) fn save(model: &mut Model, key: KeyEvent, mut input: Input) -> Vec<Effect> {
    match key.code {
        KeyCode::Esc => {}
        KeyCode::Enter => match time::read_stretch(model, input.value()) {
            Ok((from, to)) => return vec![Effect::SaveIncident { from, to }],
            Err(hint) => model.layers.push(Layer::Save { input, hint: Some(hint) }),
        },
        _ => {
            keys::write(&mut input, key);
            model.layers.push(Layer::Save { input, hint: None });
        }
    }
    Vec::new()
}
