//! One node: the verdict and its evidence, its figures, and how each peer sees it.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};

use evenkeel_shared::heartbeat::{Load, PeerReport};
use evenkeel_shared::ids::NodeId;
use evenkeel_shared::view::{NodeState, NodeView};

use super::table::{phi_tone, state};
use crate::tui::action::Screen;
use crate::tui::format;
use crate::tui::model::attention::{PHI_SUSPECT, disk_share};
use crate::tui::model::rows;
use crate::tui::model::track::Track;
use crate::tui::theme::Tone;
use crate::tui::view::{Scene, facts};
use crate::tui::widget::panel::{self, Panel};
use crate::tui::widget::sparkline;

/// Samples of the traces: a minute.
const TRACE: u16 = 40;

/// The chosen node beside the list.
pub(super) fn pane(scene: &Scene<'_>, frame: &mut Frame<'_>, area: Rect) {
    draw(scene, frame, area, String::new());
}

/// The chosen node over the whole body.
pub(in crate::tui::view) fn full(scene: &Scene<'_>, frame: &mut Frame<'_>, area: Rect) {
    draw(scene, frame, area, "Esc closes".into());
}

fn draw(scene: &Scene<'_>, frame: &mut Frame<'_>, area: Rect, note: String) {
    let screen = if scene.model.screen == Screen::Load { Screen::Load } else { Screen::Nodes };
    let chosen = scene.model.chosen.node.chosen(&rows::nodes(scene.model, screen));
    let title = chosen.map_or_else(|| "Node".into(), |id| scene.cluster.name(id));
    let inner =
        panel::render(frame, area, &Panel { title: &title, note, alarm: false }, scene.theme);
    let lines = match chosen {
        Some(id) => lines(scene, id),
        None => vec![Line::from(scene.ink("no node is chosen", Tone::Muted))],
    };
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }), inner);
}

fn lines(scene: &Scene<'_>, id: NodeId) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    if let Some(node) = scene.cluster.node(id) {
        judged(scene, node, &mut lines);
    }
    match scene.cluster.load(id, scene.now) {
        Some(seen) => figures(scene, seen.load, seen.stale, &mut lines),
        None => lines.push(facts::fact(scene, "load", vec![scene.figure(None)])),
    }
    if let Some(track) = scene.cluster.tracks.get(&id) {
        traces(scene, track, &mut lines);
    }
    lines.push(facts::heading("seen by"));
    observers(scene, id, &mut lines);
    evidence(scene, id, &mut lines);
    lines
}

/// What speaks for and against it, and what would change the verdict.
fn evidence(scene: &Scene<'_>, id: NodeId, lines: &mut Vec<Line<'static>>) {
    if scene.model.held.is_some() {
        return;
    }
    let Some(heard) = scene.model.answers.judged.about(id) else { return };
    lines.push(Line::default());
    let dossier = match &heard.value {
        Ok(dossier) => dossier,
        Err(why) => return lines.push(Line::from(scene.ink(why.clone(), Tone::Warn))),
    };
    let observer = scene.cluster.name(dossier.observer);
    lines.push(facts::heading(&format!("evidence, as {observer} has it")));
    for evidence in &dossier.axes {
        let glyphs = scene.theme.glyphs;
        let (glyph, tone) =
            if evidence.against { (glyphs.bad, Tone::Bad) } else { (glyphs.done, Tone::Good) };
        lines.push(Line::from(vec![
            scene.ink(format!("{glyph} "), tone),
            scene.ink(format!("{:<12} ", evidence.axis), Tone::Muted),
            Span::raw(evidence.seen.clone()),
        ]));
    }
    let others = dossier.others.iter().map(|(node, dead)| {
        let word = match dead {
            Some(true) => "dead",
            Some(false) => "alive",
            None => "can't say",
        };
        format!("{} {word}", scene.cluster.name(*node))
    });
    let others: Vec<String> = others.collect();
    if !others.is_empty() {
        lines.push(facts::plain(scene, "others", others.join(", ")));
    }
    for flip in &dossier.flips {
        let text = format!("{} {flip}", scene.theme.glyphs.arrow);
        lines.push(Line::from(scene.ink(text, Tone::Info)));
    }
}

fn judged(scene: &Scene<'_>, node: &NodeView, lines: &mut Vec<Line<'static>>) {
    let taken = scene.cluster.view().map_or(0, |view| view.taken_unix_ms);
    let mut verdict = state(scene, node);
    let since = format::age(taken.saturating_sub(node.since_unix_ms));
    verdict.push(scene.ink(format!(" for {since}"), Tone::Muted));
    if !node.why.is_empty() {
        verdict.push(Span::raw(format!(": {}", node.why)));
    }
    lines.push(facts::fact(scene, "state", verdict));
    let starts = node.incarnation.map_or_else(|| "?".into(), |count| count.to_string());
    let drills = if node.drills { ", drills" } else { "" };
    let about = format!("zone {}, capacity {}, start {starts}{drills}", node.zone, node.capacity);
    lines.push(facts::plain(scene, "node", about));
    let mut address = node.addresses.rpc.clone();
    let others = [("resp", &node.addresses.resp), ("http", &node.addresses.http)];
    for (name, other) in others {
        if let Some(other) = other {
            let port = other.rsplit(':').next().unwrap_or(other);
            address = format!("{address}, {name} {port}");
        }
    }
    lines.push(facts::plain(scene, "address", address));
    let holds = format!("{} shards of {} replicas", node.leaders, node.replicas);
    lines.push(facts::plain(scene, "leads", holds));
    if_lost(scene, node, lines);
}

