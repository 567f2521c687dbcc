//! One shard: its range, its leader, and each replica with its lag.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};

use evenkeel_shared::ids::NodeId;
use evenkeel_shared::view::{NodeState, ReplicaRole, ReplicaState, ReplicaView, ShardView};

use crate::tui::format;
use crate::tui::model::rows;
use crate::tui::theme::{self, Tone};
use crate::tui::view::{Scene, facts};
use crate::tui::widget::panel::{self, Panel};

/// Slot ranges that are written out.
const RANGES_SHOWN: usize = 4;

/// The chosen shard beside the matrix.
pub(super) fn pane(scene: &Scene<'_>, frame: &mut Frame<'_>, area: Rect) {
    draw(scene, frame, area, String::new());
}

/// The chosen shard over the whole body.
pub(in crate::tui::view) fn full(scene: &Scene<'_>, frame: &mut Frame<'_>, area: Rect) {
    draw(scene, frame, area, "Esc closes".into());
}

fn draw(scene: &Scene<'_>, frame: &mut Frame<'_>, area: Rect, note: String) {
    let chosen = scene.model.chosen.shard.chosen(&rows::shards(scene.model));
    let title = chosen.map_or_else(|| "Shard".into(), |id| id.to_string());
    let inner =
        panel::render(frame, area, &Panel { title: &title, note, alarm: false }, scene.theme);
    let lines = match chosen.and_then(|id| scene.cluster.shard(id)) {
        Some(shard) => lines(scene, shard),
        None => vec![Line::from(scene.ink("no shard is chosen", Tone::Muted))],
    };
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }), inner);
}

