//! The line under a view of the past: which moment is shown, and what happened around it.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use evenkeel_shared::event::Severity;

use super::Scene;
use crate::tui::format;
use crate::tui::hits::Target;
use crate::tui::number::{cells, float, share};
use crate::tui::theme::{Theme, Tone};

/// ```text
///  ◂ 13:58:07 -4 m 04 s ×1 │13:50:00 ─────▲──✖●────┼────●── 14:02:11│ [ ] step { } event L live
/// ```
pub(super) fn render(scene: &Scene<'_>, frame: &mut Frame<'_>, area: Rect) {
    let model = scene.model;
    let Some((first, last)) = model.history.span() else { return };
    let Some(travel) = model.held.as_ref().and_then(|held| held.travel) else { return };
    let glyphs = scene.theme.glyphs;
    let end = if model.replay { last } else { model.now };
    let back = format::age(end.saturating_sub(scene.now));
    let [left, right] = glyphs.pages;
    let sign = if travel.playing { right } else { left };
    let here = format::time(scene.now, &model.zone);
    let mut line = Line::from(vec![
        Span::raw(" "),
        Span::styled(format!("{sign} {here}"), Theme::title()),
        scene.ink(format!(" -{back} x{} ", travel.speed), Tone::Muted),
    ]);
    let keys = " [ ] step  { } event  Space play  L live";
    let tail = format!("{}{}", format::time(last, &model.zone), glyphs.mark);
    let head = format!("{}{} ", glyphs.mark, format::time(first, &model.zone));
    let spent = line.width() + head.len() + tail.len() + 2;
    let wide = usize::from(area.width) >= spent + 20 + keys.len();
    let room = usize::from(area.width).saturating_sub(spent + if wide { keys.len() } else { 0 });
    line.push_span(scene.ink(head, Tone::Muted));
    let start = cells(line.width());
    line.spans.extend(track(scene, (first, last), room));
    line.push_span(scene.ink(format!(" {tail}"), Tone::Muted));
    if wide {
        line.push_span(scene.ink(keys, Tone::Muted));
    }
    frame.render_widget(line, area);
    for cell in 0..room {
        let at = Rect { x: area.x + start + cells(cell), width: 1, ..area };
        let moment = first + (last - first) * cell as u64 / room.max(1) as u64;
        scene.hits.note(at.intersection(area), Target::Moment(moment));
    }
}

/// The events by their weight, the mark, and where the screen is.
fn track(scene: &Scene<'_>, (first, last): (u64, u64), room: usize) -> Vec<Span<'static>> {
    let glyphs = scene.theme.glyphs;
    if room == 0 {
        return Vec::new();
    }
    let width = float((last - first).max(1));
    let most = u32::try_from(room - 1).unwrap_or(0);
    let place = |at: u64| share(float(at.saturating_sub(first)) / width, most) as usize;
    let mut worst: Vec<Option<Severity>> = vec![None; room];
    let lines = scene.model.live.journal.iter().map(|(key, event)| (key.unix_ms, event.severity));
    for (at, severity) in lines.filter(|(at, _)| (first..=last).contains(at)) {
        let cell = &mut worst[place(at)];
        *cell = (*cell).max(Some(severity));
    }
    let here = place(scene.now);
    let mark = scene.model.mark.map(place);
    let cell = |(index, severity): (usize, Option<Severity>)| {
        if index == here {
            return Span::styled(glyphs.caret_here, Theme::current());
        }
        if mark == Some(index) {
            return scene.ink("m", Tone::Accent);
        }
        match severity {
            None => Span::styled(glyphs.track, scene.theme.line()),
            Some(severity) => {
                let (glyph, tone) = glyphs.severity(severity);
                scene.ink(glyph, tone)
            }
        }
    };
    worst.into_iter().enumerate().map(cell).collect()
}