/// What its loss would do now, as the agents have computed it.
fn if_lost(scene: &Scene<'_>, node: &NodeView, lines: &mut Vec<Line<'static>>) {
    let revision = scene.cluster.view().map_or(0, |view| view.revision);
    let known = scene.model.answers.foreseen.of(node.id, revision);
    let gone = node.state == NodeState::Down;
    let Some(known) = known.filter(|_| scene.model.held.is_none() && !gone) else { return };
    let (lost, spare) = (known.quorum_lost.len(), known.no_spare.len());
    let quorum = match lost {
        0 => scene.ink("no quorum lost", Tone::Good),
        _ => scene.ink(format!("{} without quorum", format::plural(lost, "shard")), Tone::Bad),
    };
    let rest = format!(
        ", {} without a spare, {} moved",
        format::plural(spare, "shard"),
        format::plural(known.leaders_moved.len(), "leader")
    );
    lines.push(facts::fact(scene, "if lost", vec![quorum, scene.ink(rest, Tone::Muted)]));
}

fn figures(scene: &Scene<'_>, load: &Load, stale: bool, lines: &mut Vec<Line<'static>>) {
    let known = |text: Option<String>| text.unwrap_or_else(|| scene.theme.glyphs.none.into());
    let cpu = known(load.cpu_percent.map(|cpu| format!("{cpu:.0}%")));
    let rss = known(load.rss_bytes.map(format::bytes));
    let disk = known(disk_share(load).map(|share| format!("{:.0}%", share * 100.0)));
    let p99 = known(load.write_p99_us.map(|us| format::micros(us.into())));
    let sync = known(load.sync_us.map(|us| format::micros(us.into())));
    let (reads, writes) = (format::rate(load.reads_s), format::rate(load.writes_s));
    let old = if stale { " (old)" } else { "" };
    let work = format!("{reads} reads/s, {writes} writes/s, p99 {p99}{old}");
    lines.push(facts::plain(scene, "work", work));
    let uses = format!("cpu {cpu}, rss {rss}, disk {disk}, sync {sync}");
    lines.push(facts::plain(scene, "uses", uses));
}

fn traces(scene: &Scene<'_>, track: &Track, lines: &mut Vec<Line<'static>>) {
    let phi = sparkline::render(track.phi.iter(), TRACE, PHI_SUSPECT, scene.theme);
    let tone = phi_tone(track.phi.last());
    lines.push(facts::fact(scene, "phi", vec![scene.ink(phi, tone)]));
    let most = track.ops.iter().flatten().fold(1.0, f64::max);
    let ops = sparkline::render(track.ops.iter(), TRACE, most, scene.theme);
    lines.push(facts::fact(scene, "ops/s", vec![scene.ink(ops, Tone::Info)]));
}

fn observers(scene: &Scene<'_>, id: NodeId, lines: &mut Vec<Line<'static>>) {
    let before = lines.len();
    for (observer, track) in &scene.cluster.tracks {
        let Some(report) = track.report.as_ref().filter(|_| *observer != id) else { continue };
        let Some(peer) = report.value.peers.iter().find(|peer| peer.node == id) else { continue };
        let fresh = track.fresh(scene.now).is_some();
        lines.push(observer_line(scene, *observer, peer, fresh));
    }
    if lines.len() == before {
        lines.push(Line::from(scene.ink("no report of any peer yet", Tone::Muted)));
    }
}

fn observer_line(
    scene: &Scene<'_>,
    observer: NodeId,
    peer: &PeerReport,
    fresh: bool,
) -> Line<'static> {
    let none = scene.theme.glyphs.none;
    let phi = peer.phi.map_or_else(|| none.into(), |phi| format!("{phi:.1}"));
    let heard = peer.heard_ms.map_or_else(|| none.into(), format::age);
    let trip = peer.round_trip_us.map_or_else(|| none.into(), |us| format::micros(us.into()));
    let dead = if peer.dead { scene.ink("  dead", Tone::Bad) } else { Span::raw("") };
    let line = Line::from(vec![
        Span::raw(format!("{:<9} ", scene.cluster.name(observer))),
        scene.ink("phi ", Tone::Muted),
        scene.ink(format!("{phi:>5}"), phi_tone(peer.phi)),
        scene.ink("  heard ", Tone::Muted),
        Span::raw(format!("{heard:>7}")),
        scene.ink("  rtt ", Tone::Muted),
        Span::raw(format!("{trip:>7}")),
        dead,
    ]);
    if fresh { line } else { line.patch_style(scene.theme.stale()) }
}
