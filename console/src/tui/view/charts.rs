//! Operations a second and write latency of the whole cluster over time.

use ratatui::Frame;
use ratatui::layout::Rect;

use super::Scene;
use crate::tui::format;
use crate::tui::number;
use crate::tui::theme::Tone;
use crate::tui::widget::area_chart::{self, AreaChart};
use crate::tui::widget::panel::{self, Panel};

/// Operations a second.
pub(super) fn operations(scene: &Scene<'_>, frame: &mut Frame<'_>, area: Rect) {
    let ring = &scene.cluster.ops;
    let chart = AreaChart { samples: &ring.to_vec(), label: format::rate, tone: Tone::Info };
    draw(scene, frame, area, ("ops/s", ring.last().map(format::rate)), &chart);
}

/// The slowest node's 99th percentile of writes.
pub(super) fn latency(scene: &Scene<'_>, frame: &mut Frame<'_>, area: Rect) {
    let ring = &scene.cluster.p99;
    let chart = AreaChart { samples: &ring.to_vec(), label: millis, tone: Tone::Accent };
    draw(scene, frame, area, ("write p99", ring.last().map(millis)), &chart);
}

fn draw(
    scene: &Scene<'_>,
    frame: &mut Frame<'_>,
    area: Rect,
    (title, now): (&str, Option<String>),
    chart: &AreaChart<'_>,
) {
    let now = now.unwrap_or_else(|| "?".into());
    let window = usize::from(area.width.saturating_sub(10));
    let shown = chart.samples.len().min(window).max(1);
    let span = format::short_age(number::round_seconds(shown));
    let title = format!("{title} {now}");
    let note = if area.width >= 34 { format!("last {span}") } else { String::new() };
    let frame_of = Panel { title: &title, note, alarm: false };
    let inner = panel::render(frame, area, &frame_of, scene.theme);
    area_chart::render(frame, inner, chart, scene.theme);
}

/// Microseconds as a label.
fn millis(micros: f64) -> String {
    format::micros(number::count(micros))
}
