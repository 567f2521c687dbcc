//! What the controller does and would do: its steps, since when, and what keeps one from being done.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use evenkeel_shared::plan::{PlanView, StepStatus, StepView};

use super::{Scene, context};
use crate::tui::format;
use crate::tui::model::following::Followed;
use crate::tui::number::cells;
use crate::tui::theme::Tone;
use crate::tui::widget::panel::{self, Panel};

/// Steps that are listed at most, and shards for which nothing is done.
const STEPS_SHOWN: usize = 6;
const DECLINED_SHOWN: usize = 2;

/// The plan, while it is heard of and says something.
fn plan<'a>(scene: &Scene<'a>) -> Option<&'a PlanView> {
    if scene.model.held.is_some() {
        return None;
    }
    let heard = scene.model.answers.plan.about(())?;
    let plan = heard.value.as_ref().ok()?;
    (!plan.steps.is_empty() || !plan.declined.is_empty()).then_some(plan)
}

/// Acts of the operator's that go on.
fn followed<'a>(scene: &Scene<'a>) -> &'a [Followed] {
    if scene.model.held.is_some() { &[] } else { &scene.model.followed }
}

/// Rows that the pane wants; none when there is nothing to say.
pub(super) fn wanted(scene: &Scene<'_>) -> u16 {
    let planned = plan(scene).map_or(0, |plan| {
        plan.steps.len().min(STEPS_SHOWN) + plan.declined.len().min(DECLINED_SHOWN)
    });
    match planned + followed(scene).len() {
        0 => 0,
        rows => cells(rows).saturating_add(2),
    }
}

/// Draws the pane.
pub(super) fn render(scene: &Scene<'_>, frame: &mut Frame<'_>, area: Rect) {
    let mut lines: Vec<Line<'static>> =
        followed(scene).iter().map(|one| Line::from(context::going_on(scene, one))).collect();
    let Some(plan) = plan(scene) else {
        let frame_of = Panel { title: "Plan", ..Panel::default() };
        let inner = panel::render(frame, area, &frame_of, scene.theme);
        return frame.render_widget(Paragraph::new(lines), inner);
    };
    let controller = plan.controller.map_or_else(|| "?".into(), |id| scene.cluster.name(id));
    let bytes: u64 = plan.steps.iter().map(|step| step.price_bytes).sum();
    let note = match plan.steps.len() {
        0 => "nothing to do".to_owned(),
        count => format!(
            "{}, about {} to copy, by {controller}",
            format::plural(count, "step"),
            format::bytes(bytes)
        ),
    };
    let inner =
        panel::render(frame, area, &Panel { title: "Plan", note, alarm: false }, scene.theme);
    let steps = plan.steps.iter().take(STEPS_SHOWN).map(|step| step_line(scene, step));
    let declined = plan.declined.iter().take(DECLINED_SHOWN).map(|(shard, why)| {
        Line::from(vec![
            scene.ink(format!("{} {shard:<6} ", scene.theme.glyphs.dot), Tone::Muted),
            scene.ink(format!("nothing is done now: {why}"), Tone::Muted),
        ])
    });
    lines.extend(steps.chain(declined));
    frame.render_widget(Paragraph::new(lines), inner);
}

fn step_line(scene: &Scene<'_>, step: &StepView) -> Line<'static> {
    let glyphs = scene.theme.glyphs;
    let (glyph, word, tone) = match step.status {
        StepStatus::Created => (glyphs.empty, "due", Tone::Info),
        StepStatus::Started => (glyphs.half, "running", Tone::Info),
        StepStatus::Success => (glyphs.done, "done", Tone::Good),
        StepStatus::Cancelled | StepStatus::Replaced => (glyphs.dot, "dropped", Tone::Muted),
        StepStatus::Timeout => (glyphs.bad, "too late", Tone::Bad),
        StepStatus::Advised => (glyphs.warn, "waits for your word: A", Tone::Warn),
        StepStatus::Held => (glyphs.empty, "held", Tone::Muted),
    };
    let since = format::age(scene.model.now.saturating_sub(step.since_unix_ms));
    let mut line = Line::from(vec![
        scene.ink(format!("{glyph} "), tone),
        Span::raw(format!("{:<6} ", step.shard.to_string())),
        Span::raw(step.what.clone()),
        scene.ink(format!("  {word} {since}"), tone),
    ]);
    if step.price_bytes > 0 {
        line.push_span(scene.ink(format!(", {}", format::bytes(step.price_bytes)), Tone::Muted));
    }
    if step.tries > 1 {
        line.push_span(scene.ink(format!(", try {}", step.tries), Tone::Warn));
    }
    match &step.trouble {
        Some(trouble) => line.push_span(scene.ink(format!(": {trouble}"), Tone::Warn)),
        None => line.push_span(scene.ink(format!("  {}", step.cause), Tone::Muted)),
    }
    line
}
