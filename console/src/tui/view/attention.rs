//! What deserves a look, as a pane or as a strip.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};

use super::{Scene, facts};
use crate::tui::hits::Target;
use crate::tui::model::attention::{self, Finding};
use crate::tui::number::cells;
use crate::tui::theme::Tone;
use crate::tui::widget::panel::{self, Panel};

fn glyph(scene: &Scene<'_>, finding: &Finding) -> Span<'static> {
    let glyphs = scene.theme.glyphs;
    let glyph = match finding.tone {
        Tone::Bad => glyphs.bad,
        Tone::Warn => glyphs.warn,
        _ => glyphs.half,
    };
    scene.ink(glyph, finding.tone)
}

/// What deserves a look.
pub(super) fn all(scene: &Scene<'_>) -> Vec<Finding> {
    attention::all(scene.model)
}

/// The pane, the newest events below the findings.
pub(super) fn pane(scene: &Scene<'_>, frame: &mut Frame<'_>, area: Rect) {
    let found = all(scene);
    let alarm = found.iter().any(|finding| finding.tone == Tone::Bad);
    let note = if found.is_empty() { String::new() } else { found.len().to_string() };
    let frame_of = Panel { title: "Attention", note, alarm };
    let inner = panel::render(frame, area, &frame_of, scene.theme);
    let mut lines: Vec<Line<'static>> = found
        .iter()
        .map(|finding| {
            Line::from(vec![glyph(scene, finding), Span::raw(" "), Span::raw(finding.text.clone())])
        })
        .collect();
    if lines.is_empty() {
        lines.push(calm(scene));
    }
    let mut y = inner.y;
    for finding in &found {
        let height = wrapped(finding, inner.width);
        let at = Rect { y, height, ..inner };
        scene.hits.note(at.intersection(inner), Target::Finding(finding.about));
        y = y.saturating_add(height);
    }
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }), inner);
}

/// Rows that a finding takes in so many cells.
fn wrapped(finding: &Finding, width: u16) -> u16 {
    cells((finding.text.chars().count() + 2).div_ceil(usize::from(width).max(8)))
}

/// Rows that the pane's findings take in so many cells.
pub(super) fn rows(scene: &Scene<'_>, width: u16) -> u16 {
    let width = width.saturating_sub(2);
    let rows =
        all(scene).iter().map(|finding| wrapped(finding, width)).fold(0, u16::saturating_add);
    rows.max(1)
}

/// The newest events, newest last.
pub(super) fn newest(scene: &Scene<'_>, frame: &mut Frame<'_>, area: Rect) {
    let frame_of = Panel { title: "Events", ..Panel::default() };
    let inner = panel::render(frame, area, &frame_of, scene.theme);
    let room = usize::from(inner.height);
    let mut lines: Vec<Line<'static>> = scene
        .cluster
        .journal
        .iter()
        .rev()
        .take(room)
        .map(|(_, e)| facts::event(scene, e))
        .collect();
    lines.reverse();
    if lines.is_empty() {
        lines.push(Line::from(scene.ink("nothing in the journal yet", Tone::Muted)));
    }
    frame.render_widget(Paragraph::new(lines), inner);
}

/// The findings on as many lines as there are.
pub(super) fn strip(scene: &Scene<'_>, frame: &mut Frame<'_>, area: Rect) {
    let found = all(scene);
    if found.is_empty() {
        let mut line = Line::from(Span::raw(" "));
        line.spans.extend(calm(scene).spans);
        frame.render_widget(line, area);
        return;
    }
    let mut lines = vec![Line::from(Span::raw(" "))];
    let room = usize::from(area.width.saturating_sub(2));
    for finding in &found {
        let text = format!(" {}", finding.text);
        let wide = Span::raw(text.as_str()).width() + 1;
        let last = lines.last_mut().expect("starts with one line");
        let gap = if last.spans.len() > 1 { 3 } else { 0 };
        if last.spans.len() > 1 && last.width() + gap + wide > room {
            lines.push(Line::from(Span::raw(" ")));
        } else if gap > 0 {
            last.push_span(Span::raw("   "));
        }
        let last = lines.last_mut().expect("starts with one line");
        last.push_span(glyph(scene, finding));
        last.push_span(Span::raw(text));
    }
    frame.render_widget(Paragraph::new(lines), area);
}

fn calm(scene: &Scene<'_>) -> Line<'static> {
    let glyphs = scene.theme.glyphs;
    if scene.cluster.view().is_some() {
        Line::from(vec![
            scene.ink(format!("{} ", glyphs.good), Tone::Good),
            scene.ink("nothing needs attention", Tone::Muted),
        ])
    } else {
        Line::from(scene.ink("nothing is known of the cluster yet", Tone::Muted))
    }
}
