//! The confirmation of a harmful act: what the agents say it would do, then the ladder's rung.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};

use evenkeel_shared::ids::ShardId;
use evenkeel_shared::preflight::{Action, Harm, Preflight};
use evenkeel_shared::view::RecoveryChange;

use super::{Scene, popup};
use crate::tui::format;
use crate::tui::model::acts;
use crate::tui::model::dialog::{Choice, Dialog, Stage};
use crate::tui::number::cells;
use crate::tui::theme::{Theme, Tone};
use crate::tui::widget::panel::{self, Panel};

const WIDTH: u16 = 76;
/// Places that are listed at once.
const PLACES_SHOWN: usize = 8;
/// Shards that are named before the rest is counted.
const SHARDS_NAMED: usize = 8;

/// ```text
/// ╭ kill n3 ───────────────────────── revision 412, 0.3 s old ╮
/// │ ✖ quorum lost   2 shards: s4 s9                           │
/// │   leaders moved 3 shards: s1 s4 s9                        │
/// │ stays down ◂ 10.0 s ▸                                     │
/// │ y does it, n or Esc leaves it                             │
/// ╰───────────────────────────────────────────────────────────╯
/// ```
pub(super) fn render(scene: &Scene<'_>, frame: &mut Frame<'_>, body: Rect, dialog: &Dialog) {
    let mut lines = vec![Line::default()];
    let (mut note, mut alarm) = (String::new(), false);
    if let Some(again) = &dialog.again {
        let glyph = scene.theme.glyphs.warn;
        lines.push(Line::from(scene.ink(format!("{glyph} {again}"), Tone::Warn)));
        lines.push(Line::default());
    }
    places(scene, dialog, &mut lines);
    match &dialog.stage {
        Stage::Archive => {
            lines.push(Line::from("Into which archive? A folder on the agents' disks."));
            lines.push(Line::default());
            lines.push(prompt(scene, dialog, "archive"));
        }
        Stage::Asking { since } => {
            let age = format::age(scene.model.now.saturating_sub(*since));
            let text =
                format!("asking the agents what it would do{} {age}", scene.theme.glyphs.more);
            lines.push(Line::from(scene.ink(text, Tone::Info)));
        }
        Stage::Failed { why } => {
            lines.push(Line::from(scene.ink(format!("no answer: {why}"), Tone::Bad)));
            lines.push(Line::default());
            lines.push(keys(scene, "r asks again, any other key leaves it"));
        }
        Stage::Ready { preflight, at } => {
            let age = format::age(scene.model.now.saturating_sub(*at));
            note = format!("revision {}, {age} old", preflight.revision);
            alarm = preflight.harm == Harm::Break || preflight.refused.is_some();
            effects(scene, preflight, &mut lines);
            lines.push(Line::default());
            let places = matches!(dialog.choice, Choice::Place { .. });
            if preflight.refused.is_some() && places {
                lines.extend(choice(scene, dialog));
                lines.push(keys(scene, "arrows choose another, Esc leaves it"));
            } else if preflight.refused.is_some() {
                lines.push(keys(scene, "any key leaves it"));
            } else {
                rung(scene, dialog, preflight.harm, &mut lines);
            }
        }
    }
    if let Some(hint) = &dialog.hint {
        lines.push(Line::from(scene.ink(hint.clone(), Tone::Warn)));
    }
    lines.push(Line::default());
    let width = WIDTH.min(body.width.saturating_sub(2));
    let text_width = usize::from(width.saturating_sub(4)).max(1);
    let height = wrapped_rows(&lines, text_width);
    let at = popup(scene, frame, body, width, height.saturating_add(2));
    let title = match &dialog.stage {
        Stage::Ready { preflight, .. } if !preflight.title.is_empty() => preflight.title.clone(),
        _ => dialog.title.clone(),
    };
    let inner = panel::render(frame, at, &Panel { title: &title, note, alarm }, scene.theme);
    let inner = Rect {
        x: inner.x + u16::from(inner.width > 2),
        width: inner.width.saturating_sub(2),
        ..inner
    };
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }), inner);
}

