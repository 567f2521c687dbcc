//! Restores under way, and those that wait for accept or undo.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use evenkeel_shared::view::{Intent, IntentKind, IntentPhase, ReplicaState};

use crate::tui::format;
use crate::tui::number::cells;
use crate::tui::theme::Tone;
use crate::tui::view::Scene;
use crate::tui::widget::panel::{self, Panel};

const LINES_EACH: u16 = 3;

/// Rows that the pane wants; none when nothing is under way.
pub(super) fn wanted(scene: &Scene<'_>) -> u16 {
    let count = scene.cluster.view().map_or(0, |view| view.intents.len());
    if count == 0 { 0 } else { cells(count).saturating_mul(LINES_EACH).saturating_add(2) }
}

/// Draws the pane.
pub(super) fn render(scene: &Scene<'_>, frame: &mut Frame<'_>, area: Rect) {
    let Some(view) = scene.cluster.view() else { return };
    let frame_of = Panel { title: "Restores under way", ..Panel::default() };
    let inner = panel::render(frame, area, &frame_of, scene.theme);
    let lines: Vec<Line<'static>> =
        view.intents.iter().flat_map(|intent| lines(scene, intent)).collect();
    frame.render_widget(Paragraph::new(lines), inner);
}

fn lines(scene: &Scene<'_>, intent: &Intent) -> [Line<'static>; 3] {
    let IntentKind::Restore { archive, backup, pairs } = &intent.kind;
    let since = format::age(scene.now.saturating_sub(intent.started.unix_ms()));
    let head = Line::from(vec![
        scene.ink(backup.clone(), Tone::Accent),
        scene.ink(format!(" from {archive}, {since} ago: {}", intent.cause), Tone::Muted),
    ]);
    let built = pairs.iter().filter(|(_, new)| is_built(scene, *new)).count();
    let mut steps = Line::default();
    for (index, step) in STEPS.into_iter().enumerate() {
        if index > 0 {
            steps.push_span(scene.ink(format!(" {} ", scene.theme.glyphs.arrow), Tone::Muted));
        }
        steps.push_span(step_span(scene, &intent.phase, index, step));
    }
    let tail = match &intent.phase {
        IntentPhase::Building => Span::raw(format!("{built}/{} new shards in step", pairs.len())),
        IntentPhase::Sealing => Span::raw("contents are checked, old shards are being sealed"),
        IntentPhase::Opening => Span::raw("the new shards are being opened"),
        IntentPhase::Complete => {
            scene.ink("A accepts it and drops the old shards, U puts them back", Tone::Warn)
        }
        IntentPhase::UndoSealing => Span::raw("on the way back: new shards are being sealed"),
        IntentPhase::UndoOpening => Span::raw("on the way back: old shards are being opened"),
        IntentPhase::Failed(why) => scene.ink(format!("failed: {why}"), Tone::Bad),
    };
    [head, steps, Line::from(tail)]
}

const STEPS: [&str; 4] = ["build", "seal", "open", "accept or undo"];

fn step_span(scene: &Scene<'_>, phase: &IntentPhase, index: usize, step: &str) -> Span<'static> {
    let glyphs = scene.theme.glyphs;
    let at = match phase {
        IntentPhase::Building => 0,
        IntentPhase::Sealing => 1,
        IntentPhase::Opening => 2,
        IntentPhase::Complete => 3,
        _ => return scene.ink(format!("{} {step}", glyphs.empty), Tone::Muted),
    };
    match index.cmp(&at) {
        std::cmp::Ordering::Less => scene.ink(format!("{} {step}", glyphs.done), Tone::Good),
        std::cmp::Ordering::Equal => scene.ink(format!("{} {step}", glyphs.half), Tone::Info),
        std::cmp::Ordering::Greater => scene.ink(format!("{} {step}", glyphs.empty), Tone::Muted),
    }
}

/// Whether every copy of a new shard is filled.
fn is_built(scene: &Scene<'_>, shard: evenkeel_shared::ids::ShardId) -> bool {
    scene.cluster.shard(shard).is_some_and(|shard| {
        let whole = |state| matches!(state, ReplicaState::Leader | ReplicaState::Follower);
        !shard.replicas.is_empty() && shard.replicas.iter().all(|replica| whole(replica.state))
    })
}
