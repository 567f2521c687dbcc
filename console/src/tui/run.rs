//! The loop: wait for one message, take all that wait, update, draw once.
//!
//! Input is never polled, frames are at least 10 ms apart, and nothing is drawn while nothing
//! that is shown has changed. This file is the only one of the console's that reads a clock.

mod files;
mod pace;
mod terminal;

use std::time::{Duration, SystemTime};

use color_eyre::eyre::{Result, WrapErr};
use crossterm::event::{Event, EventStream, KeyEventKind, MouseButton, MouseEventKind};
use futures::StreamExt;
use jiff::tz::TimeZone;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use super::hits::Hits;
use super::model::Model;
use super::theme::Theme;
use super::update::{replay, update};
use super::view::view;
use super::{ConsoleOptions, Effect, Feed, Message, ThemeChoice};
use files::Files;
use pace::{Pace, Urgency, urgency};
use terminal::Screen;

/// Messages taken before a frame is drawn, so that a flood can't keep the screen still.
const BATCH_MAX: usize = 1_024;
/// How often ages move on.
const TICK: Duration = Duration::from_secs(1);
/// Lines that a turn of the wheel moves.
const WHEEL_LINES: i16 = 3;

/// Runs the console until the operator leaves it.
pub async fn run(options: ConsoleOptions, mut feed: Box<dyn Feed>) -> Result<()> {
    let colour_allowed = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let settings = files::settings()?;
    let theme = match (options.theme, settings.theme) {
        (ThemeChoice::Auto, Some(own)) => own,
        (ThemeChoice::Auto, None) if is_light() => ThemeChoice::Light,
        (given, _) => given,
    };
    let theme = Theme::new(theme, options.ascii || settings.ascii, colour_allowed);
    let mut files = Files::open(&options)?;
    let mut model = Model::new(&options, theme, TimeZone::system(), now_unix_ms());
    if let Some(recording) = files.take_replay() {
        replay(&mut model, recording);
    }
    model.keys = settings.keys;
    model.drills = feed.drills();
    let messages = feed.messages();
    let mut screen = Screen::open().wrap_err("open the terminal")?;
    let result = turn(&mut model, feed.as_ref(), messages, &mut screen, &mut files).await;
    screen.close().wrap_err("restore the terminal")?;
    result
}

/// Whether the terminal says that its background is light, as some do: `COLORFGBG=0;15`.
fn is_light() -> bool {
    let said = std::env::var("COLORFGBG").unwrap_or_default();
    let background = said.rsplit(';').next().and_then(|index| index.parse::<u8>().ok());
    background.is_some_and(|index| index == 7 || index == 15)
}

async fn turn(
    model: &mut Model,
    feed: &dyn Feed,
    mut messages: mpsc::Receiver<Message>,
    screen: &mut Screen,
    files: &mut Files,
) -> Result<()> {
    model.size = screen.size()?;
    let mut keys = EventStream::new();
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut pace = Pace::default();
    let mut batch = Vec::new();
    let mut feed_open = true;
    let mut hits = Hits::default();
    loop {
        if pace.is_due(now_unix_ms()) {
            hits = Hits::default();
            screen.draw(|frame| view(model, frame, &hits)).wrap_err("draw a frame")?;
            pace.drawn(now_unix_ms());
        }
        tokio::select! {
            biased;
            event = keys.next() => match event {
                Some(event) => batch.extend(message_of(&event.wrap_err("read a key")?, &hits)),
                None => return Ok(()),
            },
            received = messages.recv_many(&mut batch, BATCH_MAX), if feed_open => {
                feed_open = received > 0;
            }
            _ = ticks.tick() => {
                let now_unix_ms = now_unix_ms();
                pace.ask(urgency(model, &Message::Tick { now_unix_ms }));
            }
            () = pace.wait(now_unix_ms()) => {}
        }
        let tick = Message::Tick { now_unix_ms: now_unix_ms() };
        batch.insert(0, tick);
        for message in batch.drain(..) {
            if !matches!(message, Message::Tick { .. }) {
                pace.ask(urgency(model, &message));
            }
            for effect in update(model, message) {
                match carry_out(effect, model, feed, screen, files).await? {
                    Some(urgency) => pace.ask(urgency),
                    None => return Ok(()),
                }
            }
        }
    }
}

/// Does one thing, and says how soon it wants to be seen; `None`: the console ends.
async fn carry_out(
    effect: Effect,
    model: &mut Model,
    feed: &dyn Feed,
    screen: &mut Screen,
    files: &mut Files,
) -> Result<Option<Urgency>> {
    match effect {
        Effect::Quit => return Ok(None),
        Effect::Redraw => screen.clear()?,
        Effect::Copy(text) => Screen::copy(&text)?,
        Effect::Suspend => {
            screen.suspend().await.wrap_err("suspend the console")?;
            model.size = screen.size()?;
        }
        Effect::Export => {
            let written = Files::export(screen.last_frame());
            update(model, Message::Exported(written));
        }
        Effect::SaveIncident { from, to } => {
            let seconds = model.history.seconds(from, to, &model.live.journal);
            update(model, Message::Exported(files::incident(seconds, from)));
        }
        Effect::Record(second) => {
            let recorded = Message::Recorded(files.record(&second));
            let wanted = urgency(model, &recorded);
            update(model, recorded);
            return Ok(Some(wanted));
        }
        asks @ (Effect::Explain { .. }
        | Effect::Judge { .. }
        | Effect::Foresee { .. }
        | Effect::Plan) => {
            feed.perform(asks);
            return Ok(Some(Urgency::Never));
        }
        acts @ (Effect::Preflight { .. }
        | Effect::Act { .. }
        | Effect::Declared
        | Effect::WhatIf { .. }
        | Effect::BriefDrill { .. }
        | Effect::Drill { .. }
        | Effect::EndDrill) => feed.perform(acts),
    }
    Ok(Some(Urgency::Now))
}

/// What a terminal event means to the console, if anything.
fn message_of(event: &Event, hits: &Hits) -> Option<Message> {
    match event {
        Event::Key(key) if key.kind != KeyEventKind::Release => Some(Message::Key(*key)),
        Event::Paste(text) => Some(Message::Paste(text.clone())),
        Event::Resize(width, height) => Some(Message::Resize { width: *width, height: *height }),
        Event::Mouse(mouse) => match mouse.kind {
            MouseEventKind::ScrollDown => Some(Message::Wheel(WHEEL_LINES)),
            MouseEventKind::ScrollUp => Some(Message::Wheel(-WHEEL_LINES)),
            MouseEventKind::Down(MouseButton::Left) => {
                hits.at(mouse.column, mouse.row).map(Message::Click)
            }
            _ => None,
        },
        _ => None,
    }
}

fn now_unix_ms() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "the console's one clock")]
    let now = SystemTime::now();
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
