//! Changes that are only thought of: each node now and then, and what it would cost.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use evenkeel_shared::ids::ShardId;
use evenkeel_shared::what_if::{NodeOutlook, WhatIf};

use super::{Scene, popup};
use crate::tui::format;
use crate::tui::model::what_if::{Thought, WhatIfForm, nodes};
use crate::tui::number::cells;
use crate::tui::theme::{Theme, Tone};
use crate::tui::widget::panel::{self, Panel};
use crate::tui::widget::table::window;

const WIDTH: u16 = 78;
/// Lines beside the nodes: head, sums, keys.
const BESIDE: u16 = 8;
/// Shards that are named before the rest is counted.
const SHARDS_NAMED: usize = 6;

/// ```text
/// ╭ What if ───────────────────────────────────────────────────────────────╮
/// │   node zone thought   copies now then     leads now then               │
/// │ ▸ n2   b    drained         10   → 0            4   → 0                │
/// │ 10 copies built elsewhere, about 31 MB, 4 leaderships moved            │
/// ╰────────────────────────────────────────────────────────────────────────╯
/// ```
pub(super) fn render(scene: &Scene<'_>, frame: &mut Frame<'_>, body: Rect, form: &WhatIfForm) {
    let head =
        format!("  {:<10} {:<6} {:<9} {:>16} {:>18}", "node", "zone", "thought", "copies", "leads");
    let mut lines = vec![Line::from(scene.ink(head, Tone::Muted))];
    let told = form.answer().and_then(|told| told.as_ref().ok());
    let ids = nodes(scene.model);
    let room = body.height.saturating_sub(BESIDE + cells(form.added.len())).max(1);
    for index in window(ids.len(), Some(form.row), room) {
        let id = ids[index];
        let outlook = told.and_then(|told| told.nodes.iter().find(|node| node.node == Some(id)));
        let zone = scene.model.live.node(id).map(|node| node.zone.clone()).unwrap_or_default();
        let (word, tone) = match form.thoughts.get(&id) {
            None => ("", Tone::Plain),
            Some(Thought::Drain) => ("drained", Tone::Warn),
            Some(Thought::Lose) => ("gone", Tone::Bad),
        };
        let cursor = if index == form.row { scene.theme.glyphs.cursor } else { " " };
        let name = (cursor, scene.model.live.name(id), zone);
        lines.push(node(scene, &name, (word, tone), outlook));
    }
    let mut added = told.map_or(&[][..], |told| &told.nodes).iter().filter(|n| n.node.is_none());
    for (nth, zone) in form.added.iter().enumerate() {
        let name = (" ", format!("new{}", nth + 1), zone.clone());
        lines.push(node(scene, &name, ("added", Tone::Good), added.next()));
    }
    lines.push(Line::default());
    sums(scene, form, &mut lines);
    let keys = "Space drained or gone, z its zone, + - nodes there, 0 none, D drains it";
    lines.push(Line::from(scene.ink(keys, Tone::Accent)));
    let at = popup(scene, frame, body, WIDTH, cells(lines.len()).saturating_add(2));
    let note = told.map_or_else(String::new, |told| format!("revision {}", told.revision));
    let frame_of = Panel { title: "What if", note, alarm: told.is_some_and(is_alarming) };
    let inner = panel::render(frame, at, &frame_of, scene.theme);
    frame.render_widget(Paragraph::new(lines), inner);
}

fn is_alarming(told: &WhatIf) -> bool {
    !told.quorum_lost.is_empty()
}

fn node(
    scene: &Scene<'_>,
    (cursor, name, zone): &(&str, String, String),
    (word, tone): (&'static str, Tone),
    outlook: Option<&NodeOutlook>,
) -> Line<'static> {
    let arrow = if scene.theme.glyphs.is_ascii { "to" } else { "→" };
    let change = |(now, then): (u32, u32), wide: usize| {
        let tone = if now == then { Tone::Muted } else { Tone::Plain };
        let text = if now == then { now.to_string() } else { format!("{now} {arrow} {then}") };
        scene.ink(format!("{text:>wide$}"), tone)
    };
    let unknown =
        |wide: usize| scene.ink(format!("{:>wide$}", scene.theme.glyphs.none), Tone::Muted);
    let copies = outlook.map_or_else(|| unknown(16), |node| change(node.copies, 16));
    let leads = outlook.map_or_else(|| unknown(18), |node| change(node.leads, 18));
    Line::from(vec![
        scene.ink(format!("{cursor} "), Tone::Accent),
        Span::raw(format!("{name:<10} ")),
        scene.ink(format!("{zone:<6} "), Tone::Muted),
        scene.ink(format!("{word:<9} "), tone),
        copies,
        Span::raw(" "),
        leads,
    ])
}

fn sums(scene: &Scene<'_>, form: &WhatIfForm, lines: &mut Vec<Line<'static>>) {
    let told = match form.answer() {
        None => {
            let text =
                format!("asking the agents what would come of it{}", scene.theme.glyphs.more);
            lines.push(Line::from(scene.ink(text, Tone::Info)));
            return;
        }
        Some(Err(why)) => {
            lines.push(Line::from(scene.ink(format!("no answer: {why}"), Tone::Bad)));
            return;
        }
        Some(Ok(told)) => told,
    };
    let text = format!(
        "{} copies built elsewhere, about {}, {} leaderships moved, in {} steps",
        told.copies_moved,
        format::bytes(told.bytes),
        told.leaders_moved,
        told.steps
    );
    lines.push(Line::styled(text, Theme::title()));
    let names = |shards: &[ShardId]| -> String {
        let names: Vec<String> = shards.iter().map(ToString::to_string).collect();
        format::some_of(&names, SHARDS_NAMED)
    };
    if is_alarming(told) {
        let glyph = scene.theme.glyphs.bad;
        let count = format::plural(told.quorum_lost.len(), "shard");
        let text =
            format!("{glyph} {count} without a majority at once: {}", names(&told.quorum_lost));
        lines.push(Line::from(scene.ink(text, Tone::Bad)));
    }
    if let Some((_, why)) = told.short.first() {
        let glyph = scene.theme.glyphs.warn;
        let short: Vec<ShardId> = told.short.iter().map(|(shard, _)| *shard).collect();
        let count = format::plural(short.len(), "shard");
        let text = format!("{glyph} {count} short of copies in the end: {}: {why}", names(&short));
        lines.push(Line::from(scene.ink(text, Tone::Warn)));
    }
    for note in &told.notes {
        lines.push(Line::from(scene.ink(note.clone(), Tone::Muted)));
    }
}
