//! The palette: what was found, the best first, and why some of it can't be done now.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use tui_input::Input;

use super::{Scene, popup};
use crate::tui::action::Guard;
use crate::tui::model::palette::{self, Entry, Found};
use crate::tui::number::cells;
use crate::tui::theme::{Theme, Tone};
use crate::tui::widget::panel::{self, Panel};
use crate::tui::widget::table::window;

/// Draws it over the body.
pub(super) fn render(
    scene: &Scene<'_>,
    frame: &mut Frame<'_>,
    body: Rect,
    (input, chosen): (&Input, usize),
) {
    let found = palette::found(scene.model, input.value());
    let height = cells(found.len()).saturating_add(4).clamp(5, 20);
    let at = popup(scene, frame, body, 76, height);
    let note = match found.len() {
        palette::ENTRIES_MAX => format!("the first {}", palette::ENTRIES_MAX),
        count => format!("{count} found"),
    };
    let frame_of = Panel { title: "Find", note, alarm: false };
    let inner = panel::render(frame, at, &frame_of, scene.theme);
    let mut lines = vec![Line::from(vec![
        scene.ink(": ", Tone::Accent),
        Span::raw(input.value().to_owned()),
        scene.ink(scene.theme.glyphs.caret, Tone::Accent),
        scene.ink("   Enter does it, Esc leaves it", Tone::Muted),
    ])];
    let rows = inner.height.saturating_sub(1);
    for index in window(found.len(), Some(chosen), rows) {
        lines.push(line(scene, &found[index], index == chosen));
    }
    if found.is_empty() {
        lines.push(Line::from(scene.ink("nothing has these letters", Tone::Muted)));
    }
    frame.render_widget(Paragraph::new(lines), inner);
}

fn line(scene: &Scene<'_>, found: &Found, chosen: bool) -> Line<'static> {
    let cursor = if chosen { scene.theme.glyphs.cursor } else { " " };
    let (key, harmful) = match found.entry {
        Entry::Key(line) | Entry::OnNode(line, _) | Entry::OnShard(line, _) => {
            (scene.model.keys.label(line), line.guard == Guard::Locked)
        }
        Entry::Node(_) | Entry::Shard(_) => ("".into(), false),
    };
    let style = match (&found.refusal, harmful) {
        (Some(_), _) => scene.theme.off(),
        (None, true) => scene.theme.tone(Tone::Warn),
        (None, false) => Theme::title(),
    };
    let about = found.refusal.clone().unwrap_or_else(|| found.about.clone());
    let line = Line::from(vec![
        scene.ink(format!("{cursor} "), Tone::Accent),
        Span::styled(format!("{:<16}", found.name), style),
        scene.ink(format!("{key:<7}"), Tone::Accent),
        scene.ink(about, Tone::Muted),
    ]);
    if chosen { line.patch_style(scene.theme.selected()) } else { line }
}
