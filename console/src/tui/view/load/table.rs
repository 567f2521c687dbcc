//! Each node's work and what it costs.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use evenkeel_shared::heartbeat::Load;
use evenkeel_shared::ids::NodeId;

use crate::tui::action::Screen;
use crate::tui::format;
use crate::tui::hits::Target;
use crate::tui::model::attention::disk_share;
use crate::tui::model::rows;
use crate::tui::theme::Tone;
use crate::tui::view::Scene;
use crate::tui::widget::panel::{self, Panel};
use crate::tui::widget::sparkline;
use crate::tui::widget::table::{self, Row, Table, figures, rest, words};

/// Samples of the trace.
const TRACE: u16 = 60;

/// Draws the table.
pub(super) fn render(scene: &Scene<'_>, frame: &mut Frame<'_>, area: Rect) {
    let ids = rows::nodes(scene.model, Screen::Load);
    let sort = rows::sorts(Screen::Load).get(scene.model.sort(Screen::Load)).copied();
    let note = format!("sort {}", sort.unwrap_or_default());
    let inner =
        panel::render(frame, area, &Panel { title: "3 Load", note, alarm: false }, scene.theme);
    let columns = [
        words("node", 6, 0),
        figures("ops/s", 6, 0),
        figures("reads/s", 7, 2),
        figures("writes/s", 8, 2),
        figures("p99", 7, 1),
        figures("cpu", 5, 1),
        figures("rss", 6, 3),
        figures("disk", 5, 3),
        figures("sync", 7, 4),
        figures("conns", 5, 6),
        figures("leads", 5, 5),
        rest("trend", 10, 5),
    ];
    let empty = "no node heard of yet";
    let selected = scene.model.chosen.node.index(&ids);
    let table = Table { columns: &columns, rows: ids.len(), selected, empty, hits: scene.hits };
    let most = scene
        .cluster
        .tracks
        .values()
        .flat_map(|track| track.ops.iter().flatten())
        .fold(1.0, f64::max);
    table::render(frame, inner, &table, scene.theme, |index| row(scene, ids[index], most));
}

fn row(scene: &Scene<'_>, id: NodeId, most: f64) -> Row {
    let seen = scene.cluster.load(id, scene.now);
    let load = seen.map(|seen| seen.load);
    let micros = |us: Option<u32>| us.map(|us| format::micros(us.into()));
    let figure = |read: fn(&Load) -> Option<String>| load.and_then(read);
    let figures = [
        figure(|load| Some(format::rate(load.reads_s + load.writes_s))),
        figure(|load| Some(format::rate(load.reads_s))),
        figure(|load| Some(format::rate(load.writes_s))),
        micros(load.and_then(|load| load.write_p99_us)),
        figure(|load| Some(format!("{:.0}%", load.cpu_percent?))),
        figure(|load| load.rss_bytes.map(format::bytes)),
        figure(|load| Some(format!("{:.0}%", disk_share(load)? * 100.0))),
        micros(load.and_then(|load| load.sync_us)),
        figure(|load| Some(load.connections.to_string())),
        scene.cluster.node(id).map(|node| node.leaders.to_string()),
    ];
    let mut cells = vec![Line::from(Span::raw(scene.cluster.name(id)))];
    cells.extend(figures.into_iter().map(|text| Line::from(scene.figure(text))));
    let trend = scene.cluster.tracks.get(&id).map_or_else(String::new, |track| {
        sparkline::render(track.ops.iter(), TRACE, most, scene.theme)
    });
    let trend: String = trend
        .chars()
        .rev()
        .take(usize::from(TRACE))
        .collect::<Vec<_>>()
        .into_iter()
        .rev()
        .collect();
    cells.push(Line::from(scene.ink(trend, Tone::Info)));
    let stale = seen.is_none_or(|seen| seen.stale);
    let style = if stale { scene.theme.stale() } else { Style::new() };
    Row::new(cells).styled(style).of(Target::Node(id))
}
