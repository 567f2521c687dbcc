//! Screen 4: who took over what and why, and of the chosen incident each shard's way in parts.

mod timeline;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};

use super::{Scene, drill};
use crate::tui::format;
use crate::tui::hits::Target;
use crate::tui::model::failovers::{Incident, median};
use crate::tui::model::rows;
use crate::tui::number::cells;
use crate::tui::theme::Tone;
use crate::tui::widget::panel::{self, Panel};
use crate::tui::widget::table::{self, Row, Table, figures, rest, words};

/// ```text
/// incidents
/// the chosen one: a row a shard, on one scale of milliseconds
/// ```
pub(super) fn render(scene: &Scene<'_>, frame: &mut Frame<'_>, area: Rect) {
    let found = rows::failovers(scene.model);
    let chosen = chosen(scene, &found);
    let shards = chosen.map_or(0, |place| found[place].rises.len());
    let wanted = cells(shards).saturating_add(timeline::ROWS_BESIDE);
    let lower = wanted.clamp(6, (area.height * 2 / 3).max(6));
    let rows = [Constraint::Min(4), Constraint::Length(lower)];
    let [upper, lower] = Layout::vertical(rows).areas(area);
    let upper = drill::beside(scene, frame, upper);
    if !upper.is_empty() {
        list(scene, frame, upper, &found);
    }
    timeline::render(scene, frame, lower, (&found, chosen), String::new());
}

/// The chosen incident over the whole body.
pub(super) fn full(scene: &Scene<'_>, frame: &mut Frame<'_>, area: Rect) {
    let found = rows::failovers(scene.model);
    let chosen = chosen(scene, &found);
    timeline::render(scene, frame, area, (&found, chosen), "Esc closes".into());
}

fn chosen(scene: &Scene<'_>, found: &[Incident]) -> Option<usize> {
    let key = scene.model.chosen.failover.key.as_ref()?;
    found.iter().position(|incident| incident.key == *key)
}

fn list(scene: &Scene<'_>, frame: &mut Frame<'_>, area: Rect, found: &[Incident]) {
    let unplanned = found.iter().filter(|incident| !incident.planned).count();
    let note = match median(found) {
        Some(median) => {
            format!("{}, median {}", format::plural(unplanned, "failover"), format::micros(median))
        }
        None => String::new(),
    };
    let inner =
        panel::render(frame, area, &Panel { title: "4 Failover", note, alarm: false }, scene.theme);
    let columns = [
        words("when", 8, 0),
        figures("ago", 5, 2),
        words("", 1, 0),
        rest("why", 24, 0),
        figures("shards", 6, 1),
        words("slowest", 7, 2),
        figures("took", 8, 0),
        words("new leaders", 16, 3),
    ];
    let empty = if scene.model.filter(scene.model.screen).is_empty() {
        "no leadership has moved yet"
    } else {
        "no failover matches"
    };
    let selected = chosen(scene, found);
    let table = Table { columns: &columns, rows: found.len(), selected, empty, hits: scene.hits };
    table::render(frame, inner, &table, scene.theme, |index| row(scene, &found[index]));
}

fn row(scene: &Scene<'_>, incident: &Incident) -> Row {
    let glyphs = scene.theme.glyphs;
    let (glyph, tone) =
        if incident.planned { (glyphs.dot, Tone::Muted) } else { (glyphs.warn, Tone::Warn) };
    let slowest = incident.slowest();
    let took = slowest.and_then(|rise| rise.total_us).map(format::micros);
    let mut leaders: Vec<String> = Vec::new();
    for rise in &incident.rises {
        let name = rise.leader.map_or_else(|| "?".into(), |id| scene.cluster.name(id));
        if !leaders.contains(&name) {
            leaders.push(name);
        }
    }
    leaders.sort();
    let ago = format::short_age(scene.now.saturating_sub(incident.unix_ms));
    let cells = vec![
        Line::from(scene.ink(format::time(incident.unix_ms, &scene.model.zone), Tone::Muted)),
        Line::from(scene.ink(ago, Tone::Muted)),
        Line::from(scene.ink(glyph, tone)),
        Line::from(Span::raw(incident.cause.clone())),
        Line::from(Span::raw(incident.rises.len().to_string())),
        Line::from(Span::raw(slowest.map(|rise| rise.shard.to_string()).unwrap_or_default())),
        Line::from(scene.figure(took)),
        Line::from(scene.ink(format::some_of(&leaders, 4), Tone::Muted)),
    ];
    Row::new(cells).of(Target::Incident(incident.key.clone()))
}
