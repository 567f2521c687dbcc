//! Screen 1: every node with its verdict, what needs attention, and what the chosen node is like.

pub(super) mod detail;
mod table;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};

use super::{Breakpoint, Scene, attention, charts, hot};
use crate::tui::number::cells;

/// ```text
/// Normal: nodes            Small: attention strip
///         attention │ node        nodes
///         ops │ p99 │ events      ops │ p99
///                                 events
/// ```
pub(super) fn render(scene: &Scene<'_>, frame: &mut Frame<'_>, area: Rect) {
    if scene.room == Breakpoint::Small {
        small(scene, frame, area);
    } else {
        normal(scene, frame, area);
    }
}

/// Rows that the table wants: one a node, its head and frame.
fn wanted(scene: &Scene<'_>) -> u16 {
    cells(scene.cluster.node_ids().len()).max(1).saturating_add(3)
}

fn small(scene: &Scene<'_>, frame: &mut Frame<'_>, area: Rect) {
    let strip = cells(attention::all(scene).len()).clamp(1, 2);
    let list = wanted(scene).min(area.height.saturating_sub(strip));
    let rest = area.height.saturating_sub(strip + list);
    let chart = if rest >= 8 { 5 } else { rest.min(5) };
    let rows = [strip, list, chart].map(Constraint::Length);
    let [strip, list, chart, events] =
        Layout::vertical(rows.into_iter().chain([Constraint::Min(0)])).areas(area);
    attention::strip(scene, frame, strip);
    table::render(scene, frame, list);
    if chart.height >= 3 {
        let [left, right] = Layout::horizontal([Constraint::Fill(1); 2]).areas(chart);
        charts::operations(scene, frame, left);
        charts::latency(scene, frame, right);
    }
    if events.height >= 3 {
        attention::newest(scene, frame, events);
    }
}

fn normal(scene: &Scene<'_>, frame: &mut Frame<'_>, area: Rect) {
    let list = wanted(scene).min(area.height.saturating_sub(16).max(8));
    let chart = if area.height > 40 { 12 } else { 9 };
    let rows = [Constraint::Length(list), Constraint::Min(0), Constraint::Length(chart)];
    let [list, middle, bottom] = Layout::vertical(rows).areas(area);
    table::render(scene, frame, list);
    if scene.room == Breakpoint::Wide {
        let [left, centre, right] = Layout::horizontal([Constraint::Fill(1); 3]).areas(middle);
        attention::pane(scene, frame, left);
        detail::pane(scene, frame, centre);
        attention::newest(scene, frame, right);
    } else {
        let [left, right] = Layout::horizontal([Constraint::Fill(1); 2]).areas(middle);
        let found = attention::rows(scene, left.width) + 2;
        let halves = [Constraint::Length(found), Constraint::Min(3)];
        let [upper, lower] = Layout::vertical(halves).areas(left);
        attention::pane(scene, frame, upper);
        attention::newest(scene, frame, lower);
        detail::pane(scene, frame, right);
    }
    let [ops, p99, hot] = Layout::horizontal([Constraint::Fill(1); 3]).areas(bottom);
    charts::operations(scene, frame, ops);
    charts::latency(scene, frame, p99);
    hot::render(scene, frame, hot);
}
