//! Screen 6: the journal, newest at the bottom, with the chosen line in full below.

pub(super) mod detail;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};

use evenkeel_shared::event::{Event, Severity};

use super::Scene;
use crate::tui::format;
use crate::tui::hits::Target;
use crate::tui::model::rows;
use crate::tui::theme::Tone;
use crate::tui::widget::panel::{self, Panel};
use crate::tui::widget::table::{self, Row, Table, figures, rest, words};

/// ```text
/// list
/// the chosen line in full
/// ```
pub(super) fn render(scene: &Scene<'_>, frame: &mut Frame<'_>, area: Rect) {
    let full = if area.height >= 18 { 6 } else { 0 };
    let rows = [Constraint::Min(0), Constraint::Length(full)];
    let [upper, lower] = Layout::vertical(rows).areas(area);
    list(scene, frame, upper);
    if full > 0 {
        detail::pane(scene, frame, lower);
    }
}

/// Where the chosen line is; the newest when none is chosen.
fn chosen(
    scene: &Scene<'_>,
    lines: &[(&crate::tui::model::journal::EventKey, &Event)],
) -> Option<usize> {
    let key = scene.model.chosen.event.key.as_ref();
    let place = key.and_then(|key| lines.iter().position(|(line, _)| *line == key));
    place.or(lines.len().checked_sub(1))
}

fn list(scene: &Scene<'_>, frame: &mut Frame<'_>, area: Rect) {
    let lines = rows::events(scene.model);
    let following = scene.model.chosen.event.key.is_none();
    let level = match scene.model.severity {
        Severity::Info => "all",
        Severity::Warn => "warnings and alarms",
        Severity::Alarm => "alarms",
    };
    let follow = if following { "following" } else { "f follows" };
    let note = format!("{level}, {}, {follow}", lines.len());
    let inner =
        panel::render(frame, area, &Panel { title: "6 Events", note, alarm: false }, scene.theme);
    let columns = [
        words("time", 8, 0),
        words("", 1, 0),
        words("kind", 10, 3),
        words("node", 6, 2),
        words("shard", 5, 2),
        rest("what", 24, 0),
        figures("took", 8, 1),
    ];
    let empty = if scene.model.filter(scene.model.screen).is_empty() {
        "nothing in the journal yet"
    } else {
        "no event matches"
    };
    let table = Table {
        columns: &columns,
        rows: lines.len(),
        selected: chosen(scene, &lines),
        empty,
        hits: scene.hits,
    };
    table::render(frame, inner, &table, scene.theme, |index| {
        row(scene, lines[index].1).of(Target::Line(lines[index].0.clone()))
    });
}

fn row(scene: &Scene<'_>, event: &Event) -> Row {
    let (glyph, tone) = scene.theme.glyphs.severity(event.severity);
    let node = event.node.map(|id| scene.cluster.name(id)).unwrap_or_default();
    let shard = event.shard.map(|id| id.to_string()).unwrap_or_default();
    let mut what = vec![Span::raw(event.what.clone())];
    if !event.why.is_empty() {
        what.push(scene.ink(format!("  {}", event.why), Tone::Muted));
    }
    let took = event.took_us.map(format::micros).unwrap_or_default();
    let cells = vec![
        Line::from(scene.ink(format::time(event.unix_ms, &scene.model.zone), Tone::Muted)),
        Line::from(scene.ink(glyph, tone)),
        Line::from(scene.ink(event.kind.to_string(), Tone::Muted)),
        Line::from(Span::raw(node)),
        Line::from(Span::raw(shard)),
        Line::from(what),
        Line::from(scene.ink(took, Tone::Info)),
    ];
    Row::new(cells)
}
