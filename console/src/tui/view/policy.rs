//! The recovery policy's form: what is done about trouble, and how far by itself.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::{Scene, popup};
use crate::tui::model::policy::{self, Draft, PolicyForm, PolicyStage};
use crate::tui::number::cells;
use crate::tui::theme::{Theme, Tone};
use crate::tui::widget::panel::{self, Panel};

/// With what each setting is about beside it.
const WIDE: u16 = 124;
const WIDTH: u16 = 78;
/// Lines below the settings.
const BELOW: u16 = 3;

/// ```text
/// ╭ Recovery policy ─────────────────────────────────────────── version 3 holds ╮
/// │   rules.down             ◂ advise ▸  was act   a node DOWN beyond the grace … │
/// │ ▸ rules.zone_lost        ◂ act ▸               so are all nodes of a zone     │
/// ╰──────────────────────────────────────────────────────────────────────────────╯
/// ```
pub(super) fn render(scene: &Scene<'_>, frame: &mut Frame<'_>, body: Rect, form: &PolicyForm) {
    let (mut lines, mut note) = (Vec::new(), String::new());
    match &form.stage {
        PolicyStage::Asking => {
            let text = format!("asking the agents what holds{}", scene.theme.glyphs.more);
            lines.push(Line::from(scene.ink(text, Tone::Info)));
        }
        PolicyStage::Failed(why) => {
            lines.push(Line::from(scene.ink(format!("no answer: {why}"), Tone::Bad)));
            lines.push(Line::from(scene.ink("any key leaves it", Tone::Accent)));
        }
        PolicyStage::Editing(draft) => {
            note = match draft.version() {
                0 => "the built-in one holds".to_owned(),
                version => format!("version {version} holds"),
            };
            let room = body.height.saturating_sub(2 + BELOW).max(1);
            let is_wide = body.width >= WIDE;
            lines = settings(scene, draft, (form.row, room.into()), is_wide);
            let all = draft.lines();
            let about = all.get(form.row).filter(|_| !is_wide);
            let about = about.map_or("", |line| policy::about(&line.key));
            lines.push(Line::from(scene.ink(format!("  {about}"), Tone::Muted)));
            let keys = "arrows choose and change, v takes an older version, Enter asks to set it";
            lines.push(Line::from(scene.ink(keys, Tone::Accent)));
            let hint = form.hint.clone().unwrap_or_default();
            lines.push(Line::from(scene.ink(hint, Tone::Warn)));
        }
    }
    let width = if body.width >= WIDE { WIDE } else { WIDTH };
    let at = popup(scene, frame, body, width, cells(lines.len()).saturating_add(2));
    let frame_of = Panel { title: "Recovery policy", note, alarm: false };
    let inner = panel::render(frame, at, &frame_of, scene.theme);
    frame.render_widget(Paragraph::new(lines), inner);
}

/// The settings, as many as there is room for; each says what it is about where that fits.
fn settings(
    scene: &Scene<'_>,
    draft: &Draft,
    (row, room): (usize, usize),
    is_wide: bool,
) -> Vec<Line<'static>> {
    let glyphs = scene.theme.glyphs;
    let all = draft.lines();
    let key_width = all.iter().map(|line| line.key.chars().count()).max().unwrap_or(0).min(32);
    let first = (row + 1).saturating_sub(room);
    let shown = all.into_iter().enumerate().skip(first).take(room);
    let drawn = shown.map(|(index, line)| {
        let chosen = index == row;
        let cursor = if chosen { glyphs.cursor } else { " " };
        let tone = if line.was.is_some() { Tone::Warn } else { Tone::Plain };
        let value =
            if chosen { format!("< {} >", line.value) } else { format!("  {}", line.value) };
        let mut value = scene.ink(format!("{value:<18}"), tone);
        if line.was.is_some() {
            value = value.patch_style(Theme::title());
        }
        let was = line.was.map(|was| format!("was {was}")).unwrap_or_default();
        Line::from(vec![
            scene.ink(format!("{cursor} "), Tone::Accent),
            Span::raw(format!("{:<key_width$}  ", line.key)),
            value,
            scene.ink(format!("{was:<14} "), Tone::Warn),
            scene.ink(if is_wide { policy::about(&line.key) } else { "" }, Tone::Muted),
        ])
    });
    drawn.collect()
}
