//! The first line: how the cluster is, by the agents' own counts, and how fresh that is.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use evenkeel_shared::view::{ClusterView, FailoverMode, HealthCounts};

use super::fit::{self, Part, part};
use super::{Breakpoint, Scene};
use crate::tui::LinkState;
use crate::tui::action::Screen;
use crate::tui::format;
use crate::tui::hits::Target;
use crate::tui::model::lock::Lock;
use crate::tui::theme::{Theme, Tone};

/// ```text
///  demo ▲ DEGRADED  4/5 nodes  16 shards: 12 ok 4 under 0 unavail  ctl n1    LOCKED  ● live 0.3s
/// ```
pub(super) fn render(scene: &Scene<'_>, frame: &mut Frame<'_>, area: Rect) {
    let right = fit::line(right(scene), area.width);
    let taken = crate::tui::number::cells(right.width()).saturating_add(3);
    let width = area.width.saturating_sub(taken);
    let at = Rect { x: area.x + u16::from(area.width > 0), width, ..area };
    let left = fit::clickable(left(scene), width, scene.hits, at);
    let mut line = Line::from(Span::raw(" "));
    line.spans.extend(left.spans);
    frame.render_widget(line, area);
    let room = Rect { width: area.width.saturating_sub(1), ..area };
    frame.render_widget(right.right_aligned(), room);
}

fn left(scene: &Scene<'_>) -> Vec<Part> {
    let Some(view) = scene.cluster.view() else { return vec![part(0, waiting(scene))] };
    let stale = scene.cluster.is_stale(scene.now);
    let (glyph, tone) = scene.theme.glyphs.health(view.health);
    let word = if stale { format!("was {}", view.health) } else { view.health.to_string() };
    let tone = if stale { Tone::Muted } else { tone };
    let health = scene.ink(format!("{glyph} {word}"), tone).patch_style(Theme::title());
    let title = scene.ink(title(scene, view), Tone::Accent);
    let mut parts = vec![part(0, [title, Span::raw(" "), health])];
    let held = |mode: &FailoverMode| !mode.elects(view.taken_unix_ms);
    let modes = std::iter::once(&view.modes.cluster).chain(view.modes.keyspaces.values());
    if let Some(mode) = modes.copied().find(held) {
        let word = format!("FAILOVER {}", mode.to_string().to_uppercase());
        parts.push(part(1, [scene.ink(word, Tone::Warn)]));
    }
    parts.extend(counts(scene, &view.counts));
    if let Some(controller) = view.controller {
        parts.push(part(
            5,
            [scene.ink("ctl ", Tone::Muted), Span::raw(scene.cluster.name(controller))],
        ));
    }
    parts
}

/// The name of the cluster, or the start of its id.
pub(super) fn title(scene: &Scene<'_>, view: &ClusterView) -> String {
    match scene.model.title.as_str() {
        "" => view.cluster.to_string().chars().take(8).collect(),
        title => title.to_owned(),
    }
}

fn counts(scene: &Scene<'_>, counts: &HealthCounts) -> Vec<Part> {
    let tone = |count: u32, tone| if count == 0 { Tone::Muted } else { tone };
    let up = if counts.nodes_up < counts.nodes_total { Tone::Warn } else { Tone::Plain };
    let nodes = scene.ink(format!("{}/{} nodes", counts.nodes_up, counts.nodes_total), up);
    let shards = scene.ink(format!("{} shards:", counts.shards_total), Tone::Plain);
    let ok = scene.ink(format!("{} ok", counts.shards_ok), tone(counts.shards_ok, Tone::Good));
    let under = counts.shards_under_replicated;
    let under = scene.ink(format!("{under} under"), tone(under, Tone::Warn));
    let none = counts.shards_unavailable;
    let none = scene.ink(format!("{none} unavail"), tone(none, Tone::Bad));
    vec![
        part(1, [nodes]).of(Target::Counted(Screen::Nodes, "")),
        part(6, [shards]).of(Target::Counted(Screen::Shards, "")),
        part(5, [ok]).close().of(Target::Counted(Screen::Shards, "ok")),
        part(if counts.shards_under_replicated > 0 { 1 } else { 4 }, [under])
            .close()
            .of(Target::Counted(Screen::Shards, "under")),
        part(if counts.shards_unavailable > 0 { 1 } else { 3 }, [none])
            .close()
            .of(Target::Counted(Screen::Shards, "unavailable")),
    ]
}

