//! A framed pane with a title at the left and a note at the right.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Block;

use crate::tui::theme::{Theme, Tone};

/// What stands in the frame.
#[derive(Clone, Debug, Default)]
pub(crate) struct Panel<'a> {
    /// Left in the upper edge.
    pub(crate) title: &'a str,
    /// Right in the upper edge.
    pub(crate) note: String,
    /// Whether the frame is drawn as an alarm.
    pub(crate) alarm: bool,
}

/// ```text
/// ╭ title ─────────── note ╮
/// │ what is returned       │
/// ╰────────────────────────╯
/// ```
pub(crate) fn render(frame: &mut Frame<'_>, area: Rect, panel: &Panel<'_>, theme: &Theme) -> Rect {
    let line = if panel.alarm { theme.tone(Tone::Bad) } else { theme.line() };
    let mut block = Block::bordered().border_set(theme.glyphs.border).border_style(line);
    let title = format!(" {} ", panel.title);
    let room = usize::from(area.width.saturating_sub(4));
    let taken = Span::raw(title.as_str()).width();
    if !panel.title.is_empty() {
        block = block.title_top(Span::styled(title, Theme::title()));
    }
    let note = format!(" {} ", panel.note);
    if !panel.note.is_empty() && taken + Span::raw(note.as_str()).width() <= room {
        let note = Span::styled(note, theme.tone(Tone::Muted));
        block = block.title_top(Line::from(note).right_aligned());
    }
    let inner = block.inner(area);
    frame.render_widget(block, area);
    inner
}
