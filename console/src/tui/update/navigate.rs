//! Moving about: rows by id, node columns of the matrix by pages.

use super::keys;
use crate::tui::action::{Command, Screen};
use crate::tui::model::attention::{self, About};
use crate::tui::model::layer::Layer;
use crate::tui::model::{Model, rows};
use crate::tui::theme::Tone;

/// Carries out a command that moves.
pub(super) fn go(model: &mut Model, command: Command) {
    let page = isize::try_from(model.size.height / 2).unwrap_or(1).max(1);
    match command {
        Command::Up => step(model, -1),
        Command::Down => step(model, 1),
        Command::PageUp => step(model, -page),
        Command::PageDown => step(model, page),
        Command::Top => step(model, isize::MIN),
        Command::Bottom => step(model, isize::MAX),
        Command::Left => model.chosen.column = model.chosen.column.saturating_sub(1),
        Command::Right => {
            let last = model.shown().node_ids().len().saturating_sub(1);
            model.chosen.column = (model.chosen.column + 1).min(last);
        }
        _ => {}
    }
}

/// Moves the chosen row of the screen.
pub(super) fn step(model: &mut Model, step: isize) {
    match model.layers.last_mut() {
        Some(Layer::Help(scroll) | Layer::Changes(scroll)) => {
            let lines = i16::try_from(step.clamp(-100, 100)).unwrap_or(0);
            *scroll = scroll.saturating_add_signed(lines);
            return;
        }
        Some(Layer::Detail) | None => {}
        Some(_) => return,
    }
    match model.screen {
        Screen::Nodes | Screen::Load => {
            let rows = rows::nodes(model, model.screen);
            model.chosen.node.step(&rows, step);
        }
        Screen::Shards => {
            let rows = rows::shards(model);
            model.chosen.shard.step(&rows, step);
        }
        Screen::Failover => {
            let rows: Vec<_> = rows::failovers(model).into_iter().map(|found| found.key).collect();
            model.chosen.failover.step(&rows, step);
        }
        Screen::Backups => {
            let rows = rows::backups(model);
            model.chosen.backup.step(&rows, step);
        }
        Screen::Events => events(model, step),
    }
}

/// In Events, no choice means the newest line, and going below it means following again.
fn events(model: &mut Model, step: isize) {
    let keys: Vec<_> = rows::events(model).into_iter().map(|(key, _)| key.clone()).collect();
    let Some(last) = keys.len().checked_sub(1) else { return };
    let from = model.chosen.event.index(&keys).unwrap_or(last);
    let to = from.saturating_add_signed(step);
    if to > last || (to == last && step > 0) {
        model.chosen.event.key = None;
    } else {
        model.chosen.event.go(&keys, to);
    }
}

/// Goes to what is in the finding after the one that was gone to last; the worst comes first.
pub(super) fn to_next_problem(model: &mut Model) {
    let found = attention::all(model);
    let place = model.problem.map_or(0, |place| place + 1);
    let place = if place < found.len() { place } else { 0 };
    let Some(finding) = found.into_iter().nth(place) else {
        model.problem = None;
        return model.say(Tone::Good, "nothing needs attention");
    };
    model.problem = Some(place);
    to(model, finding.about);
    model.say(Tone::Info, finding.text);
}

/// Goes to what a sentence is about.
pub(super) fn to(model: &mut Model, about: About) {
    match about {
        About::All => {}
        About::Node(node) => {
            keys::show(model, Screen::Nodes);
            model.filters.remove(&Screen::Nodes);
            let rows = rows::nodes(model, Screen::Nodes);
            model.chosen.node.take(&rows, &node);
        }
        About::Shard(shard) => {
            keys::show(model, Screen::Shards);
            model.filters.remove(&Screen::Shards);
            let rows = rows::shards(model);
            model.chosen.shard.take(&rows, &shard);
        }
        About::Listed(screen, filter) => {
            keys::show(model, screen);
            if filter.is_empty() {
                model.filters.remove(&screen);
            } else {
                model.filters.insert(screen, filter.to_owned());
            }
            // What is about to be looked at is chosen: the worst comes first.
            if screen == Screen::Shards {
                let rows = rows::shards(model);
                model.chosen.shard.go(&rows, 0);
            }
        }
    }
}
