//! What an audience sees above every screen: the figure that matters now, large, and what happened.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};
use tui_big_text::{BigText, PixelSize};

use super::Scene;
use crate::tui::format;
use crate::tui::model::failovers::{Incident, incidents};
use crate::tui::model::presenting::{Caption, Headline, captions, headline};
use crate::tui::theme::{Theme, Tone};
use crate::tui::widget::panel::{self, Panel};

/// Rows of the pane.
const ROWS: u16 = 8;
/// Rows that the screen itself needs.
const BELOW_MIN: u16 = 12;
/// Columns of a large character.
const COLUMNS: usize = 4;
/// Rows of the large figure.
const FIGURE_ROWS: u16 = 4;
/// How long something new stands out.
const NEW_MS: u64 = 5_000;

/// ```text
/// ┌ Presenting ────────────────────────────────────────────────────────────┐
/// │ ▄▄▄▄  ▄▄▄   (the figure, large)    08:14:02  n3 is DOWN: connection …  │
/// │ █  █    █                          08:14:02  6 shards have another …   │
/// │ what it is                         08:13:59  ann kills n3              │
/// └────────────────────────────────────────────────────────────────────────┘
/// ```
///
/// Returns what is left of the area.
pub(super) fn above(scene: &Scene<'_>, frame: &mut Frame<'_>, area: Rect) -> Rect {
    // Where there is no room for both, the screen itself comes first.
    if !scene.model.present || area.height < ROWS + BELOW_MIN {
        return area;
    }
    let rows = [Constraint::Length(ROWS), Constraint::Min(0)];
    let [top, rest] = Layout::vertical(rows).areas(area);
    let frame_of = Panel { title: "Presenting", note: "^p ends it".to_owned(), alarm: false };
    let inner = panel::render(frame, top, &frame_of, scene.theme);
    let [left, right] =
        Layout::horizontal([Constraint::Fill(2), Constraint::Fill(3)]).spacing(2).areas(inner);
    // The journal is read through for it: once a frame is enough.
    let found = incidents(&scene.cluster.journal);
    figure(scene, frame, left, &found);
    told(scene, frame, right, &found);
    rest
}

fn figure(scene: &Scene<'_>, frame: &mut Frame<'_>, area: Rect, found: &[Incident]) {
    let Headline { figure, caption, tone } = headline(scene.model, found);
    let style = scene.theme.tone(tone).add_modifier(Modifier::BOLD);
    let is_large = usize::from(area.width) >= figure.chars().count() * COLUMNS
        && area.height > FIGURE_ROWS
        && !scene.theme.glyphs.is_ascii;
    let rows = if is_large { FIGURE_ROWS } else { 1 };
    let [top, below] = Layout::vertical([Constraint::Length(rows), Constraint::Min(0)]).areas(area);
    if is_large {
        let line = Line::from(figure);
        let large =
            BigText::builder().pixel_size(PixelSize::Quadrant).style(style).lines([line]).build();
        frame.render_widget(large, top);
    } else {
        frame.render_widget(Line::styled(figure, style), top);
    }
    let caption = Paragraph::new(scene.ink(caption, Tone::Plain)).wrap(Wrap { trim: true });
    frame.render_widget(caption, below);
}

fn told(scene: &Scene<'_>, frame: &mut Frame<'_>, area: Rect, found: &[Incident]) {
    let mut room = area;
    for caption in captions(scene.model, found, usize::from(area.height)) {
        let line = line(scene, &caption);
        // The newest may take two lines, so that its reason is read.
        let is_long = line.width() > usize::from(area.width);
        let rows = if is_long { 2 } else { 1 }.min(room.height);
        let [here, below] =
            Layout::vertical([Constraint::Length(rows), Constraint::Min(0)]).areas(room);
        frame.render_widget(Paragraph::new(line).wrap(Wrap { trim: true }), here);
        room = below;
        if room.height == 0 {
            return;
        }
    }
}

fn line(scene: &Scene<'_>, caption: &Caption) -> Line<'static> {
    let is_new = scene.now.saturating_sub(caption.unix_ms) < NEW_MS;
    let (glyph, tone) = scene.theme.glyphs.severity(caption.severity);
    let style = if is_new { Theme::title() } else { Style::default() };
    Line::from(vec![
        scene.ink(format::time(caption.unix_ms, &scene.model.zone), Tone::Muted),
        Span::raw(" "),
        scene.ink(glyph, tone),
        Span::raw(" "),
        Span::styled(caption.text.clone(), style),
    ])
}

/// What has just changed stands out before an audience.
pub(super) fn flash(scene: &Scene<'_>, since_unix_ms: u64) -> Style {
    let is_new = scene.now.saturating_sub(since_unix_ms) < NEW_MS;
    if scene.model.present && is_new { Theme::current() } else { Style::default() }
}
