//! Round trips from node to node, as each reports them: one-way loss shows as one cell.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use evenkeel_shared::heartbeat::PeerReport;
use evenkeel_shared::ids::NodeId;

use crate::tui::number;
use crate::tui::theme::Tone;
use crate::tui::view::Scene;
use crate::tui::widget::panel::{self, Panel};
use crate::tui::widget::table::{self, Row, Table, figures, words};

/// A peer that was not heard for so long is marked, in milliseconds.
const SILENT_MS: u64 = 1_000;

/// Draws the matrix: rows report, columns are reported on.
pub(super) fn render(scene: &Scene<'_>, frame: &mut Frame<'_>, area: Rect) {
    let note = "ms, row to column".into();
    let frame_of = Panel { title: "Round trips", note, alarm: false };
    let inner = panel::render(frame, area, &frame_of, scene.theme);
    let ids: Vec<NodeId> = scene.cluster.nodes_by_name();
    let mut columns = vec![words("", 5, 0)];
    let fits = usize::from(inner.width.saturating_sub(7) / 6);
    let shown: Vec<NodeId> = ids.iter().take(fits).copied().collect();
    columns.extend(shown.iter().map(|id| figures(&scene.cluster.name(*id), 5, 0)));
    let table =
        Table { columns: &columns, rows: ids.len(), selected: None, empty: "", hits: scene.hits };
    table::render(frame, inner, &table, scene.theme, |index| row(scene, ids[index], &shown));
}

fn row(scene: &Scene<'_>, from: NodeId, shown: &[NodeId]) -> Row {
    let track = scene.cluster.tracks.get(&from);
    let report = track.and_then(|track| track.report.as_ref());
    let fresh = track.is_some_and(|track| track.fresh(scene.now).is_some());
    let mut cells = vec![Line::from(Span::raw(scene.cluster.name(from)))];
    for to in shown {
        let peer = report.and_then(|r| r.value.peers.iter().find(|peer| peer.node == *to));
        cells.push(Line::from(match peer {
            _ if *to == from => Span::styled(scene.theme.glyphs.dot, scene.theme.line()),
            Some(peer) => cell(scene, peer),
            None => scene.ink("?", Tone::Muted),
        }));
    }
    Row::new(cells).styled(if fresh { Style::new() } else { scene.theme.stale() })
}

fn cell(scene: &Scene<'_>, peer: &PeerReport) -> Span<'static> {
    let silent = peer.heard_ms.is_some_and(|ms| ms > SILENT_MS);
    if peer.dead {
        return scene.ink(format!("{} dead", scene.theme.glyphs.bad), Tone::Bad);
    }
    if silent {
        return scene.ink("lost", Tone::Bad);
    }
    let Some(micros) = peer.round_trip_us else { return scene.ink("?", Tone::Muted) };
    let milliseconds = number::float(micros.into()) / 1_000.0;
    let digits = usize::from(milliseconds < 99.95) + usize::from(milliseconds < 9.995);
    let tone = match micros {
        0..5_000 => Tone::Good,
        5_000..50_000 => Tone::Plain,
        _ => Tone::Warn,
    };
    scene.ink(format!("{milliseconds:.digits$}"), tone)
}
