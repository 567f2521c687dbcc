//! The completed backups, newest first.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use evenkeel_shared::view::BackupRecord;

use crate::tui::format;
use crate::tui::hits::Target;
use crate::tui::model::rows;
use crate::tui::number;
use crate::tui::theme::Tone;
use crate::tui::view::Scene;
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

/// Draws the list.
pub(super) fn render(scene: &Scene<'_>, frame: &mut Frame<'_>, area: Rect) {
    let keys = rows::backups(scene.model);
    let newest = scene.cluster.view().and_then(|view| view.backups.last());
    let note = match newest {
        Some(newest) => format!("newest {} old", format::age(age(scene, newest))),
        None => String::new(),
    };
    let inner =
        panel::render(frame, area, &Panel { title: "5 Backups", note, alarm: false }, scene.theme);
    let columns = [
        words("id", 21, 0),
        words("taken", 14, 1),
        figures("age", 5, 0),
        figures("shards", 6, 3),
        figures("records", 7, 4),
        figures("size", 7, 2),
        rest("archive", 8, 5),
    ];
    let empty = match scene.cluster.view() {
        None => "no catalogue heard of yet",
        Some(view) if view.backups.is_empty() => "no backup yet: b makes one",
        Some(_) => "no backup matches",
    };
    let selected = scene.model.chosen.backup.index(&keys);
    let table = Table { columns: &columns, rows: keys.len(), selected, empty, hits: scene.hits };
    table::render(frame, inner, &table, scene.theme, |index| row(scene, &keys[index]));
}

fn row(scene: &Scene<'_>, key: &(String, String)) -> Row {
    let Some(backup) = find(scene, key) else {
        return Row::new(vec![Line::from(key.1.clone())]);
    };
    let taken = format::day_time(backup.cut.unix_ms(), &scene.model.zone);
    let cells = vec![
        Line::from(Span::raw(backup.id.clone())),
        Line::from(Span::raw(taken)),
        Line::from(Span::raw(format::short_age(age(scene, backup)))),
        Line::from(Span::raw(backup.shards.to_string())),
        Line::from(Span::raw(format::rate(number::float(backup.records)))),
        Line::from(Span::raw(format::bytes(backup.bytes))),
        Line::from(scene.ink(backup.archive.clone(), Tone::Muted)),
    ];
    Row::new(cells).of(Target::Backup(key.clone()))
}
