//! What is different between the marked moment and the one that is shown.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Paragraph;

use super::{Scene, popup};
use crate::tui::format;
use crate::tui::model::changes;
use crate::tui::number::cells;
use crate::tui::theme::Tone;
use crate::tui::widget::panel::{self, Panel};

/// Draws the list over the body, scrolled by so many lines.
pub(super) fn render(scene: &Scene<'_>, frame: &mut Frame<'_>, body: Rect, scroll: u16) {
    let model = scene.model;
    let Some(mark) = model.mark else { return };
    let (from, to) = (mark.min(scene.now), mark.max(scene.now));
    let marked = model.history.place(mark);
    let marked = marked.and_then(|place| model.history.cluster(place, &model.live.journal));
    let mut lines: Vec<Line<'static>> = match &marked {
        Some(marked) => {
            let (before, after) =
                if mark <= scene.now { (marked, scene.cluster) } else { (scene.cluster, marked) };
            let found = changes::between(before, after, (from, to));
            found.into_iter().map(|found| Line::from(scene.ink(found.text, found.tone))).collect()
        }
        None => vec![Line::from(scene.ink("the marked moment is forgotten", Tone::Warn))],
    };
    if lines.len() == 1 {
        lines.insert(0, Line::from(scene.ink("no node and no shard has changed", Tone::Good)));
    }
    let height = cells(lines.len()).saturating_add(2).min(body.height);
    let at = popup(scene, frame, body, 76, height);
    let time = |at| format::time(at, &model.zone);
    let title = format!("Changed from {} to {}", time(from), time(to));
    let frame_of = Panel { title: &title, note: "any key closes".into(), alarm: false };
    let inner = panel::render(frame, at, &frame_of, scene.theme);
    let most = cells(lines.len()).saturating_sub(inner.height);
    frame.render_widget(Paragraph::new(lines).scroll((scroll.min(most), 0)), inner);
}
