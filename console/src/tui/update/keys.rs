//! Keys: the uppermost layer takes them first, then the screen, by the one table.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use evenkeel_shared::event::Severity;
use tui_input::{Input, InputRequest};

use super::{acts, dialog, drill, lock_sentence, navigate, palette, policy, time, what_if};
use crate::tui::Effect;
use crate::tui::action::{Binding, Chord, Command, Guard, Screen};
use crate::tui::model::acts::refusal;
use crate::tui::model::attention::About;
use crate::tui::model::drill::DrillRun;
use crate::tui::model::layer::Layer;
use crate::tui::model::{Model, clean, command_line, rows};
use crate::tui::theme::Tone;

/// How far the heatmap is made brighter or darker: enough for ten doublings.
const GAIN_MAX: i8 = 20;

/// Takes a key.
pub(super) fn pressed(model: &mut Model, key: KeyEvent) -> Vec<Effect> {
    if key.kind == KeyEventKind::Release {
        return Vec::new();
    }
    let chord = Chord::of(key);
    match chord {
        Chord::Ctrl('c') => return vec![Effect::Quit],
        Chord::Ctrl('l') => return vec![Effect::Redraw],
        Chord::Ctrl('z') => return vec![Effect::Suspend],
        _ => {}
    }
    // Nothing is confirmed, chosen or typed that can't be seen.
    if model.is_tiny() {
        return tiny(model, chord);
    }
    match model.layers.pop() {
        Some(Layer::Help(scroll)) => help(model, chord, scroll),
        Some(Layer::Filter { input, before }) => filter(model, key, input, before),
        Some(Layer::Dialog(open)) => return dialog::pressed(model, key, open),
        Some(Layer::Palette { input, chosen }) => {
            return palette::pressed(model, key, input, chosen);
        }
        Some(Layer::GoTo { input, .. }) => palette::go_to(model, key, input),
        Some(Layer::Save { input, .. }) => return palette::save(model, key, input),
        Some(Layer::Drill(open)) => return drill::pressed(model, key, open),
        Some(Layer::WhatIf(form)) => return what_if::pressed(model, key, form),
        Some(Layer::Policy(form)) => return policy::pressed(model, key, form),
        Some(Layer::Changes(scroll)) => changes(model, chord, scroll),
        Some(Layer::Detail) => {
            model.layers.push(Layer::Detail);
            return command(model, chord);
        }
        None => return command(model, chord),
    }
    Vec::new()
}

/// In a terminal that shows nothing but how the cluster is, one can leave and close, no more.
fn tiny(model: &mut Model, chord: Chord) -> Vec<Effect> {
    match chord {
        Chord::Char('q') => return quit(model),
        Chord::Key(KeyCode::Esc) => drop(model.layers.pop()),
        _ => {}
    }
    Vec::new()
}

/// Takes pasted text: only a line being written wants it.
pub(super) fn pasted(model: &mut Model, text: &str) -> Vec<Effect> {
    let written = |layer: &Layer| {
        matches!(
            layer,
            Layer::Filter { .. }
                | Layer::Dialog(_)
                | Layer::Palette { .. }
                | Layer::GoTo { .. }
                | Layer::Save { .. }
        )
    };
    if !model.layers.last().is_some_and(written) {
        return Vec::new();
    }
    for c in clean::text(text).chars() {
        pressed(model, KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE));
    }
    Vec::new()
}

fn command(model: &mut Model, chord: Chord) -> Vec<Effect> {
    match model.keys.lookup(chord, model.screen) {
        Some(line) => carry_out(model, line),
        None => Vec::new(),
    }
}

