//! Clicks: a row is chosen, a chosen one is opened, a name of a key is that key.

use super::{keys, navigate, time};
use crate::tui::Effect;
use crate::tui::action::BINDINGS;
use crate::tui::hits::{Hit, Target};
use crate::tui::model::attention::About;
use crate::tui::model::layer::Layer;
use crate::tui::model::{Model, rows};

/// Takes a click. What is being written or confirmed is not disturbed by one.
pub(super) fn clicked(model: &mut Model, Hit(target): Hit) -> Vec<Effect> {
    if !model.is_bare() && !matches!(model.layers.last(), Some(Layer::Help(_))) {
        return Vec::new();
    }
    let was = model.chosen.clone();
    match target {
        Target::Node(id) => {
            let rows = rows::nodes(model, model.screen);
            model.chosen.node.take(&rows, &id);
            open_if(model, was.node.key == Some(id));
        }
        Target::Shard(id) => {
            let rows = rows::shards(model);
            model.chosen.shard.take(&rows, &id);
            open_if(model, was.shard.key == Some(id));
        }
        Target::Incident(key) => {
            let rows: Vec<_> = rows::failovers(model).into_iter().map(|found| found.key).collect();
            model.chosen.failover.take(&rows, &key);
            open_if(model, was.failover.key == Some(key));
        }
        Target::Backup(key) => {
            let rows = rows::backups(model);
            model.chosen.backup.take(&rows, &key);
            open_if(model, was.backup.key == Some(key));
        }
        Target::Line(key) => {
            let rows: Vec<_> =
                rows::events(model).into_iter().map(|(key, _)| key.clone()).collect();
            model.chosen.event.take(&rows, &key);
            open_if(model, was.event.key == Some(key));
        }
        Target::Screen(screen) => keys::show(model, screen),
        Target::Command(command) => {
            let here = |line: &&crate::tui::action::Binding| {
                line.command == command && line.works_on(model.screen)
            };
            if let Some(line) = BINDINGS.iter().find(here) {
                return keys::carry_out(model, line);
            }
        }
        Target::Counted(screen, filter) => navigate::to(model, About::Listed(screen, filter)),
        Target::Finding(about) => navigate::to(model, about),
        Target::Moment(at) => time::show_at(model, at),
    }
    Vec::new()
}

/// A click on what is chosen already opens it.
fn open_if(model: &mut Model, again: bool) {
    if again && model.layers.is_empty() {
        model.layers.push(Layer::Detail);
    }
}
