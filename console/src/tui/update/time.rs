//! Travelling in time: what is shown is what was known then, until `L`.

use jiff::Timestamp;
use jiff::civil::Time;

use crate::tui::action::Command;
use crate::tui::format;
use crate::tui::model::Model;
use crate::tui::model::held::{Held, SPEED_MAX, Travel};
use crate::tui::model::layer::Layer;
use crate::tui::theme::Tone;

/// How much of the past is saved unless a moment was marked.
const STRETCH_MS: u64 = 600_000;

/// Carries out a command about time.
pub(super) fn go(model: &mut Model, command: Command) {
    match command {
        Command::StepBack => step(model, -1),
        Command::StepOn => step(model, 1),
        Command::EventBefore => to_event(model, false),
        Command::EventAfter => to_event(model, true),
        Command::Play => play(model),
        Command::Slower => change_speed(model, |speed| speed / 2),
        Command::Faster => change_speed(model, |speed| speed * 2),
        Command::Mark => mark(model),
        Command::Live => live(model),
        _ => {}
    }
}

/// Back to now; a recording has none, its end is the last there is.
pub(super) fn live(model: &mut Model) {
    if model.replay {
        let last = model.history.len().saturating_sub(1);
        show(model, last);
        return;
    }
    model.held = None;
    model.status = None;
}

/// Lets time go on while the past plays.
pub(super) fn tick(model: &mut Model) {
    let Some(held) = &mut model.held else { return };
    let Some(travel) = held.travel.as_mut().filter(|travel| travel.playing) else { return };
    let passed = model.now.saturating_sub(travel.stepped) * u64::from(travel.speed);
    if passed < 1_000 {
        return;
    }
    travel.stepped = model.now;
    let Some(place) = model.history.place(held.at) else { return };
    let steps = usize::try_from(passed / 1_000).unwrap_or(1);
    let last = model.history.len().saturating_sub(1);
    let next = (place + steps).min(last);
    if next == last {
        travel.playing = false;
        if !model.replay {
            model.held = None;
            return;
        }
    }
    show(model, next);
}

/// Shows the moment of this place.
pub(super) fn show(model: &mut Model, place: usize) {
    let place = place.min(model.history.len().saturating_sub(1));
    let Some(at) = model.history.at(place) else { return };
    let Some(cluster) = model.history.cluster(place, &model.live.journal) else { return };
    // The scrubber has its line.
    model.status = None;
    let before = model.held.take();
    let travel = before.as_ref().and_then(|held| held.travel);
    let travel = travel.unwrap_or(Travel { playing: false, speed: 1, stepped: model.now });
    let events_since = before.map_or(0, |held| held.events_since);
    model.held = Some(Box::new(Held { cluster, at, events_since, travel: Some(travel) }));
    super::settle(model);
}

/// Shows the moment at or before this time.
pub(super) fn show_at(model: &mut Model, unix_ms: u64) {
    if model.history.span().is_some_and(|(first, _)| unix_ms < first) {
        let first = model.history.span().map_or(0, |(first, _)| first);
        let first = format::time(first, &model.zone);
        model.say(Tone::Info, format!("nothing is remembered before {first}"));
        return;
    }
    if let Some(place) = model.history.place(unix_ms) {
        show(model, place);
    }
}

fn step(model: &mut Model, by: isize) {
    let last = model.history.len().saturating_sub(1);
    let travelling = model.held.as_ref().is_some_and(|held| held.travel.is_some());
    if by > 0 && !travelling {
        return;
    }
    let Some(here) = model.history.place(model.shown_at()) else {
        model.say(Tone::Info, "nothing is known of the past yet");
        return;
    };
    stop(model);
    let next = here.saturating_add_signed(by);
    if next > last || (next == last && by > 0) {
        return live(model);
    }
    show(model, next);
}

fn stop(model: &mut Model) {
    if let Some(travel) = model.held.as_mut().and_then(|held| held.travel.as_mut()) {
        travel.playing = false;
    }
}

fn to_event(model: &mut Model, forward: bool) {
    let here = model.shown_at();
    let Some((first, last)) = model.history.span() else { return };
    let times = model.live.journal.iter().map(|(key, _)| key.unix_ms);
    let inside = times.filter(|at| (first..=last).contains(at));
    // A moment is the first that could show the event: the second that follows it.
    let found = if forward {
        inside.filter(|at| *at > here).min()
    } else {
        inside.filter(|at| at.saturating_add(1_000) < here).max()
    };
    match found {
        Some(at) => {
            stop(model);
            let place = model.history.place(at).unwrap_or(0);
            let exact = model.history.at(place) == Some(at);
            show(model, if exact { place } else { place + 1 });
        }
        None if forward => live(model),
        None => model.say(Tone::Info, "no event before that in what is remembered"),
    }
}

