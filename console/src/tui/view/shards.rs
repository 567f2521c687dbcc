//! Screen 2: the placement matrix, shard by node, the shards most at risk first.

pub(super) mod detail;
mod matrix;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};

use super::{Breakpoint, Scene, plan};

/// ```text
/// matrix │ chosen shard (from Normal)
/// what the controller does, while it does something
/// ```
pub(super) fn render(scene: &Scene<'_>, frame: &mut Frame<'_>, area: Rect) {
    let plan = plan::wanted(scene).min(area.height / 3);
    let rows = [Constraint::Min(0), Constraint::Length(plan)];
    let [area, lower] = Layout::vertical(rows).areas(area);
    if plan > 0 {
        plan::render(scene, frame, lower);
    }
    if scene.room == Breakpoint::Small {
        matrix::render(scene, frame, area);
        return;
    }
    let side = match area.width {
        160.. => 60,
        120.. => 44,
        // The matrix needs its nodes more than the pane its words.
        _ => 34,
    };
    let columns = [Constraint::Min(0), Constraint::Length(side)];
    let [left, right] = Layout::horizontal(columns).areas(area);
    matrix::render(scene, frame, left);
    detail::pane(scene, frame, right);
}
