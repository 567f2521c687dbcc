//! The table of nodes: verdict in glyph and word, who says so, suspicion against its threshold.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use evenkeel_shared::ids::NodeId;
use evenkeel_shared::view::{NodeState, NodeView};

use crate::tui::action::Screen;
use crate::tui::format;
use crate::tui::hits::Target;
use crate::tui::model::attention::{PHI_SUSPECT, disk_share};
use crate::tui::model::rows;
use crate::tui::model::track::REPORT_STALE_MS;
use crate::tui::theme::Tone;
use crate::tui::view::{Breakpoint, Scene, present};
use crate::tui::widget::gauge::{self, Gauge};
use crate::tui::widget::panel::{self, Panel};
use crate::tui::widget::table::{self, Column, Row, Table, figures, words};

/// The right end of the bar of suspicion.
const PHI_FULL: f64 = 12.0;

/// Draws the table.
pub(super) fn render(scene: &Scene<'_>, frame: &mut Frame<'_>, area: Rect) {
    let ids = rows::nodes(scene.model, Screen::Nodes);
    let frame_of = Panel { title: "1 Nodes", note: note(scene, ids.len()), alarm: false };
    let inner = panel::render(frame, area, &frame_of, scene.theme);
    let gauge = if scene.room == Breakpoint::Small { 9 } else { 15 };
    let columns = columns(scene, gauge);
    let empty =
        if scene.cluster.view().is_some() { "no node matches" } else { "no node heard of yet" };
    let selected = scene.model.chosen.node.index(&ids);
    let table = Table { columns: &columns, rows: ids.len(), selected, empty, hits: scene.hits };
    table::render(frame, inner, &table, scene.theme, |index| row(scene, ids[index], gauge));
}

fn note(scene: &Scene<'_>, shown: usize) -> String {
    let all = scene.cluster.node_ids().len();
    let sorts = rows::sorts(Screen::Nodes);
    let sort = sorts.get(scene.model.sort(Screen::Nodes)).copied().unwrap_or_default();
    if shown < all { format!("{shown} of {all}, sort {sort}") } else { format!("sort {sort}") }
}

fn columns(scene: &Scene<'_>, gauge: u16) -> Vec<Column> {
    let scale = bar(None, gauge);
    let mark = usize::from(gauge::mark_cell(&scale).unwrap_or(4));
    let phi = format!("{:<mark$}{}{PHI_SUSPECT:.0}", "phi", scene.theme.glyphs.mark);
    let longest = scene.cluster.node_ids().into_iter().map(|id| scene.cluster.name(id).len()).max();
    let name = crate::tui::number::cells(longest.unwrap_or(4)).clamp(4, 16);
    vec![
        words("node", name, 0),
        words("zone", 5, 4),
        words("state", 14, 0),
        words(&phi, gauge, 1),
        figures("", 5, 0),
        figures("last hb", 8, 2),
        figures("lead", 4, 2),
        figures("foll", 4, 5),
        figures("ops/s", 6, 1),
        figures("p99", 7, 6),
        figures("cpu", 4, 3),
        figures("rss", 6, 7),
        figures("disk", 4, 5),
    ]
}

fn bar(value: Option<f64>, width: u16) -> Gauge {
    Gauge { value, full: PHI_FULL, mark: Some(PHI_SUSPECT), width }
}

fn row(scene: &Scene<'_>, id: NodeId, gauge: u16) -> Row {
    let node = scene.cluster.node(id);
    let mut cells = vec![Line::from(scene.ink(scene.cluster.name(id), Tone::Plain))];
    cells.extend(match node {
        Some(node) => verdict(scene, node, gauge),
        None => unknown(scene, gauge),
    });
    let seen = scene.cluster.load(id, scene.now);
    let load = seen.map(|seen| seen.load);
    let dash = |text: Option<String>| match text {
        Some(text) if seen.is_some_and(|seen| seen.stale) => {
            Line::from(Span::styled(text, scene.theme.stale()))
        }
        text => Line::from(scene.figure(text)),
    };
    cells.push(dash(load.map(|load| format::rate(load.reads_s + load.writes_s))));
    cells.push(dash(load.and_then(|load| load.write_p99_us).map(|us| format::micros(us.into()))));
    cells.push(dash(load.and_then(|load| load.cpu_percent).map(|cpu| format!("{cpu:.0}%"))));
    cells.push(dash(load.and_then(|load| load.rss_bytes).map(format::bytes)));
    cells.push(dash(load.and_then(disk_share).map(|share| format!("{:.0}%", share * 100.0))));
    Row::new(cells).of(Target::Node(id))
}

fn verdict(scene: &Scene<'_>, node: &NodeView, gauge: u16) -> Vec<Line<'static>> {
    let heard = match (node.heard_ms, is_observer(scene, node.id)) {
        (_, true) => scene.ink("here", Tone::Muted),
        (Some(ms), _) if ms > REPORT_STALE_MS => scene.ink(format::age(ms), Tone::Warn),
        (Some(ms), _) => Span::raw(format::age(ms)),
        (None, _) => scene.figure(None),
    };
    let followers = node.replicas.saturating_sub(node.leaders);
    vec![
        Line::from(Span::raw(node.zone.clone())),
        Line::from(state(scene, node)).patch_style(present::flash(scene, node.since_unix_ms)),
        Line::from(gauge::render(&bar(node.phi, gauge), phi_tone(node.phi), scene.theme)),
        Line::from(match node.phi {
            Some(phi) => scene.ink(format!("{:.1}", phi.min(999.0)), phi_tone(Some(phi))),
            None => scene.figure(None),
        }),
        Line::from(heard),
        Line::from(Span::raw(node.leaders.to_string())),
        Line::from(Span::raw(followers.to_string())),
    ]
}

fn unknown(scene: &Scene<'_>, gauge: u16) -> Vec<Line<'static>> {
    let none = || Line::from(scene.figure(None));
    let bar = Line::from(gauge::render(&bar(None, gauge), Tone::Plain, scene.theme));
    vec![
        none(),
        Line::from(scene.ink("? UNKNOWN", Tone::Muted)),
        bar,
        none(),
        none(),
        none(),
        none(),
    ]
}

/// The state in glyph and word, and who holds the node dead.
pub(super) fn state(scene: &Scene<'_>, node: &NodeView) -> Vec<Span<'static>> {
    let (glyph, tone) = scene.theme.glyphs.node(node.state);
    let mut spans = vec![scene.ink(format!("{glyph} {}", node.state), tone)];
    if node.observers.against > 0 {
        let agree = format!(" {}/{}", node.observers.against, node.observers.asked);
        spans.push(scene.ink(agree, Tone::Muted));
    } else if node.state == NodeState::Up && is_controller(scene, node.id) {
        spans.push(scene.ink(" ctl", Tone::Muted));
    }
    spans
}

/// The tone of a level of suspicion.
pub(super) fn phi_tone(phi: Option<f64>) -> Tone {
    match phi {
        Some(phi) if phi >= PHI_SUSPECT => Tone::Bad,
        Some(phi) if phi >= PHI_SUSPECT / 2.0 => Tone::Warn,
        _ => Tone::Good,
    }
}

fn is_observer(scene: &Scene<'_>, id: NodeId) -> bool {
    scene.cluster.view().is_some_and(|view| view.observer == id)
}

fn is_controller(scene: &Scene<'_>, id: NodeId) -> bool {
    scene.cluster.view().is_some_and(|view| view.controller == Some(id))
}
