//! The shards with most operations a second.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use evenkeel_shared::view::ShardView;

use super::Scene;
use crate::tui::format;
use crate::tui::theme::Tone;
use crate::tui::widget::gauge::{self, Gauge};
use crate::tui::widget::panel::{self, Panel};

/// ```text
/// s17 ██████████··  3.1k  n1
/// ```
pub(super) fn render(scene: &Scene<'_>, frame: &mut Frame<'_>, area: Rect) {
    let frame_of = Panel { title: "Hot shards", ..Panel::default() };
    let inner = panel::render(frame, area, &frame_of, scene.theme);
    let Some(view) = scene.cluster.view() else { return };
    let known = view.shards.iter().filter_map(|shard| Some((shard, shard.ops_s?)));
    let mut shards: Vec<(&ShardView, f64)> = known.filter(|(_, ops)| *ops > 0.0).collect();
    shards.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.id.cmp(&b.0.id)));
    shards.truncate(usize::from(inner.height));
    let full = shards.first().map_or(1.0, |(_, ops)| *ops);
    let width = inner.width.saturating_sub(22).clamp(4, 40);
    let mut lines: Vec<Line<'static>> = Vec::new();
    for (shard, ops) in shards {
        let mut spans = vec![Span::raw(format!("{:<6}", shard.id.to_string()))];
        let bar = Gauge { value: Some(ops), full, mark: None, width };
        spans.extend(gauge::render(&bar, Tone::Info, scene.theme));
        spans.push(Span::raw(format!(" {:>6} ", format::rate(ops))));
        let leader = shard.leader.map_or_else(|| "?".into(), |id| scene.cluster.name(id));
        spans.push(scene.ink(leader, Tone::Muted));
        lines.push(Line::from(spans));
    }
    if lines.is_empty() {
        lines.push(Line::from(scene.ink("no operations", Tone::Muted)));
    }
    frame.render_widget(Paragraph::new(lines), inner);
}
