//! Drills: the choice with what one would do, and how the one goes that runs.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};

use super::{Breakpoint, Scene, popup};
use crate::tui::format;
use crate::tui::model::drill::{DrillDialog, DrillRun, DrillStage};
use crate::tui::number::cells;
use crate::tui::theme::{Theme, Tone};
use crate::tui::widget::panel::{self, Panel};

/// Draws the choice, or what the chosen one would do.
pub(super) fn choice(scene: &Scene<'_>, frame: &mut Frame<'_>, body: Rect, dialog: &DrillDialog) {
    let mut lines = Vec::new();
    let title = match &dialog.stage {
        DrillStage::Choosing(place) => {
            for (index, offer) in scene.model.drills.iter().enumerate() {
                let cursor = if index == *place { scene.theme.glyphs.cursor } else { " " };
                lines.push(Line::from(vec![
                    scene.ink(format!("{cursor} "), Tone::Accent),
                    Span::styled(format!("{:<18}", offer.name), Theme::title()),
                    scene.ink(offer.about.clone(), Tone::Muted),
                ]));
            }
            lines.push(Line::default());
            lines.push(Line::from(
                scene.ink("Enter says what it would do, Esc leaves", Tone::Accent),
            ));
            "Drills".to_owned()
        }
        DrillStage::Asking(name) => {
            let more = scene.theme.glyphs.more;
            lines.push(Line::from(scene.ink(format!("asking what it would do{more}"), Tone::Info)));
            format!("Drill {name}")
        }
        DrillStage::Failed(name, why) => {
            lines.push(Line::from(scene.ink(format!("it can't begin: {why}"), Tone::Bad)));
            lines.push(Line::default());
            lines.push(Line::from(scene.ink("any key leaves it", Tone::Accent)));
            format!("Drill {name}")
        }
        DrillStage::Ready(name, brief) => {
            lines.extend(brief.lines.iter().map(|line| Line::from(line.clone())));
            lines.push(Line::default());
            rung(scene, dialog, &mut lines);
            format!("Drill {name}")
        }
    };
    if let Some(hint) = &dialog.hint {
        lines.push(Line::from(scene.ink(hint.clone(), Tone::Warn)));
    }
    let wide = |line: &Line<'_>| cells(line.width() / 90 + 1);
    let height = lines.iter().map(wide).sum::<u16>().saturating_add(2);
    let at = popup(scene, frame, body, 96, height);
    let frame_of = Panel { title: &title, ..Panel::default() };
    let inner = panel::render(frame, at, &frame_of, scene.theme);
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }), inner);
}

fn rung(scene: &Scene<'_>, dialog: &DrillDialog, lines: &mut Vec<Line<'static>>) {
    let Some(phrase) = dialog.phrase() else {
        lines.push(Line::from(scene.ink("y runs it, n or Esc leaves it", Tone::Accent)));
        return;
    };
    lines.push(Line::from(vec![
        scene.ink("Type ", Tone::Warn),
        Span::styled(phrase, Theme::title()),
        scene.ink(" and Enter:", Tone::Warn),
    ]));
    lines.push(Line::from(vec![
        scene.ink("confirm > ", Tone::Accent),
        Span::raw(dialog.input.value().to_owned()),
        scene.ink(scene.theme.glyphs.caret, Tone::Accent),
    ]));
}

/// Draws the run beside the list of failovers, or in its place where there is no room; what is left.
pub(super) fn beside(scene: &Scene<'_>, frame: &mut Frame<'_>, area: Rect) -> Rect {
    let Some(drill) = &scene.model.drill else { return area };
    if scene.room == Breakpoint::Small {
        run(scene, frame, area, drill);
        return Rect::ZERO;
    }
    let [left, right] = Layout::horizontal([Constraint::Fill(1); 2]).areas(area);
    run(scene, frame, right, drill);
    left
}

fn run(scene: &Scene<'_>, frame: &mut Frame<'_>, area: Rect, drill: &DrillRun) {
    let glyphs = scene.theme.glyphs;
    let age = format::age(scene.model.now.saturating_sub(drill.since));
    let note = match (&drill.verdict, drill.ending) {
        (Some((true, _)), _) => format!("{} passed", glyphs.done),
        (Some((false, _)), _) => format!("{} not passed", glyphs.bad),
        (None, true) => "ending".to_owned(),
        (None, false) => format!("step {}/{}, {age}, a ends it", drill.step.0, drill.step.1),
    };
    let alarm = drill.verdict.as_ref().is_some_and(|(passed, _)| !passed);
    let title = format!("Drill {}", drill.name);
    let inner = panel::render(frame, area, &Panel { title: &title, note, alarm }, scene.theme);
    let room = usize::from(inner.height);
    let lines: Vec<Line<'static>> = if let Some((passed, lines)) = &drill.verdict {
        let tone = if *passed { Tone::Good } else { Tone::Bad };
        let first = lines.first().cloned().unwrap_or_default();
        let rest = lines.iter().skip(1).map(|line| Line::from(line.clone()));
        std::iter::once(Line::from(scene.ink(first, tone))).chain(rest).take(room).collect()
    } else {
        let skip = drill.lines.len().saturating_sub(room);
        drill.lines.iter().skip(skip).map(|line| Line::from(line.clone())).collect()
    };
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }), inner);
}
