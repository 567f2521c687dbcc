//! Screen 2: the placement matrix, shard by node, the shards most at risk first.

pub(super) mod detail;
mod matrix;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};

use super::{Breakpoint, Scene, plan};

/// Columns from which the chosen shard has room beside the matrix.
const BESIDE_MIN: u16 = 116;

/// ```text
/// matrix │ chosen shard (from 116 columns)
/// what the controller does, while it does something
/// ```
pub(super) fn render(scene: &Scene<'_>, frame: &mut Frame<'_>, area: Rect) {
    let plan = plan::wanted(scene).min(area.height / 3);
    let rows = [Constraint::Min(0), Constraint::Length(plan)];
    let [area, lower] = Layout::vertical(rows).areas(area);
    if plan > 0 {
        plan::render(scene, frame, lower);
    }
    // A matrix without some of its nodes says less than one without the pane beside it.
    if scene.room == Breakpoint::Small || area.width < BESIDE_MIN {
        matrix::render(scene, frame, area);
        return;
    }
    let side = if scene.room == Breakpoint::Wide { 60 } else { 44 };
    let columns = [Constraint::Min(0), Constraint::Length(side)];
    let [left, right] = Layout::horizontal(columns).areas(area);
    matrix::render(scene, frame, left);
    detail::pane(scene, frame, right);
}