/// Rows that the lines take when words are wrapped.
fn wrapped_rows(lines: &[Line<'_>], width: usize) -> u16 {
    let rows = lines.iter().map(|line| {
        let (mut rows, mut used) = (1, 0);
        for word in line.to_string().split_inclusive(' ') {
            let wide = Span::raw(word).width();
            if used > 0 && used + wide > width {
                (rows, used) = (rows + 1, 0);
            }
            used += wide;
            rows += used.saturating_sub(1) / width;
            used = used.min(width);
        }
        rows
    });
    cells(rows.sum())
}

fn effects(scene: &Scene<'_>, preflight: &Preflight, lines: &mut Vec<Line<'static>>) {
    let glyphs = scene.theme.glyphs;
    if let Some(refused) = &preflight.refused {
        lines.push(Line::from(
            scene.ink(format!("{} can't be done: {refused}", glyphs.bad), Tone::Bad),
        ));
    }
    let groups = [
        ("quorum lost", &preflight.quorum_lost, glyphs.bad, Tone::Bad),
        ("no copy to spare", &preflight.no_spare, glyphs.warn, Tone::Warn),
        ("leaders moved", &preflight.leaders_moved, glyphs.dot, Tone::Info),
    ];
    for (label, shards, glyph, tone) in groups {
        let none = shards.is_empty();
        let (glyph, tone) = if none { (glyphs.done, Tone::Good) } else { (glyph, tone) };
        lines.push(Line::from(vec![
            scene.ink(format!("{glyph} "), tone),
            scene.ink(format!("{label:<17}"), Tone::Muted),
            if none { Span::raw("none") } else { scene.ink(named(shards), tone) },
        ]));
    }
    if let Some(writes) = preflight.writes_dropped {
        let tone = if writes == 0 { Tone::Good } else { Tone::Bad };
        let glyph = if writes == 0 { glyphs.done } else { glyphs.bad };
        lines.push(Line::from(vec![
            scene.ink(format!("{glyph} "), tone),
            scene.ink(format!("{:<17}", "writes dropped"), Tone::Muted),
            scene.ink(writes.to_string(), tone),
        ]));
    }
    if let Some(bytes) = preflight.bytes_to_repair {
        lines.push(Line::from(vec![
            scene.ink(format!("{} ", glyphs.dot), Tone::Info),
            scene.ink(format!("{:<17}", "to be copied"), Tone::Muted),
            Span::raw(format!("about {}", format::bytes(bytes))),
        ]));
    }
    for note in &preflight.notes {
        lines.push(Line::from(vec![
            scene.ink(format!("{} ", glyphs.dot), Tone::Muted),
            Span::raw(note.clone()),
        ]));
    }
    if let Some(safer) = &preflight.safer {
        lines.push(Line::from(vec![
            scene.ink(format!("{} safer: ", glyphs.arrow), Tone::Good),
            Span::raw(safer.clone()),
        ]));
    }
}

fn named(shards: &[ShardId]) -> String {
    let names: Vec<String> = shards.iter().map(ToString::to_string).collect();
    format!("{}: {}", format::plural(names.len(), "shard"), format::some_of(&names, SHARDS_NAMED))
}

fn rung(scene: &Scene<'_>, dialog: &Dialog, harm: Harm, lines: &mut Vec<Line<'static>>) {
    if let Choice::Mode(_) = dialog.choice {
        let now = scene.cluster.view().map(|view| view.modes.cluster.to_string());
        let text = format!("now it is {}", now.unwrap_or_else(|| "?".to_owned()));
        lines.push(Line::from(scene.ink(text, Tone::Muted)));
    }
    if let Some(choice) = choice(scene, dialog) {
        lines.push(choice);
        lines.push(Line::default());
    }
    let Some(phrase) = dialog.phrase() else {
        lines.push(keys(scene, "y does it, n or Esc leaves it, Y copies the command line"));
        return;
    };
    let (text, tone) = match harm {
        Harm::Break => ("This breaks something.", Tone::Bad),
        _ => ("Something is at risk.", Tone::Warn),
    };
    lines.push(Line::from(vec![
        scene.ink(format!("{text} Type "), tone),
        Span::styled(phrase, Theme::title()),
        scene.ink(" and Enter:", tone),
    ]));
    lines.push(prompt(scene, dialog, "confirm"));
}

fn choice(scene: &Scene<'_>, dialog: &Dialog) -> Option<Line<'static>> {
    let [left, right] = scene.theme.glyphs.pages;
    let (label, value) = match (&dialog.choice, &dialog.action) {
        (Choice::Lasts, Action::Kill { down_secs, .. }) => {
            ("stays down", acts::down_words(*down_secs))
        }
        (Choice::Lasts, Action::Fault { secs, .. }) => ("lasts", acts::down_words(Some(*secs))),
        (
            Choice::Place { .. },
            Action::ReplicaAdd { node, .. } | Action::ReplicaRemove { node, .. },
        ) => ("on node", scene.cluster.name(*node)),
        (Choice::Mode(modes), Action::Recover(RecoveryChange::SetMode { mode, .. })) => {
            let chosen = modes.iter().find(|(_, known)| known == mode);
            ("it is started by", chosen.map_or("?", |(words, _)| words).to_owned())
        }
        (Choice::Step(steps), Action::Recover(RecoveryChange::Decide { step, .. })) => {
            let place = steps.iter().position(|known| known == step).map_or(0, |place| place + 1);
            ("step", format!("{step} ({place} of {})", steps.len()))
        }
        (Choice::Target(_), Action::Switchover { to, .. } | Action::Failover { to, .. }) => (
            "new leader",
            to.map_or_else(|| "the best candidate".into(), |id| scene.cluster.name(id)),
        ),
        _ => return None,
    };
    let value = if dialog.editing_choice {
        Span::styled(format!(" {value} "), Theme::current())
    } else {
        Span::styled(value, Theme::title())
    };
    let how = match (&dialog.choice, dialog.editing_choice) {
        (_, true) => "type seconds, Enter is done",
        (Choice::Lasts, false) => "arrows or Tab change it",
        _ => "arrows change it",
    };
    Some(Line::from(vec![
        scene.ink(format!("{label}  {left} "), Tone::Muted),
        value,
        scene.ink(format!(" {right}   {how}"), Tone::Muted),
    ]))
}

/// Every place that can be chosen, the chosen one marked, and why some can't be.
fn places(scene: &Scene<'_>, dialog: &Dialog, lines: &mut Vec<Line<'static>>) {
    let Choice::Place { nodes, verdicts } = &dialog.choice else { return };
    let chosen = match &dialog.action {
        Action::ReplicaAdd { node, .. } | Action::ReplicaRemove { node, .. } => *node,
        _ => return,
    };
    let glyphs = scene.theme.glyphs;
    let at = nodes.iter().position(|node| *node == chosen).unwrap_or(0);
    let first = at.saturating_sub(PLACES_SHOWN / 2).min(nodes.len().saturating_sub(PLACES_SHOWN));
    for node in nodes.iter().skip(first).take(PLACES_SHOWN) {
        let cursor = if *node == chosen { glyphs.cursor } else { " " };
        let zone = scene.cluster.node(*node).map(|node| node.zone.clone()).unwrap_or_default();
        let (glyph, tone, words) = match verdicts.get(node) {
            None => (glyphs.empty, Tone::Muted, "asking".to_owned()),
            Some(None) => (glyphs.done, Tone::Good, "can be chosen".to_owned()),
            Some(Some(why)) => (glyphs.bad, Tone::Muted, why.clone()),
        };
        let name = scene.cluster.name(*node);
        lines.push(Line::from(vec![
            scene.ink(format!("{cursor} "), Tone::Accent),
            scene.ink(format!("{glyph} "), tone),
            Span::raw(format!("{name:<8} ")),
            scene.ink(format!("{zone:<5} "), Tone::Muted),
            scene.ink(words, tone),
        ]));
    }
    if nodes.len() > PLACES_SHOWN {
        let more = format!("  {} of {} nodes", PLACES_SHOWN, nodes.len());
        lines.push(Line::from(scene.ink(more, Tone::Muted)));
    }
    lines.push(Line::default());
}

fn prompt(scene: &Scene<'_>, dialog: &Dialog, label: &str) -> Line<'static> {
    let cursor = dialog.input.cursor();
    let before: String = dialog.input.value().chars().take(cursor).collect();
    let after: String = dialog.input.value().chars().skip(cursor).collect();
    Line::from(vec![
        scene.ink(format!("{label} > "), Tone::Accent),
        Span::raw(before),
        scene.ink(scene.theme.glyphs.caret, Tone::Accent),
        Span::raw(after),
    ])
}

fn keys(scene: &Scene<'_>, text: &str) -> Line<'static> {
    Line::from(scene.ink(text.to_owned(), Tone::Accent))
}