fn lines(scene: &Scene<'_>, shard: &ShardView) -> Vec<Line<'static>> {
    let (word, tone) = theme::shard_health(shard.health);
    let copies = format!(" {}/{} copies", rows::copies(shard), shard.wanted);
    let health = vec![scene.ink(word, tone), scene.ink(copies, Tone::Muted)];
    let keyspace =
        if shard.id.is_system() { "the cluster's own facts" } else { &shard.keyspace_name };
    let ranges: Vec<String> =
        shard.slots.iter().map(|range| format!("{}-{}", range.0, range.1)).collect();
    let leader = match shard.leader {
        Some(leader) => Span::raw(scene.cluster.name(leader)),
        None => scene.ink("none", Tone::Bad),
    };
    let term = scene.ink(format!(" term {} {}", shard.term, shard.epoch), Tone::Muted);
    let committed = scene.figure(shard.committed.map(|index| index.to_string()));
    let ops = scene.figure(shard.ops_s.map(format::rate));
    let log = scene.figure(shard.log_bytes.map(format::bytes));
    let mut lines = vec![
        facts::fact(scene, "health", health),
        facts::plain(scene, "keyspace", keyspace),
        facts::plain(scene, "slots", format::some_of(&ranges, RANGES_SHOWN)),
        facts::plain(scene, "phase", format!("{:?}", shard.phase).to_lowercase()),
        facts::fact(scene, "leader", vec![leader, term]),
        facts::fact(scene, "committed", vec![committed]),
        facts::fact(scene, "ops/s", vec![ops]),
        facts::fact(scene, "log", vec![log]),
        Line::default(),
        facts::heading("replicas"),
    ];
    lines.extend(shard.replicas.iter().map(|replica| replica_line(scene, replica)));
    next_leader(scene, shard, &mut lines);
    let about: Vec<Line<'static>> = scene
        .cluster
        .journal
        .iter()
        .rev()
        .filter(|(_, event)| event.shard == Some(shard.id))
        .take(6)
        .map(|(_, event)| facts::event(scene, event))
        .collect();
    if !about.is_empty() {
        lines.push(Line::default());
        lines.push(facts::heading("what happened, newest first"));
        lines.extend(about);
    }
    lines
}

/// Who would lead next and why nobody else, how long it would take, what it could lose.
fn next_leader(scene: &Scene<'_>, shard: &ShardView, lines: &mut Vec<Line<'static>>) {
    if scene.model.held.is_some() {
        return;
    }
    let Some(heard) = scene.model.answers.explained.about(shard.id) else { return };
    lines.push(Line::default());
    let known = match &heard.value {
        Ok(known) => known,
        Err(why) => {
            lines.push(facts::heading("who would lead next"));
            lines.push(Line::from(scene.ink(why.clone(), Tone::Warn)));
            return;
        }
    };
    let heir = known.heir.map_or_else(|| "nobody".into(), |id| scene.cluster.name(id));
    let tone = if known.heir.is_some() { Tone::Plain } else { Tone::Bad };
    let mut head = facts::heading("who would lead next: ");
    head.push_span(scene.ink(heir, tone));
    lines.push(head);
    let glyphs = scene.theme.glyphs;
    for candidate in &known.candidates {
        let (glyph, tone) = match (known.heir == Some(candidate.node), candidate.able) {
            (true, _) => (glyphs.done, Tone::Good),
            (false, true) => (glyphs.dot, Tone::Plain),
            (false, false) => (glyphs.bad, Tone::Muted),
        };
        lines.push(Line::from(vec![
            scene.ink(format!("{glyph} "), tone),
            Span::raw(format!("{:<8} ", scene.cluster.name(candidate.node))),
            scene.ink(candidate.why.clone(), tone),
        ]));
    }
    let loss = match known.loss {
        Some(0) => scene.ink("0 acknowledged writes", Tone::Good),
        Some(writes) => scene.ink(format!("{writes} acknowledged writes at most"), Tone::Bad),
        None => scene.ink("not known", Tone::Warn),
    };
    let why = scene.ink(format!(": {}", known.loss_why), Tone::Muted);
    lines.push(facts::fact(scene, "could lose", vec![loss, why]));
    let total: Option<u64> = known.expected.all().into_iter().flatten().reduce(|a, b| a + b);
    if let Some(total) = total {
        let samples = format!(" by {} failovers so far", known.samples);
        let took = vec![Span::raw(format!("about {}", format::micros(total)))];
        let samples = scene.ink(samples, Tone::Muted);
        lines.push(facts::fact(scene, "would take", [took, vec![samples]].concat()));
    }
    if let Some(last) = &known.last {
        let when = format::time(last.unix_ms, &scene.model.zone);
        let text = format!("{when} {} {}", last.cause, last.phases);
        lines.push(facts::plain(scene, "last time", text));
    }
}

/// A copy on a dead node comes back with it: it is not lost.
fn is_down(scene: &Scene<'_>, node: NodeId) -> bool {
    scene.cluster.node(node).is_some_and(|node| node.state == NodeState::Down)
}

fn replica_line(scene: &Scene<'_>, replica: &ReplicaView) -> Line<'static> {
    let (letter, tone) = theme::replica(replica.state);
    let word = match replica.state {
        ReplicaState::Leader => "leader",
        ReplicaState::Follower => "follower",
        ReplicaState::Filling => "filling",
        ReplicaState::Leaving => "leaving",
        ReplicaState::Lost if is_down(scene, replica.node) => "down",
        ReplicaState::Lost => "lost",
        ReplicaState::Unknown => "unknown",
        ReplicaState::Damaged => "damaged",
    };
    let role = if replica.role == ReplicaRole::Voter { "voter" } else { "learner" };
    if let Some(why) = &replica.why {
        return Line::from(vec![
            scene.ink(letter, tone),
            Span::raw(format!(" {:<8} ", scene.cluster.name(replica.node))),
            scene.ink(format!("{word:<9}"), tone),
            Span::raw(why.clone()),
        ]);
    }
    let lag = match (replica.state, replica.lag) {
        (ReplicaState::Leader, _) => Span::raw(""),
        (_, Some(0)) => scene.ink("in step", Tone::Muted),
        (_, Some(lag)) => Span::raw(format!("{lag} behind")),
        (_, None) => scene.ink("lag ?", Tone::Muted),
    };
    Line::from(vec![
        scene.ink(letter, tone),
        Span::raw(format!(" {:<8} ", scene.cluster.name(replica.node))),
        scene.ink(format!("{word:<9}"), tone),
        scene.ink(format!("{role:<8}"), Tone::Muted),
        lag,
    ])
}
