//! The last line: the screens, and the keys of this one. Locked keys are struck through.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::Scene;
use crate::tui::action::{BINDINGS, Binding, Command, Guard, Screen};
use crate::tui::hits::Target;
use crate::tui::model::acts;
use crate::tui::model::lock::Lock;
use crate::tui::theme::{Theme, Tone};

/// ```text
///  1 Nodes 2 Shards 3 Load 5 Backups 6 Events │ Enter open / filter K kill W unlock ? help
/// ```
pub(super) fn render(scene: &Scene<'_>, frame: &mut Frame<'_>, area: Rect) {
    let mut line = Line::from(Span::raw(" "));
    screens(scene, area, &mut line);
    line.push_span(Span::styled(format!(" {} ", scene.theme.glyphs.rule), scene.theme.line()));
    let keys: Vec<&Binding> = BINDINGS
        .iter()
        .filter(|binding| binding.footer && binding.works_on(scene.model.screen))
        .collect();
    let room = usize::from(area.width).saturating_sub(line.width() + 1);
    let label = |key: &Binding| scene.model.keys.label(key);
    // `unlock` is two longer than `lock`.
    let spare = |key: &Binding| if key.command == Command::Unlock { 2 } else { 0 };
    let width = |key: &Binding| label(key).len() + key.name.len() + 2 + spare(key);
    let full = keys.iter().map(|key| width(key)).sum::<usize>() <= room;
    // Whoever is lost finds help, however narrow the screen is.
    let help = |key: &Binding| key.command == Command::Help;
    let reserved = keys.iter().find(|key| help(key)).map_or(0, |key| label(key).len() + 1);
    let mut left = room;
    for key in keys {
        let bare = !full && is_plain(key);
        let wide = if bare { label(key).len() + 1 } else { width(key) };
        if wide + if help(key) { 0 } else { reserved } > left {
            continue;
        }
        left -= wide;
        let x = area.x.saturating_add(crate::tui::number::cells(line.width()));
        let at = Rect { x, width: crate::tui::number::cells(wide), ..area };
        scene.hits.note(at.intersection(area), Target::Command(key.command));
        push(scene, key, bare, &mut line);
    }
    frame.render_widget(line, area);
}

/// Keys whose name can be left out when there is no room: help tells it.
fn is_plain(key: &Binding) -> bool {
    matches!(key.label, "Enter" | "/" | ":" | "s" | "?")
}

fn push(scene: &Scene<'_>, key: &Binding, bare: bool, line: &mut Line<'static>) {
    let never = key.command == Command::Unlock
        && (scene.model.replay || scene.model.lock == Lock::ReadOnly);
    let locked = key.guard == Guard::Locked && acts::refusal(scene.model, key.command).is_some();
    let off = never || locked;
    let (label, name) = if off {
        (scene.theme.off(), scene.theme.off())
    } else if key.guard == Guard::Locked {
        (scene.theme.tone(Tone::Warn), scene.theme.tone(Tone::Plain))
    } else {
        (Theme::title(), scene.theme.tone(Tone::Muted))
    };
    line.push_span(Span::styled(scene.model.keys.label(key), label));
    if !bare {
        line.push_span(Span::raw(" "));
        let word = match (key.command, scene.model.lock.refusal()) {
            (Command::Unlock, Some(_)) => "unlock",
            _ => key.name,
        };
        line.push_span(Span::styled(word, name));
    }
    line.push_span(Span::raw(" "));
}

fn screens(scene: &Scene<'_>, area: Rect, line: &mut Line<'static>) {
    for (index, screen) in Screen::ALL.into_iter().enumerate() {
        if index > 0 {
            line.push_span(Span::raw(" "));
        }
        let from = crate::tui::number::cells(line.width());
        let current = screen == scene.model.screen;
        if current {
            let text = format!(" {} {} ", screen.digit(), screen.name());
            line.push_span(Span::styled(text, Theme::current()));
        } else {
            line.push_span(Span::styled(screen.digit().to_string(), Theme::title()));
            if area.width >= 118 {
                line.push_span(scene.ink(format!(" {}", screen.name()), Tone::Muted));
            }
        }
        let width = crate::tui::number::cells(line.width()).saturating_sub(from);
        let at = Rect { x: area.x.saturating_add(from), width, ..area };
        scene.hits.note(at.intersection(area), Target::Screen(screen));
    }
}
