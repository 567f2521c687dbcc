//! Screen 5: the catalogue, what a restore of the chosen backup would put back, and restores
//! under way.

mod catalogue;
pub(super) mod detail;
mod intents;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};

use super::{Breakpoint, Scene};

/// ```text
/// catalogue │ chosen backup      (one above the other when Small)
/// restores under way
/// ```
pub(super) fn render(scene: &Scene<'_>, frame: &mut Frame<'_>, area: Rect) {
    let under_way = intents::wanted(scene).min(area.height / 2);
    let rows = [Constraint::Min(0), Constraint::Length(under_way)];
    let [upper, lower] = Layout::vertical(rows).areas(area);
    if scene.room == Breakpoint::Small {
        let rows = [Constraint::Min(5), Constraint::Length(9.min(upper.height / 2))];
        let [list, chosen] = Layout::vertical(rows).areas(upper);
        catalogue::render(scene, frame, list);
        detail::pane(scene, frame, chosen);
    } else {
        let columns = [Constraint::Fill(3), Constraint::Fill(2)];
        let [list, chosen] = Layout::horizontal(columns).areas(upper);
        catalogue::render(scene, frame, list);
        detail::pane(scene, frame, chosen);
    }
    if under_way > 0 {
        intents::render(scene, frame, lower);
    }
}
