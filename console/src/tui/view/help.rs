//! Every key that works on this screen, from the one table; what is off says why.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::{Scene, popup};
use crate::tui::action::{BINDINGS, Binding, Guard};
use crate::tui::model::acts;
use crate::tui::number::cells;
use crate::tui::theme::{Theme, Tone};
use crate::tui::widget::panel::{self, Panel};

/// Draws the list over the body, scrolled by so many lines.
pub(super) fn render(scene: &Scene<'_>, frame: &mut Frame<'_>, body: Rect, scroll: u16) {
    let here = |guard| -> Vec<&'static Binding> {
        let works = |line: &&Binding| line.works_on(scene.model.screen) && line.guard == guard;
        BINDINGS.iter().filter(works).collect()
    };
    let (travels, others): (Vec<_>, Vec<_>) =
        here(Guard::Free).into_iter().partition(|line| line.command.travels());
    let free: Vec<Line<'static>> =
        others.into_iter().map(|line| entry(scene, line, None)).collect();
    let mut harmful = vec![super::facts::heading("Changes the cluster")];
    // What holds all of them is said once.
    let closed = acts::closed(scene.model);
    harmful.extend(closed.iter().map(|why| Line::from(scene.ink(format!(" {why}"), Tone::Warn))));
    for line in here(Guard::Locked) {
        let refusal = acts::refusal(scene.model, line.command);
        let off = refusal.is_some();
        harmful.push(entry(scene, line, Some(off)));
        if let Some(why) = refusal.filter(|_| closed.is_none()) {
            harmful.push(Line::from(scene.ink(format!("          {why}"), Tone::Muted)));
        }
    }
    harmful.extend(ladder(scene));
    harmful.push(super::facts::heading("The past: an hour, or a recording"));
    harmful.extend(travels.into_iter().map(|line| entry(scene, line, None)));
    let wide = body.width >= 116 && cells(free.len().max(harmful.len())) + 2 <= body.height;
    let height = if wide { free.len().max(harmful.len()) } else { free.len() + harmful.len() + 1 };
    let height = cells(height).saturating_add(2).min(body.height);
    let at = popup(scene, frame, body, if wide { 112 } else { 72 }, height);
    let title = format!("Keys on {}", scene.model.screen.name());
    let note = if wide { "any key closes" } else { "j k scroll, any other key closes" };
    let frame_of = Panel { title: &title, note: note.into(), alarm: false };
    let inner = panel::render(frame, at, &frame_of, scene.theme);
    if wide {
        let [left, right] = Layout::horizontal([Constraint::Fill(1); 2]).areas(inner);
        frame.render_widget(Paragraph::new(free).scroll((scroll, 0)), left);
        frame.render_widget(Paragraph::new(harmful).scroll((scroll, 0)), right);
    } else {
        harmful.push(Line::default());
        harmful.extend(free);
        let most = cells(harmful.len()).saturating_sub(inner.height);
        frame.render_widget(Paragraph::new(harmful).scroll((scroll.min(most), 0)), inner);
    }
}

/// `off`: whether a harmful action is refused now.
fn entry(scene: &Scene<'_>, line: &Binding, off: Option<bool>) -> Line<'static> {
    let (key, text) = match off {
        Some(true) => (scene.theme.off(), scene.theme.off()),
        Some(false) => (scene.theme.tone(Tone::Warn), scene.theme.tone(Tone::Plain)),
        None => (Theme::title(), scene.theme.tone(Tone::Plain)),
    };
    let label = scene.model.keys.label(line);
    Line::from(vec![
        Span::raw(" "),
        Span::styled(label.clone(), key),
        Span::raw(" ".repeat(9usize.saturating_sub(label.len()))),
        Span::styled(line.help, text),
    ])
}

fn ladder(scene: &Scene<'_>) -> [Line<'static>; 4] {
    let muted = |text: &str| Line::from(scene.ink(text.to_owned(), Tone::Muted));
    [
        super::facts::heading("Before anything is done the agents say what it would do"),
        muted(" nothing lost      y"),
        muted(" something at risk the name"),
        muted(" something breaks  OVERRIDE and the name"),
    ]
}
