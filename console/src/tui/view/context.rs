//! The line above the keys: what was just done or is being written, else whose view this is.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::fit::{self, part};
use super::{Scene, scrubber};
use crate::tui::action::Screen;
use crate::tui::format;
use crate::tui::model::Status;
use crate::tui::model::following::{Followed, Progress};
use crate::tui::model::layer::Layer;
use crate::tui::model::rows;
use crate::tui::theme::Tone;

/// How long an answer stands before the line tells how the act goes on.
const READ_MS: u64 = 1_500;

/// Draws the line.
pub(super) fn render(scene: &Scene<'_>, frame: &mut Frame<'_>, area: Rect) {
    if scene.model.held.as_ref().is_some_and(|held| held.travel.is_some())
        && scene.model.status.is_none()
        && scene.model.layers.iter().all(|layer| matches!(layer, Layer::Detail))
    {
        scrubber::render(scene, frame, area);
        return;
    }
    let mut line = Line::from(Span::raw(" "));
    line.spans.extend(spans(scene, area.width.saturating_sub(2)));
    frame.render_widget(line, area);
}

fn spans(scene: &Scene<'_>, width: u16) -> Vec<Span<'static>> {
    let model = scene.model;
    let glyphs = scene.theme.glyphs;
    if let Some(Layer::Filter { input, .. }) = model.layers.last() {
        let before: String = input.value().chars().take(input.cursor()).collect();
        let after: String = input.value().chars().skip(input.cursor()).collect();
        let found = count(scene);
        let hint = format!("   {found} found   Enter keeps, Esc drops");
        // The end that is being written stays in sight.
        let room = usize::from(width).saturating_sub(hint.len() + 12).max(8);
        let skip = before.chars().count().saturating_sub(room);
        let before: String = before.chars().skip(skip).collect();
        return vec![
            scene.ink("filter / ", Tone::Accent),
            Span::raw(before),
            scene.ink(glyphs.caret, Tone::Accent),
            Span::raw(after),
            scene.ink(hint, Tone::Muted),
        ];
    }
    if let Some(Layer::GoTo { input, hint }) = model.layers.last() {
        let hint = hint.clone().unwrap_or_else(|| "14:02:10, -90s, -5m: Enter goes there".into());
        return vec![
            scene.ink("time @ ", Tone::Accent),
            Span::raw(input.value().to_owned()),
            scene.ink(glyphs.caret, Tone::Accent),
            scene.ink(format!("   {hint}"), Tone::Muted),
        ];
    }
    if let Some(Layer::Save { input, hint }) = model.layers.last() {
        let hint =
            hint.clone().unwrap_or_else(|| "Enter writes it, to be looked at with --replay".into());
        return vec![
            scene.ink("save ", Tone::Accent),
            Span::raw(input.value().to_owned()),
            scene.ink(glyphs.caret, Tone::Accent),
            scene.ink(format!("   {hint}"), Tone::Muted),
        ];
    }
    let told = model.followed.last().filter(|_| model.held.is_none());
    let told = told.map(|followed| going_on(scene, followed));
    // What was answered is read, and then how it goes on.
    let is_read = |status: &Status| {
        status.tone == Tone::Good && model.now.saturating_sub(status.at) >= READ_MS
    };
    if let Some(status) = model.status.as_ref().filter(|s| told.is_none() || !is_read(s)) {
        let glyph = match status.tone {
            Tone::Good => glyphs.done,
            Tone::Bad => glyphs.bad,
            Tone::Warn => glyphs.warn,
            _ => glyphs.dot,
        };
        return vec![scene.ink(format!("{glyph} {}", status.text), status.tone)];
    }
    if let Some(told) = told {
        return told;
    }
    if let Some(pending) = model.pending.last() {
        let age = format::age(model.now.saturating_sub(pending.since));
        let more = glyphs.more;
        return vec![
            scene.ink(format!("{} {}{more} {age}", glyphs.half, pending.what), Tone::Info),
        ];
    }
    fit::line(about(scene), width).spans
}

/// How far an act is: `◐ drain n3: 5/8 copies given away, left s4 s7 s9, 12.0 s`.
pub(super) fn going_on(scene: &Scene<'_>, followed: &Followed) -> Vec<Span<'static>> {
    let progress = followed.progress(&scene.model.live);
    let left: Vec<String> = progress.left.iter().map(ToString::to_string).collect();
    let age = format::age(scene.model.now.saturating_sub(followed.since));
    let Progress { done, of, words, .. } = progress;
    vec![
        scene.ink(format!("{} {}: ", scene.theme.glyphs.half, followed.what), Tone::Info),
        Span::raw(format!("{done}/{of} {words}")),
        scene.ink(format!(", left {}, {age}", format::some_of(&left, 4)), Tone::Muted),
    ]
}

/// Rows that the filter lets through.
fn count(scene: &Scene<'_>) -> usize {
    match scene.model.screen {
        Screen::Nodes | Screen::Load => rows::nodes(scene.model, scene.model.screen).len(),
        Screen::Shards => rows::shards(scene.model).len(),
        Screen::Failover => rows::failovers(scene.model).len(),
        Screen::Backups => rows::backups(scene.model).len(),
        Screen::Events => rows::events(scene.model).len(),
    }
}

fn about(scene: &Scene<'_>) -> Vec<fit::Part> {
    let muted = |text: String| scene.ink(text, Tone::Muted);
    let mut parts = Vec::new();
    let filter = scene.model.filter(scene.model.screen);
    if !filter.is_empty() {
        let found = count(scene);
        parts.push(part(0, [scene.ink(format!("filter {filter} ({found} found)"), Tone::Accent)]));
    }
    let sorts = rows::sorts(scene.model.screen);
    if let Some(sort) = sorts.get(scene.model.sort(scene.model.screen)).filter(|s| !s.is_empty()) {
        parts.push(part(1, [muted(format!("sorted by {sort}"))]));
    }
    if let Some(view) = scene.cluster.view() {
        let observer = scene.cluster.name(view.observer);
        parts.push(part(2, [muted(format!("as {observer} sees it"))]));
        parts.push(part(3, [muted(format!("revision {}", view.revision))]));
    }
    let links = scene.cluster.links.values();
    let open = links.filter(|link| link.state == crate::tui::LinkState::Connected).count();
    let all = scene.cluster.links.len();
    if all > 0 {
        let tone = if open == all { Tone::Muted } else { Tone::Warn };
        parts.push(part(4, [scene.ink(format!("{open}/{all} agents connected"), tone)]));
    }
    parts
}