/// Does what a line of the table says, if it may be done.
pub(super) fn carry_out(model: &mut Model, line: &Binding) -> Vec<Effect> {
    if line.guard == Guard::Locked {
        if let Some(why) = refusal(model, line.command) {
            model.say(Tone::Warn, format!("{}: {why}", line.name));
            return Vec::new();
        }
        if line.command == Command::Drill {
            drill::choose(model);
            return Vec::new();
        }
        return acts::begin(model, line.command);
    }
    match line.command {
        Command::Show(screen) => show(model, screen),
        Command::NextScreen => {
            let place = Screen::ALL.iter().position(|screen| *screen == model.screen).unwrap_or(0);
            show(model, Screen::ALL[(place + 1) % Screen::ALL.len()]);
        }
        Command::Open => open(model),
        Command::Back => back(model),
        Command::Sort => sort(model),
        Command::Filter => begin_filter(model),
        Command::Severity => {
            model.severity = match model.severity {
                Severity::Info => Severity::Warn,
                Severity::Warn => Severity::Alarm,
                Severity::Alarm => Severity::Info,
            };
        }
        Command::Follow => model.chosen.event.key = None,
        Command::WhatIf => return what_if::open(model),
        Command::Policy => return policy::open(model),
        Command::EndDrill => return drill::end(model),
        Command::Zoom => model.zoomed = !model.zoomed,
        Command::Brighter => model.gain = (model.gain + 1).min(GAIN_MAX),
        Command::Darker => model.gain = (model.gain - 1).max(-GAIN_MAX),
        Command::Jump => jump(model),
        Command::Then => then(model),
        Command::Problem => navigate::to_next_problem(model),
        Command::Freeze => time::freeze(model),
        Command::Palette => {
            model.layers.push(Layer::Palette { input: Input::default(), chosen: 0 });
        }
        Command::GoTo => model.layers.push(Layer::GoTo { input: Input::default(), hint: None }),
        command if command.travels() => time::go(model, command),
        Command::AsWords => {
            let words = command_line::of_screen(model);
            model.say(Tone::Info, format!("copied: {words}"));
            return vec![Effect::Copy(words)];
        }
        Command::Present => model.present = !model.present,
        Command::Incident => {
            let input = Input::new(time::stretch(model));
            model.layers.push(Layer::Save { input, hint: None });
        }
        Command::Export => return vec![Effect::Export],
        Command::Unlock if model.replay => {
            model.say(Tone::Info, "this is a recording: there is nothing to unlock");
        }
        Command::Unlock => {
            model.lock = model.lock.turned(model.now);
            let (tone, sentence) = lock_sentence(model.lock);
            model.say(tone, sentence);
        }
        Command::Copy => return copy(model),
        Command::Help => model.layers.push(Layer::Help(0)),
        Command::Quit => return quit(model),
        other => navigate::go(model, other),
    }
    Vec::new()
}

pub(super) fn show(model: &mut Model, screen: Screen) {
    model.layers.retain(|layer| !matches!(layer, Layer::Detail));
    model.screen = screen;
}

fn open(model: &mut Model) {
    if !matches!(model.layers.last(), Some(Layer::Detail)) {
        model.layers.push(Layer::Detail);
    }
}

/// Closes the detail, or else drops the filter, or else goes back to following.
fn back(model: &mut Model) {
    if model.layers.pop().is_some() {
        return;
    }
    if model.filters.remove(&model.screen).is_some_and(|filter| !filter.is_empty()) {
        return;
    }
    if model.screen == Screen::Load && std::mem::take(&mut model.zoomed) {
        return;
    }
    if model.held.is_some() {
        time::live(model);
    }
}

/// `q` closes what lies on top, and ends the console when nothing does.
fn quit(model: &mut Model) -> Vec<Effect> {
    if model.layers.pop().is_some() {
        return Vec::new();
    }
    if model.drill.as_ref().is_some_and(DrillRun::runs) {
        model.say(
            Tone::Warn,
            "a drill runs: a ends it and takes back what it did; ^c leaves at once",
        );
        return Vec::new();
    }
    vec![Effect::Quit]
}

fn sort(model: &mut Model) {
    let count = rows::sorts(model.screen).len();
    let next = (model.sort(model.screen) + 1) % count;
    model.sorts.insert(model.screen, next);
}

/// To the shard that a line is about, or else its node.
fn jump(model: &mut Model) {
    let about = match model.screen {
        Screen::Failover => {
            let found = rows::failovers(model);
            let keys: Vec<_> = found.iter().map(|incident| incident.key.clone()).collect();
            let place = model.chosen.failover.index(&keys);
            place.and_then(|place| found[place].slowest()).map(|rise| (Some(rise.shard), None))
        }
        _ => chosen_line(model).map(|event| (event.shard, event.node)),
    };
    match about {
        Some((Some(shard), _)) => navigate::to(model, About::Shard(shard)),
        Some((None, Some(node))) => navigate::to(model, About::Node(node)),
        _ => model.say(Tone::Info, "it is about no shard and no node"),
    }
}