fn play(model: &mut Model) {
    let now = model.now;
    match model.held.as_mut().and_then(|held| held.travel.as_mut()) {
        Some(travel) => {
            travel.playing = !travel.playing;
            travel.stepped = now;
        }
        None => model.say(Tone::Info, "this is now: [ goes back a second, { to the last event"),
    }
}

fn change_speed(model: &mut Model, change: impl Fn(u32) -> u32) {
    if let Some(travel) = model.held.as_mut().and_then(|held| held.travel.as_mut()) {
        travel.speed = change(travel.speed).clamp(1, SPEED_MAX);
    }
}

/// Marks the moment that is shown; with one marked already, shows what is different.
fn mark(model: &mut Model) {
    if model.mark.is_some() {
        model.layers.push(Layer::Changes(0));
        return;
    }
    let at = model.shown_at();
    model.mark = Some(at);
    let time = format::time(at, &model.zone);
    model.say(Tone::Info, format!("marked {time}: m again, elsewhere, says what changed"));
}

/// The time that was typed: `14:02`, `14:02:10`, `-90s`, `-5m`, `2026-11-29T14:02:10Z`.
pub(super) fn read(model: &Model, text: &str) -> Result<u64, String> {
    let text = text.trim();
    let expected = || format!("{text:?} is no time: try 14:02:10, -90s or -5m");
    if let Some(back) = text.strip_prefix('-') {
        let back = humantime::parse_duration(back.trim()).map_err(|_| expected())?;
        let back = u64::try_from(back.as_millis()).map_err(|_| expected())?;
        return Ok(model.shown_at().saturating_sub(back));
    }
    if let Ok(moment) = text.parse::<Timestamp>() {
        return u64::try_from(moment.as_millisecond()).map_err(|_| expected());
    }
    let time: Time = Time::strptime("%H:%M:%S", text)
        .or_else(|_| Time::strptime("%H:%M", text))
        .map_err(|_| expected())?;
    // A time of day is the last one before the end of what is known.
    let last = model.history.span().map_or(model.now, |(_, last)| last);
    let end = if model.replay { last } else { model.now.max(last) };
    let here = i64::try_from(end).map_err(|_| expected())?;
    let here = Timestamp::from_millisecond(here).map_err(|_| expected())?;
    let day = here.to_zoned_datetime(model.zone.clone()).date();
    let at = day.to_datetime(time).to_zoned_datetime(model.zone.clone()).map_err(|_| expected())?;
    // A time of day that is still to come was yesterday's.
    let at = if at.timestamp() > here { at.yesterday().map_err(|_| expected())? } else { at };
    u64::try_from(at.timestamp().as_millisecond()).map_err(|_| expected())
}

/// The stretch that one would save: from the mark, or the last ten minutes, to what is shown.
pub(super) fn stretch(model: &Model) -> String {
    let to = model.shown_at();
    let from = model.mark.unwrap_or_else(|| to.saturating_sub(STRETCH_MS));
    let first = model.history.span().map_or(from, |(first, _)| first);
    let from = from.min(to).max(first);
    format!("{}..{}", format::time(from, &model.zone), format::time(to, &model.zone))
}

/// A stretch that was typed: `14:00..14:10`, `-10m..`, `14:02:10..-5s`.
pub(super) fn read_stretch(model: &Model, text: &str) -> Result<(u64, u64), String> {
    let expected = || format!("{text:?} is no stretch of time: try 14:00..14:10 or -10m..");
    let (from, to) = text.split_once("..").ok_or_else(expected)?;
    let from = read(model, from)?;
    let to = match to.trim() {
        "" => model.shown_at(),
        // A time of day is written without its milliseconds.
        to => read(model, to)?.saturating_add(999),
    };
    let Some((first, last)) = model.history.span() else {
        return Err("nothing is remembered yet".to_owned());
    };
    if to < first || from > last {
        let (first, last) = (format::time(first, &model.zone), format::time(last, &model.zone));
        return Err(format!("what is remembered goes from {first} to {last}"));
    }
    if from > to {
        return Err("it ends before it begins".to_owned());
    }
    Ok((from, to))
}

/// Freezes the screen as it is, or lets it go on; the past holds still by itself.
pub(super) fn freeze(model: &mut Model) {
    if model.held.as_ref().is_some_and(|held| held.travel.is_some()) {
        stop(model);
        model.say(Tone::Info, "the past holds still: L goes back to now");
        return;
    }
    if model.held.is_some() {
        live(model);
        return;
    }
    let cluster = model.live.clone();
    model.held = Some(Box::new(Held { cluster, at: model.now, events_since: 0, travel: None }));
}
