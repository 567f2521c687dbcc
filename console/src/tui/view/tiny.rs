//! Below 60x16: one line on the cluster's health, and what would be needed to show more.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::Scene;
use crate::tui::theme::Tone;

/// Draws as much as there is room for.
pub(super) fn render(scene: &Scene<'_>, frame: &mut Frame<'_>, area: Rect) {
    let health = match scene.cluster.view() {
        Some(view) if !scene.cluster.is_stale(scene.now) => {
            let (glyph, tone) = scene.theme.glyphs.health(view.health);
            let counts = &view.counts;
            let nodes = format!("{}/{} nodes", counts.nodes_up, counts.nodes_total);
            scene.ink(format!("{glyph} {} {nodes}", view.health), tone)
        }
        Some(view) => scene.ink(format!("? was {}", view.health), Tone::Muted),
        None => scene.ink("? not connected", Tone::Muted),
    };
    let size = format!("have {}x{}, want 60x16", area.width, area.height);
    for (row, line) in
        [Line::from(health), Line::from(scene.ink(size, Tone::Muted))].into_iter().enumerate()
    {
        let y = area.y.saturating_add(crate::tui::number::cells(row));
        frame.render_widget(line, Rect { y, height: 1, ..area }.intersection(area));
    }
}
