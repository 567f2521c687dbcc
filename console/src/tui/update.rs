//! How the model changes: one message in, effects out. Pure: no clock, no I/O, no randomness.

mod acts;
mod ask;
mod dialog;
mod drill;
mod following;
mod keys;
mod mouse;
mod navigate;
mod palette;
mod policy;
mod time;
mod what_if;

use evenkeel_shared::error::AdminError;
use evenkeel_shared::preflight::{Action, Outcome};

use super::model::lock::Lock;
use super::model::{Model, STATUS_SHOWN_MS, clean, rows};
use super::recording::{Recording, Second};
use super::theme::Tone;
use super::{Effect, Message, format};
use crate::tui::action::Screen;

/// Takes one message in.
pub(crate) fn update(model: &mut Model, message: Message) -> Vec<Effect> {
    let mut effects = take(model, message);
    effects.extend(ask::due(model));
    effects
}

/// Looks at a recording in the place of a cluster, from its first moment.
pub(crate) fn replay(model: &mut Model, recording: Recording) {
    model.replay = true;
    model.history = recording.history;
    model.live.journal = recording.journal;
    let first = (0..model.history.len()).find(|place| model.history.is_known(*place));
    time::show(model, first.unwrap_or(0));
    if recording.cut_short {
        model.say(Tone::Warn, "the recording is cut short or damaged after its last second");
    }
}

fn take(model: &mut Model, message: Message) -> Vec<Effect> {
    match message {
        Message::Key(key) => return keys::pressed(model, key),
        Message::Paste(text) => return keys::pasted(model, &text),
        Message::Wheel(lines) => navigate::step(model, isize::from(lines)),
        Message::Click(hit) => return mouse::clicked(model, hit),
        Message::Resize { width, height } => model.size = (width, height).into(),
        Message::Tick { now_unix_ms } => return tick(model, now_unix_ms),
        Message::Report(report) => {
            model.live.reported(*report, model.now);
            if model.live.view().is_none() {
                settle(model);
            }
        }
        Message::View(view) => {
            let counts = |model: &Model| model.live.view().map(|view| view.counts);
            let before = counts(model);
            model.live.viewed(*view, model.now);
            if model.live.stranger.is_some() && model.lock.refusal().is_none() {
                model.lock = Lock::Closed;
                model.say(Tone::Bad, "locked: another cluster answers at these addresses");
            }
            if counts(model) != before {
                model.answers.foreseen.forget();
            }
            settle(model);
        }
        Message::Event(event) => journal(model, [*event]),
        Message::Events(events) => journal(model, events),
        Message::Link { address, node, state } => {
            model.live.linked(&address, node, state, model.now);
        }
        Message::Preflighted { action, result } => dialog::answered(model, &action, result),
        Message::Acted { action, result } => return acted(model, action, result),
        Message::Explained { shard, result } => {
            let result = result.map(ask::clean_explanation).map_err(|e| clean::error(&e));
            model.answers.explained.take(shard, result, model.now);
        }
        Message::Foreseen { node, result } => {
            // Whoever can't say is asked again in its turn.
            if let Ok(preflight) = result {
                model.answers.foreseen.take(node, *preflight, model.now);
            }
        }
        Message::Judged { node, result } => {
            let result = result.map(ask::clean_dossier).map_err(|error| clean::error(&error));
            model.answers.judged.take(node, result, model.now);
        }
        Message::Planned(result) => {
            let result = result.map(ask::clean_plan).map_err(|error| clean::error(&error));
            model.answers.plan.take((), result, model.now);
        }
        Message::WhatIf { changes, result } => {
            what_if::told(model, changes, result.map(|told| *told));
        }
        Message::Declared(result) => policy::declared(model, result),
        Message::Exported(Ok(path)) => {
            model.say(Tone::Good, format!("written to {}", clean::text(&path)));
        }
        Message::Exported(Err(why)) => {
            model.say(Tone::Bad, format!("not written: {}", clean::text(&why)));
        }
        Message::Briefed { name, result } => drill::briefed(model, &name, result),
        Message::Drilled(news) => drill::heard(model, news),
        Message::Recorded(Err(why)) => {
            model.unrecorded = None;
            model.say(Tone::Bad, format!("the recording has ended: {}", clean::text(&why)));
        }
        Message::Recorded(Ok(())) => {}
    }
    Vec::new()
}

fn tick(model: &mut Model, now: u64) -> Vec<Effect> {
    model.now = now;
    let mut effects = Vec::new();
    if !model.replay && model.live.sample(now) {
        let moment = model.history.record(&model.live, now);
        if let Some(lines) = &mut model.unrecorded {
            let events = std::mem::take(lines);
            effects.push(Effect::Record(Box::new(Second { moment: moment.clone(), events })));
        }
    }
    time::tick(model);
    following::tick(model);
    let lock = model.lock.at(now);
    if lock != model.lock {
        model.lock = lock;
        model.say(Tone::Info, "locked again");
    }
    let over = |at: u64| now.saturating_sub(at) > STATUS_SHOWN_MS;
    if model.status.as_ref().is_some_and(|status| over(status.at)) {
        model.status = None;
    }
    effects
}

fn journal(model: &mut Model, events: impl IntoIterator<Item = evenkeel_shared::event::Event>) {
    for event in events {
        let line = model.unrecorded.is_some().then(|| event.clone());
        let new = model.live.journal.add(event);
        if let Some(lines) = model.unrecorded.as_mut().filter(|_| new) {
            lines.extend(line);
        }
        if let Some(held) = model.held.as_mut().filter(|_| new) {
            held.events_since += 1;
        }
    }
}

fn acted(model: &mut Model, action: Action, result: Result<Outcome, AdminError>) -> Vec<Effect> {
    let place = model.pending.iter().position(|pending| pending.action == action);
    let title = match place {
        Some(place) => model.pending.remove(place).what,
        None => crate::tui::model::acts::title(model, &action),
    };
    if matches!(&result, Err(error) if !matches!(error, AdminError::Unavailable { .. })) {
        model.followed.retain(|followed| followed.action != action);
    }
    match result {
        Ok(outcome) => {
            let what = clean::outcome(&outcome);
            let what = if what.is_empty() { title } else { what };
            model.say(Tone::Good, format!("{what} ({})", format::micros(outcome.took_us)));
        }
        Err(AdminError::Unavailable { why }) => {
            // It may go on: what is seen of it tells.
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
    // The journal is read through for it: once is enough.
    if model.chosen.failover.key.is_none() {
        let found = rows::failovers(model).into_iter().map(|incident| incident.key);
        let failovers: Vec<_> = found.collect();
        model.chosen.failover.settle(&failovers);
    }
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
