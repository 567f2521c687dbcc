//! Screen 3: where the work is done, and how long the ways between the nodes are.

mod heat;
mod round_trips;
mod table;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};

use super::{Scene, charts, hot};
use crate::tui::number::cells;

/// ```text
/// ops/s │ write p99
/// nodes
/// shard by time
/// round trips │ hot shards
/// ```
pub(super) fn render(scene: &Scene<'_>, frame: &mut Frame<'_>, area: Rect) {
    if scene.model.zoomed {
        heat::render(scene, frame, area);
        return;
    }
    let nodes = cells(scene.cluster.node_ids().len()).max(1).saturating_add(3);
    let chart = if area.height >= 30 { 8 } else { 6 };
    let table = nodes.min(area.height.saturating_sub(chart) / 2 + 1).max(4);
    let left = area.height.saturating_sub(chart + table);
    let heat = if left >= 14 { left / 2 } else { 0 };
    let rows = [chart, table, heat].map(Constraint::Length);
    let rows = rows.into_iter().chain([Constraint::Min(0)]);
    let [top, middle, warm, bottom] = Layout::vertical(rows).areas(area);
    if heat > 0 {
        heat::render(scene, frame, warm);
    }
    let halves = || Layout::horizontal([Constraint::Fill(1); 2]);
    let [left, right] = halves().areas(top);
    charts::operations(scene, frame, left);
    charts::latency(scene, frame, right);
    table::render(scene, frame, middle);
    let [left, right] = halves().areas(bottom);
    if bottom.height >= 3 {
        round_trips::render(scene, frame, left);
        hot::render(scene, frame, right);
    }
}