/// Shows the cluster as it was when the chosen line was written.
fn then(model: &mut Model) {
    let at = match model.screen {
        Screen::Failover => model.chosen.failover.key.as_ref().map(|key| key.unix_ms),
        _ => chosen_line(model).map(|event| event.unix_ms),
    };
    match (at, model.history.span()) {
        (Some(at), Some((first, _))) if at >= first => time::show_at(model, at + 999),
        (Some(_), _) => model.say(Tone::Info, "that is before what is remembered here"),
        (None, _) => {}
    }
}

fn chosen_line(model: &Model) -> Option<evenkeel_shared::event::Event> {
    let lines = rows::events(model);
    let keys: Vec<_> = lines.iter().map(|(key, _)| (*key).clone()).collect();
    let place = model.chosen.event.index(&keys).or(keys.len().checked_sub(1));
    place.map(|place| lines[place].1.clone())
}

fn changes(model: &mut Model, chord: Chord, scroll: u16) {
    let scroll = match chord {
        Chord::Char('j') | Chord::Key(KeyCode::Down) => scroll.saturating_add(1),
        Chord::Char('k') | Chord::Key(KeyCode::Up) => scroll.saturating_sub(1),
        // The next m marks anew.
        _ => {
            model.mark = None;
            return;
        }
    };
    model.layers.push(Layer::Changes(scroll));
}

fn copy(model: &mut Model) -> Vec<Effect> {
    let cluster = model.shown();
    let text = match model.screen {
        Screen::Nodes | Screen::Load => model.chosen.node.key.map(|id| cluster.name(id)),
        Screen::Shards => model.chosen.shard.key.map(|id| id.to_string()),
        Screen::Backups => model.chosen.backup.key.clone().map(|(_, id)| id),
        Screen::Failover => model.chosen.failover.key.clone().map(|key| key.words().to_owned()),
        Screen::Events => chosen_line(model).map(|event| format!("{} {}", event.what, event.why)),
    };
    let Some(text) = text else { return Vec::new() };
    model.say(Tone::Info, format!("copied {text}"));
    vec![Effect::Copy(text)]
}

fn help(model: &mut Model, chord: Chord, scroll: u16) {
    let scroll = match chord {
        Chord::Char('j') | Chord::Key(KeyCode::Down) => scroll.saturating_add(1),
        Chord::Char('k') | Chord::Key(KeyCode::Up) => scroll.saturating_sub(1),
        Chord::Ctrl('d') | Chord::Key(KeyCode::PageDown) => scroll.saturating_add(10),
        Chord::Ctrl('u') | Chord::Key(KeyCode::PageUp) => scroll.saturating_sub(10),
        _ => return,
    };
    let lines = u16::try_from(crate::tui::action::BINDINGS.len()).unwrap_or(u16::MAX);
    model.layers.push(Layer::Help(scroll.min(lines)));
}

fn begin_filter(model: &mut Model) {
    let before = model.filter(model.screen).to_owned();
    let input = Input::new(before.clone());
    model.layers.push(Layer::Filter { input, before });
}

fn filter(model: &mut Model, key: KeyEvent, mut input: Input, before: String) {
    match key.code {
        KeyCode::Enter => {}
        KeyCode::Esc => {
            model.filters.insert(model.screen, before);
        }
        _ => {
            write(&mut input, key);
            model.filters.insert(model.screen, input.value().to_owned());
            model.layers.push(Layer::Filter { input, before });
        }
    }
}

/// Edits a line; whether the key meant something.
pub(super) fn write(input: &mut Input, key: KeyEvent) -> bool {
    let request = match (Chord::of(key), key.code) {
        (Chord::Char(c), _) => InputRequest::InsertChar(c),
        (Chord::Ctrl('u'), _) => InputRequest::DeleteLine,
        (Chord::Ctrl('w'), _) => InputRequest::DeletePrevWord,
        (Chord::Ctrl('a'), _) | (_, KeyCode::Home) => InputRequest::GoToStart,
        (Chord::Ctrl('e'), _) | (_, KeyCode::End) => InputRequest::GoToEnd,
        (_, KeyCode::Backspace) => InputRequest::DeletePrevChar,
        (_, KeyCode::Delete) => InputRequest::DeleteNextChar,
        (_, KeyCode::Left) => InputRequest::GoToPrevChar,
        (_, KeyCode::Right) => InputRequest::GoToNextChar,
        _ => return false,
    };
    if matches!(request, InputRequest::InsertChar(_)) && input.value().chars().count() >= 200 {
        return true;
    }
    input.handle(request);
    true
}
