//! How the model is drawn. Pure: everything shown, ages included, follows from the model.
//!
//! Every size from 1x1 draws; below 60x16 one line says how the cluster is and what is missing.

mod attention;
mod backups;
mod changes;
mod charts;
mod context;
mod dialog;
mod drill;
mod events;
mod facts;
mod failover;
mod fit;
mod footer;
mod header;
mod help;
mod hot;
mod load;
mod nodes;
mod palette;
mod plan;
mod policy;
mod present;
mod scrubber;
mod shards;
mod tiny;
mod what_if;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Span;
use ratatui::widgets::Clear;

use super::action::Screen;
use super::hits::Hits;
use super::model::cluster::Cluster;
use super::model::layer::Layer;
use super::model::{Model, SIZE_MIN};
use super::theme::{Theme, Tone};

/// What every view is drawn from.
#[derive(Clone, Copy)]
pub(crate) struct Scene<'a> {
    model: &'a Model,
    cluster: &'a Cluster,
    theme: &'a Theme,
    now: u64,
    room: Breakpoint,
    hits: &'a Hits,
}

impl Scene<'_> {
    /// Text in a tone.
    fn ink(&self, text: impl Into<String>, tone: Tone) -> Span<'static> {
        Span::styled(text.into(), self.theme.tone(tone))
    }

    /// Ordinary text, or the sign for no figure.
    fn figure(&self, text: Option<String>) -> Span<'static> {
        match text {
            Some(text) => Span::raw(text),
            None => self.ink(self.theme.glyphs.none, Tone::Muted),
        }
    }
}

/// How much room there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Breakpoint {
    /// Below 60x16: one line.
    Tiny,
    /// A classic terminal.
    Small,
    /// From 100x30.
    Normal,
    /// From 160 columns.
    Wide,
}

impl Breakpoint {
    fn of(area: Rect) -> Self {
        match (area.width, area.height) {
            (width, height) if width < SIZE_MIN.width || height < SIZE_MIN.height => Self::Tiny,
            (60..100, _) | (_, 16..30) => Self::Small,
            (100..160, _) => Self::Normal,
            _ => Self::Wide,
        }
    }
}

/// Draws the console, and notes what can be clicked where.
pub(crate) fn view(model: &Model, frame: &mut Frame<'_>, hits: &Hits) {
    draw(model, frame, hits);
    if model.theme.glyphs.is_ascii {
        // What agents write is theirs: names and sentences may hold anything.
        for cell in &mut frame.buffer_mut().content {
            if !cell.symbol().is_ascii() {
                cell.set_symbol(plain(cell.symbol()));
            }
        }
    }
}

/// The plain character that stands for another one.
fn plain(symbol: &str) -> &'static str {
    match symbol {
        "·" | "•" => ".",
        "→" | "▸" => ">",
        "–" | "—" | "−" => "-",
        "…" => "~",
        "×" => "x",
        _ => "?",
    }
}

fn draw(model: &Model, frame: &mut Frame<'_>, hits: &Hits) {
    let area = frame.area();
    let scene = Scene {
        model,
        cluster: model.shown(),
        theme: &model.theme,
        now: model.shown_at(),
        room: Breakpoint::of(area),
        hits,
    };
    if scene.room == Breakpoint::Tiny {
        tiny::render(&scene, frame, area);
        return;
    }
    let rows = [1, 0, 1, 1].map(|rows| match rows {
        0 => Constraint::Min(0),
        rows => Constraint::Length(rows),
    });
    let [top, body, context, bottom] = Layout::vertical(rows).areas(area);
    header::render(&scene, frame, top);
    let body = present::above(&scene, frame, body);
    draw_body(&scene, frame, body);
    context::render(&scene, frame, context);
    footer::render(&scene, frame, bottom);
    for layer in &model.layers {
        match layer {
            Layer::Help(scroll) => help::render(&scene, frame, body, *scroll),
            Layer::Dialog(open) => dialog::render(&scene, frame, body, open),
            Layer::Palette { input, chosen } => {
                palette::render(&scene, frame, body, (input, *chosen));
            }
            Layer::Drill(open) => drill::choice(&scene, frame, body, open),
            Layer::WhatIf(form) => what_if::render(&scene, frame, body, form),
            Layer::Policy(form) => policy::render(&scene, frame, body, form),
            Layer::Changes(scroll) => changes::render(&scene, frame, body, *scroll),
            Layer::Detail | Layer::Filter { .. } | Layer::GoTo { .. } | Layer::Save { .. } => {}
        }
    }
}

fn draw_body(scene: &Scene<'_>, frame: &mut Frame<'_>, body: Rect) {
    let detail = scene.model.layers.iter().any(|layer| matches!(layer, Layer::Detail));
    match (scene.model.screen, detail) {
        (Screen::Nodes, false) => nodes::render(scene, frame, body),
        (Screen::Load, false) => load::render(scene, frame, body),
        (Screen::Nodes | Screen::Load, true) => nodes::detail::full(scene, frame, body),
        (Screen::Shards, false) => shards::render(scene, frame, body),
        (Screen::Shards, true) => shards::detail::full(scene, frame, body),
        (Screen::Failover, false) => failover::render(scene, frame, body),
        (Screen::Failover, true) => failover::full(scene, frame, body),
        (Screen::Backups, false) => backups::render(scene, frame, body),
        (Screen::Backups, true) => backups::detail::full(scene, frame, body),
        (Screen::Events, false) => events::render(scene, frame, body),
        (Screen::Events, true) => events::detail::full(scene, frame, body),
    }
    // A lost connection greys the data itself, not a lamp in the corner.
    if scene.cluster.view().is_some() && scene.cluster.is_stale(scene.now) {
        frame.buffer_mut().set_style(body, scene.theme.stale());
    }
}

/// An emptied box in the middle of an area, never larger than it.
fn popup(scene: &Scene<'_>, frame: &mut Frame<'_>, area: Rect, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(area.width), height.min(area.height));
    let at = Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    };
    frame.render_widget(Clear, at);
    scene.hits.cover(at);
    at
}
