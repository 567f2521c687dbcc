//! How the model changes: one message in, effects out. Pure: no clock, no I/O, no randomness.

mod acts;
mod dialog;
mod keys;
mod navigate;

use evenkeel_shared::error::AdminError;
use evenkeel_shared::preflight::{Action, Outcome};

use super::model::lock::Lock;
use super::model::{Model, STATUS_SHOWN_MS, clean, rows};
use super::theme::Tone;
use super::{Effect, Message, format};
use crate::tui::action::Screen;

/// Takes one message in.
pub(crate) fn update(model: &mut Model, message: Message) -> Vec<Effect> {
    match message {
        Message::Key(key) => return keys::pressed(model, key),
        Message::Paste(text) => return keys::pasted(model, &text),
        Message::Wheel(lines) => navigate::step(model, isize::from(lines)),
        Message::Resize { width, height } => model.size = (width, height).into(),
        Message::Tick { now_unix_ms } => tick(model, now_unix_ms),
        Message::Report(report) => {
            model.live.reported(*report, model.now);
            if model.live.view().is_none() {
                settle(model);
            }
        }
        Message::View(view) => {
            model.live.viewed(*view, model.now);
            settle(model);
        }
        Message::Event(event) => journal(model, [*event]),
        Message::Events(events) => journal(model, events),
        Message::Link { address, node, state } => {
            model.live.linked(&address, node, state, model.now);
        }
        Message::Preflighted { action, result } => dialog::answered(model, &action, result),
        Message::Acted { action, result } => return acted(model, action, result),
    }
    Vec::new()
}

fn tick(model: &mut Model, now: u64) {
    model.now = now;
    model.live.sample(now);
    let lock = model.lock.at(now);
    if lock != model.lock {
        model.lock = lock;
        model.say(Tone::Info, "locked again");
    }
    let over = |at: u64| now.saturating_sub(at) > STATUS_SHOWN_MS;
    if model.status.as_ref().is_some_and(|status| over(status.at)) {
        model.status = None;
    }
}

fn journal(model: &mut Model, events: impl IntoIterator<Item = evenkeel_shared::event::Event>) {
    for event in events {
        let new = model.live.journal.add(event);
        if let Some(frozen) = model.frozen.as_mut().filter(|_| new) {
            frozen.events_since += 1;
        }
    }
}

fn acted(model: &mut Model, action: Action, result: Result<Outcome, AdminError>) -> Vec<Effect> {
    let place = model.pending.iter().position(|pending| pending.action == action);
    let title = match place {
        Some(place) => model.pending.remove(place).what,
        None => crate::tui::model::acts::title(model, &action),
    };
    match result {
        Ok(outcome) => {
            let what = clean::outcome(&outcome);
            let what = if what.is_empty() { title } else { what };
            model.say(Tone::Good, format!("{what} ({})", format::micros(outcome.took_us)));
        }
        Err(AdminError::Unavailable { why }) => {
            let why = clean::text(&why);
            model.say(Tone::Warn, format!("{title}: outcome unknown, {why}"));
        }
        // The cluster has moved since the pre-flight: whoever asked is shown what it would do now.
        Err(AdminError::Stale { why }) if model.is_bare() => {
            return acts::ask_again(model, action, &clean::text(&why));
        }
        Err(error) => {
            let error = clean::error(&error);
            model.say(Tone::Bad, format!("{title} not done: {error}"));
        }
    }
    Vec::new()
}

/// Gives each list a chosen row once it has rows.
fn settle(model: &mut Model) {
    let nodes = rows::nodes(model, Screen::Nodes);
    model.chosen.node.settle(&nodes);
    let shards = rows::shards(model);
    model.chosen.shard.settle(&shards);
    let backups = rows::backups(model);
    model.chosen.backup.settle(&backups);
}

/// The sentence for a turned lock.
fn lock_sentence(lock: Lock) -> (Tone, &'static str) {
    match lock {
        Lock::ReadOnly => (Tone::Warn, "read-only: the console was started with --read-only"),
        Lock::Closed => (Tone::Info, "locked"),
        Lock::OpenUntil(_) => (Tone::Warn, "unlocked for 10 minutes: capitals change the cluster"),
        Lock::Open => (Tone::Warn, "unlocked: capitals change the cluster"),
    }
}
