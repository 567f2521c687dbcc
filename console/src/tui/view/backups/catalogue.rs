//! The completed backups, newest first.

use std::collections::BTreeMap;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use evenkeel_shared::view::BackupRecord;

use crate::tui::format;
use crate::tui::hits::Target;
use crate::tui::model::rows;
use crate::tui::number;
use crate::tui::theme::Tone;
use crate::tui::view::{Breakpoint, Scene};
use crate::tui::widget::panel::{self, Panel};
use crate::tui::widget::table::{self, Row, Table, figures, rest, words};

/// The record of a catalogue's row.
pub(super) fn find<'a>(scene: &Scene<'a>, key: &(String, String)) -> Option<&'a BackupRecord> {
    let view = scene.cluster.view()?;
    view.backups.iter().find(|backup| backup.archive == key.0 && backup.id == key.1)
}

/// How long ago a backup was cut.
pub(super) fn age(scene: &Scene<'_>, backup: &BackupRecord) -> u64 {
    scene.now.saturating_sub(backup.cut.unix_ms())
}

/// How many shards it holds, of those that serve now.
pub(super) fn covers(scene: &Scene<'_>, backup: &BackupRecord) -> Span<'static> {
    let now = scene.cluster.view().map(|view| view.counts.shards_total);
    let Some(now) = now else { return scene.ink(format!("{}/?", backup.shards), Tone::Muted) };
    let tone = if backup.shards == now { Tone::Plain } else { Tone::Warn };
    scene.ink(format!("{}/{now}", backup.shards), tone)
}

/// When a restore last found it to be right.
pub(super) fn checked(scene: &Scene<'_>, at: Option<u64>) -> Span<'static> {
    match at {
        Some(at) => {
            let ago = format::short_age(scene.now.saturating_sub(at));
            scene.ink(format!("{} {ago}", scene.theme.glyphs.done), Tone::Good)
        }
        None => scene.ink("never", Tone::Muted),
    }
}

/// Draws the list.
pub(super) fn render(scene: &Scene<'_>, frame: &mut Frame<'_>, area: Rect) {
    let keys = rows::backups(scene.model);
    let newest = scene.cluster.view().and_then(|view| view.backups.last());
    let verified = scene.cluster.journal.verified();
    let note = match newest {
        Some(newest) if scene.room != Breakpoint::Small => {
            let last = verified.values().max().map(|at| scene.now.saturating_sub(*at));
            let checked = last.map_or_else(
                || "none verified".to_owned(),
                |age| format!("verified {} ago", format::age(age)),
            );
            format!("newest {} old, {checked}", format::age(age(scene, newest)))
        }
        Some(newest) => format!("newest {} old", format::age(age(scene, newest))),
        None => String::new(),
    };
    let inner =
        panel::render(frame, area, &Panel { title: "5 Backups", note, alarm: false }, scene.theme);
    let columns = [
        words("id", 21, 0),
        words("taken", 14, 3),
        figures("age", 5, 0),
        figures("covers", 7, 1),
        words("verified", 9, 1),
        figures("records", 7, 4),
        figures("size", 7, 1),
        rest("archive", 8, 5),
    ];
    let empty = match scene.cluster.view() {
        None => "no catalogue heard of yet",
        Some(view) if view.backups.is_empty() => "no backup yet: b makes one",
        Some(_) => "no backup matches",
    };
    let selected = scene.model.chosen.backup.index(&keys);
    let table = Table { columns: &columns, rows: keys.len(), selected, empty, hits: scene.hits };
    table::render(frame, inner, &table, scene.theme, |index| row(scene, &keys[index], &verified));
}

fn row(scene: &Scene<'_>, key: &(String, String), verified: &BTreeMap<&str, u64>) -> Row {
    let Some(backup) = find(scene, key) else {
        return Row::new(vec![Line::from(key.1.clone())]);
    };
    let taken = format::day_time(backup.cut.unix_ms(), &scene.model.zone);
    let cells = vec![
        Line::from(Span::raw(backup.id.clone())),
        Line::from(Span::raw(taken)),
        Line::from(Span::raw(format::short_age(age(scene, backup)))),
        Line::from(covers(scene, backup)),
        Line::from(checked(scene, verified.get(backup.id.as_str()).copied())),
        Line::from(Span::raw(format::rate(number::float(backup.records)))),
        Line::from(Span::raw(format::bytes(backup.bytes))),
        Line::from(scene.ink(backup.archive.clone(), Tone::Muted)),
    ];
    Row::new(cells).of(Target::Backup(key.clone()))
}
