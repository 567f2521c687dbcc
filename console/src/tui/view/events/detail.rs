//! One journal line in full: what, why, who says so.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};

use evenkeel_shared::event::Event;

use crate::tui::format;
use crate::tui::model::rows;
use crate::tui::theme::Tone;
use crate::tui::view::{Scene, facts};
use crate::tui::widget::panel::{self, Panel};

/// The chosen line below the list.
pub(super) fn pane(scene: &Scene<'_>, frame: &mut Frame<'_>, area: Rect) {
    draw(scene, frame, area, String::new());
}

/// The chosen line over the whole body.
pub(in crate::tui::view) fn full(scene: &Scene<'_>, frame: &mut Frame<'_>, area: Rect) {
    draw(scene, frame, area, "Esc closes".into());
}

fn draw(scene: &Scene<'_>, frame: &mut Frame<'_>, area: Rect, note: String) {
    let inner =
        panel::render(frame, area, &Panel { title: "Event", note, alarm: false }, scene.theme);
    let found = rows::events(scene.model);
    let chosen = super::chosen(scene, &found).map(|index| found[index].1);
    let lines = match chosen {
        Some(event) => lines(scene, event),
        None => vec![Line::from(scene.ink("no event is chosen", Tone::Muted))],
    };
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }), inner);
}

fn lines(scene: &Scene<'_>, event: &Event) -> Vec<Line<'static>> {
    let (glyph, tone) = scene.theme.glyphs.severity(event.severity);
    let what = vec![scene.ink(format!("{glyph} "), tone), Span::raw(event.what.clone())];
    let why = if event.why.is_empty() { "not said".into() } else { event.why.clone() };
    let reporter = scene.cluster.name(event.reporter);
    let committed = match event.id {
        0 => "not in the journal yet".into(),
        id => format!("journal line {id}"),
    };
    let when = format::day_time(event.unix_ms, &scene.model.zone);
    let took = event.took_us.map(|us| format!(", took {}", format::micros(us))).unwrap_or_default();
    vec![
        facts::fact(scene, "what", what),
        facts::plain(scene, "why", why),
        facts::plain(scene, "when", format!("{when}{took}")),
        facts::plain(scene, "says", format!("{reporter}, {}, {committed}", event.kind)),
    ]
}
