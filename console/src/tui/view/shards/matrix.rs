//! One row a shard, one column a node: who leads, who follows how far behind, what is missing.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use evenkeel_shared::ids::{NodeId, ShardId};
use evenkeel_shared::view::{ReplicaState, ReplicaView, ShardHealth, ShardPhase, ShardView};

use crate::tui::action::Screen;
use crate::tui::format;
use crate::tui::hits::Target;
use crate::tui::model::rows;
use crate::tui::number::cells;
use crate::tui::theme::{self, Tone};
use crate::tui::view::Scene;
use crate::tui::widget::panel::{self, Panel};
use crate::tui::widget::table::{self, Column, Row, Table, figures, words};

/// Cells before and after the node columns: shard, copies, health, operations, gaps.
const FIXED: u16 = 9 + 6 + 8 + 7 + 5;
const NODE_WIDTH_MIN: u16 = 6;
const NODE_WIDTH_MAX: u16 = 10;

/// Draws matrix, density strip and legend.
pub(super) fn render(scene: &Scene<'_>, frame: &mut Frame<'_>, area: Rect) {
    let ids = rows::shards(scene.model);
    let nodes = visible_nodes(scene, area.width.saturating_sub(2));
    let note = note(scene, ids.len(), &nodes);
    let inner =
        panel::render(frame, area, &Panel { title: "2 Shards", note, alarm: false }, scene.theme);
    let strip = u16::from(inner.height >= 8 && ids.len() > 1);
    let legend = u16::from(inner.height >= 6);
    let body = Rect { height: inner.height - strip - legend, ..inner };
    let columns = columns(scene, &nodes);
    let filter = scene.model.filter(Screen::Shards);
    let none = format!("no shard matches the filter {filter}: Esc drops it");
    let empty = if scene.cluster.view().is_some() { &none } else { "no shard heard of yet" };
    let selected = scene.model.chosen.shard.index(&ids);
    let table = Table { columns: &columns, rows: ids.len(), selected, empty, hits: scene.hits };
    table::render(frame, body, &table, scene.theme, |index| row(scene, ids[index], &nodes.shown));
    if strip > 0 {
        let at = Rect { y: body.bottom(), height: 1, ..inner };
        frame.render_widget(density(scene, inner.width), at);
    }
    if legend > 0 {
        let at = Rect { y: inner.bottom() - 1, height: 1, ..inner };
        frame.render_widget(self::legend(scene), at);
    }
}

/// The node columns that fit, and whether there are more.
struct Nodes {
    shown: Vec<NodeId>,
    width: u16,
    before: usize,
    after: usize,
}

fn visible_nodes(scene: &Scene<'_>, width: u16) -> Nodes {
    let all: Vec<NodeId> = scene.cluster.nodes_by_name();
    let room = width.saturating_sub(FIXED);
    let count = usize::from(room / (NODE_WIDTH_MIN + 1)).max(1);
    let first = scene.model.chosen.column.min(all.len().saturating_sub(count));
    let shown: Vec<NodeId> = all.iter().skip(first).take(count).copied().collect();
    let each = room / cells(shown.len().max(1));
    let after = all.len() - first - shown.len();
    Nodes {
        width: each.saturating_sub(1).clamp(NODE_WIDTH_MIN, NODE_WIDTH_MAX),
        shown,
        before: first,
        after,
    }
}

fn note(scene: &Scene<'_>, shown: usize, nodes: &Nodes) -> String {
    let all = scene.cluster.view().map_or(0, |v| v.shards.len() + usize::from(v.system.is_some()));
    let mut parts = Vec::new();
    if nodes.before + nodes.after > 0 {
        let [left, right] = scene.theme.glyphs.pages;
        let total = nodes.before + nodes.after + nodes.shown.len();
        let last = nodes.before + nodes.shown.len();
        parts.push(format!("{left} nodes {}-{last} of {total} {right}", nodes.before + 1));
    }
    if shown < all {
        let filter = scene.model.filter(Screen::Shards);
        parts.push(format!("{shown} of {all}: {filter}"));
    }
    let sort = rows::sorts(Screen::Shards).get(scene.model.sort(Screen::Shards));
    parts.push(format!("sort {}", sort.copied().unwrap_or_default()));
    parts.join(", ")
}

fn columns(scene: &Scene<'_>, nodes: &Nodes) -> Vec<Column> {
    let mut columns = vec![words("shard", 9, 0)];
    for id in &nodes.shown {
        let zone = scene.cluster.node(*id).map(|node| node.zone.as_str()).unwrap_or_default();
        let name = scene.cluster.name(*id);
        let slash = if zone.is_empty() { "" } else { "/" };
        columns.push(words(&format!("{name}{slash}{zone}"), nodes.width, 0));
    }
    columns.extend([figures("copies", 6, 1), words("health", 8, 2), figures("ops/s", 6, 3)]);
    columns
}

