//! The chosen backup, and what restoring it would mean.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};

use evenkeel_shared::view::BackupRecord;

use super::catalogue;
use crate::tui::format;
use crate::tui::model::rows;
use crate::tui::theme::Tone;
use crate::tui::view::{Scene, facts};
use crate::tui::widget::panel::{self, Panel};

/// The plan beside the catalogue.
pub(super) fn pane(scene: &Scene<'_>, frame: &mut Frame<'_>, area: Rect) {
    draw(scene, frame, area, String::new());
}

/// The plan over the whole body.
pub(in crate::tui::view) fn full(scene: &Scene<'_>, frame: &mut Frame<'_>, area: Rect) {
    draw(scene, frame, area, "Esc closes".into());
}

fn draw(scene: &Scene<'_>, frame: &mut Frame<'_>, area: Rect, note: String) {
    let inner = panel::render(
        frame,
        area,
        &Panel { title: "Restore plan", note, alarm: false },
        scene.theme,
    );
    let chosen = scene.model.chosen.backup.chosen(&rows::backups(scene.model));
    let lines = match chosen.and_then(|key| catalogue::find(scene, &key)) {
        Some(backup) => lines(scene, backup),
        None => vec![Line::from(scene.ink("no backup is chosen", Tone::Muted))],
    };
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }), inner);
}

fn lines(scene: &Scene<'_>, backup: &BackupRecord) -> Vec<Line<'static>> {
    let cut = backup.cut.unix_ms();
    let when = format::day_time(cut, &scene.model.zone);
    let back = format::age(catalogue::age(scene, backup));
    let now = scene.cluster.view().map_or(0, |view| view.counts.shards_total);
    let holds = format!(
        "{} of {} records, {}",
        format::plural(usize::try_from(backup.shards).unwrap_or(0), "shard"),
        backup.records,
        format::bytes(backup.bytes)
    );
    let mut lines = vec![
        facts::plain(scene, "backup", backup.id.clone()),
        facts::plain(scene, "archive", backup.archive.clone()),
        facts::plain(scene, "goes back", format!("to {when}, {back} ago")),
        facts::plain(scene, "holds", holds),
    ];
    let verified = scene.cluster.journal.verified().get(backup.id.as_str()).copied();
    lines.push(if let Some(at) = verified {
        let ago = format::age(scene.now.saturating_sub(at));
        let words = format!("a restore of it was right {ago} ago");
        facts::fact(scene, "verified", vec![scene.ink(words, Tone::Good)])
    } else {
        let words = "never restored, as far as the journal goes: `drill run restore-rehearsal`";
        facts::fact(scene, "verified", vec![scene.ink(words, Tone::Muted)])
    });
    lines.push(facts::plain(scene, "drops", format!("every write of the last {back}")));
    if backup.shards != now {
        let glyph = scene.theme.glyphs.warn;
        let text = format!("{glyph} {now} shards serve now");
        lines.push(facts::fact(scene, "", vec![scene.ink(text, Tone::Warn)]));
    }
    lines.push(Line::default());
    let steps = [
        "New shards are built beside the serving ones.",
        "Their hashes are checked, then slots change hands.",
        "The old shards stay, read-only, until accept or undo.",
    ];
    for (index, step) in steps.into_iter().enumerate() {
        lines.push(Line::from(vec![
            scene.ink(format!("{} ", index + 1), Tone::Accent),
            Span::raw(step),
        ]));
    }
    lines
}
