//! Lines of label and value, as detail panes have them, and short lists of events.

use ratatui::text::{Line, Span};

use evenkeel_shared::event::Event;

use super::Scene;
use crate::tui::format;
use crate::tui::theme::{Theme, Tone};

/// Width of the labels.
const LABEL: usize = 9;

/// `label    value`
pub(super) fn fact(scene: &Scene<'_>, label: &str, value: Vec<Span<'static>>) -> Line<'static> {
    let mut spans = vec![scene.ink(format!("{label:<LABEL$} "), Tone::Muted)];
    spans.extend(value);
    Line::from(spans)
}

/// `label    value`, the value being plain words.
pub(super) fn plain(scene: &Scene<'_>, label: &str, value: impl Into<String>) -> Line<'static> {
    fact(scene, label, vec![Span::raw(value.into())])
}

/// A heading within a pane.
pub(super) fn heading(text: &str) -> Line<'static> {
    Line::from(Span::styled(text.to_owned(), Theme::title()))
}

/// An event on one line: time, weight, what, how long.
pub(super) fn event(scene: &Scene<'_>, event: &Event) -> Line<'static> {
    let (glyph, tone) = scene.theme.glyphs.severity(event.severity);
    let took = event.took_us.map(|us| format!("  {}", format::micros(us))).unwrap_or_default();
    Line::from(vec![
        scene.ink(format::time(event.unix_ms, &scene.model.zone), Tone::Muted),
        Span::raw(" "),
        scene.ink(glyph, tone),
        Span::raw(" "),
        Span::raw(event.what.clone()),
        scene.ink(took, Tone::Info),
    ])
}