fn row(scene: &Scene<'_>, id: ShardId, nodes: &[NodeId]) -> Row {
    let Some(shard) = scene.cluster.shard(id) else {
        return Row::new(vec![Line::from(id.to_string())]);
    };
    let mut cells = vec![Line::from(name(scene, shard))];
    for node in nodes {
        // A lost copy may stand beside the one that takes its place: the better one is shown.
        let on_node = shard.replicas.iter().filter(|replica| replica.node == *node);
        let replica = on_node.min_by_key(|replica| replica.state);
        cells.push(match replica {
            Some(replica) => cell(scene, replica),
            None => Line::from(Span::styled(scene.theme.glyphs.dot, scene.theme.line())),
        });
    }
    let copies = rows::copies(shard);
    let short = copies < usize::from(shard.wanted);
    let tone = if short { Tone::Warn } else { Tone::Plain };
    cells.push(Line::from(scene.ink(format!("{copies}/{}", shard.wanted), tone)));
    let (word, tone) = theme::shard_health(shard.health);
    cells.push(Line::from(scene.ink(word, tone)));
    cells.push(Line::from(scene.figure(shard.ops_s.map(format::rate))));
    Row::new(cells).of(Target::Shard(id))
}

/// The id, with what is special about the shard.
fn name(scene: &Scene<'_>, shard: &ShardView) -> Vec<Span<'static>> {
    let mut spans = vec![Span::raw(shard.id.to_string())];
    let mark = match shard.phase {
        _ if shard.id.is_system() => "sys",
        ShardPhase::Beside => "new",
        ShardPhase::Retired => "old",
        ShardPhase::Serving => return spans,
    };
    spans.push(scene.ink(format!(" {mark}"), Tone::Accent));
    spans
}

/// One cell: the letter, and the lag in operations where there is one.
pub(super) fn cell(scene: &Scene<'_>, replica: &ReplicaView) -> Line<'static> {
    let (letter, tone) = theme::replica(replica.state);
    let mut spans = vec![scene.ink(letter, tone)];
    let behind = match (replica.state, replica.lag) {
        (ReplicaState::Leader | ReplicaState::Lost | ReplicaState::Unknown, _) => {
            return spans.into();
        }
        (_, Some(lag)) => format!(" {}", format::rate(crate::tui::number::float(lag))),
        (_, None) => " ?".into(),
    };
    let tone = if replica.lag.is_some_and(|lag| lag < 100) { Tone::Muted } else { Tone::Warn };
    spans.push(scene.ink(behind, tone));
    Line::from(spans)
}

/// Every shard as one glyph, in the order of ids; many shards share one.
fn density(scene: &Scene<'_>, width: u16) -> Line<'static> {
    let Some(view) = scene.cluster.view() else { return Line::default() };
    let title = format!(" all {} ", view.shards.len());
    let room = usize::from(width).saturating_sub(title.len() + 1).max(1);
    let bucket = view.shards.len().div_ceil(room).max(1);
    let mut line = Line::from(scene.ink(title, Tone::Muted));
    for shards in view.shards.chunks(bucket) {
        let worst = shards.iter().map(level).max().unwrap_or(0);
        let tone = [Tone::Good, Tone::Info, Tone::Warn, Tone::Bad][worst];
        line.push_span(scene.ink(scene.theme.glyphs.densities[worst], tone));
    }
    line
}

/// 0 ok, 1 a copy missing, 2 none to spare, 3 can't be written.
fn level(shard: &ShardView) -> usize {
    match shard.health {
        ShardHealth::Ok => 0,
        ShardHealth::Unavailable => 3,
        ShardHealth::UnderReplicated => {
            let voters = shard.replicas.iter().filter(|replica| rows::is_voter(replica)).count();
            let whole = shard.replicas.iter().filter(|r| rows::is_whole_voter(r)).count();
            if voters > 1 && whole <= voters / 2 + 1 { 2 } else { 1 }
        }
    }
}

fn legend(scene: &Scene<'_>) -> Line<'static> {
    let mut line = Line::from(Span::raw(" "));
    let states = [
        (ReplicaState::Leader, "leader"),
        (ReplicaState::Follower, "follower, lag"),
        (ReplicaState::Filling, "filling"),
        (ReplicaState::Leaving, "leaving"),
        (ReplicaState::Lost, "gone"),
        (ReplicaState::Unknown, "unknown"),
        (ReplicaState::Damaged, "damaged"),
    ];
    for (state, word) in states {
        let (letter, tone) = theme::replica(state);
        line.push_span(scene.ink(letter, tone));
        line.push_span(scene.ink(format!(" {word} "), Tone::Muted));
    }
    line
}