fn waiting(scene: &Scene<'_>) -> Vec<Span<'static>> {
    let name = scene.model.title.clone();
    let mut spans = vec![scene.ink(name, Tone::Accent)];
    if !scene.model.title.is_empty() {
        spans.push(Span::raw(" "));
    }
    let more = scene.theme.glyphs.more;
    if scene.cluster.is_connected() {
        spans.push(scene.ink(format!("connected, waiting for the first view{more}"), Tone::Info));
        return spans;
    }
    let mut addresses = scene.cluster.links.keys().cloned();
    let first = addresses.next().unwrap_or_else(|| "an agent".into());
    let rest = addresses.count();
    let others = if rest > 0 { format!(" and {rest} more") } else { String::new() };
    spans.push(scene.ink(format!("connecting to {first}{others}{more}"), Tone::Info));
    spans
}

fn right(scene: &Scene<'_>) -> Vec<Part> {
    let mut parts = Vec::new();
    if let Some(held) = &scene.model.held {
        let events = format::plural(usize::try_from(held.events_since).unwrap_or(0), "event");
        let text = match (held.travel, scene.model.replay) {
            (None, _) => format!(" FROZEN {events} since "),
            (Some(_), false) => format!(" PAST {} ", format::time(held.at, &scene.model.zone)),
            (Some(_), true) => format!(" REPLAY {} ", format::time(held.at, &scene.model.zone)),
        };
        parts.push(part(0, [Span::styled(text, Theme::current())]));
    }
    let small = scene.room == Breakpoint::Small;
    let lock = match scene.model.lock {
        Lock::Closed => scene.ink("LOCKED", Tone::Muted),
        Lock::ReadOnly => scene.ink("READ-ONLY", Tone::Muted),
        Lock::Open => scene.ink("WRITE", Tone::Warn),
        Lock::OpenUntil(until) => {
            let left = until.saturating_sub(scene.model.now).div_ceil(1_000);
            let text = if small {
                "WRITE".into()
            } else {
                format!("WRITE {}:{:02}", left / 60, left % 60)
            };
            scene.ink(text, Tone::Warn)
        }
    };
    parts.push(part(0, [lock]));
    if let Some(drill) = scene.model.drill.as_ref().filter(|drill| drill.runs()) {
        let (number, of) = drill.step;
        let text = format!("DRILL {} {number}/{of}", drill.name);
        parts.push(part(1, [scene.ink(text, Tone::Bad)]));
    }
    if scene.model.unrecorded.is_some() {
        parts.push(part(1, [scene.ink(format!("{} REC", scene.theme.glyphs.good), Tone::Bad)]));
    }
    // How fresh what is held was is told by its own time.
    if scene.model.held.is_none() {
        parts.push(part(0, [live(scene)]));
    }
    parts
}

fn live(scene: &Scene<'_>) -> Span<'static> {
    let glyphs = scene.theme.glyphs;
    let age = scene.cluster.heard().map(|heard| heard.age(scene.now));
    let lost = scene.cluster.links.values().filter(|l| matches!(l.state, LinkState::Lost { .. }));
    let connected = scene.cluster.is_connected() || scene.cluster.links.is_empty();
    match age {
        Some(age) if !connected => {
            scene.ink(format!("{} lost, {} old", glyphs.bad, format::age(age)), Tone::Bad)
        }
        Some(age) if scene.cluster.is_stale(scene.now) => {
            scene.ink(format!("{} stale {}", glyphs.half, format::age(age)), Tone::Warn)
        }
        Some(age) => scene.ink(format!("{} live {}", glyphs.good, format::age(age)), Tone::Good),
        None if connected && !scene.cluster.links.is_empty() => {
            scene.ink(format!("{} connected", glyphs.half), Tone::Info)
        }
        None if lost.count() > 0 => scene.ink(format!("{} no agent", glyphs.bad), Tone::Bad),
        None => scene.ink(format!("{} connecting", glyphs.empty), Tone::Info),
    }
}
