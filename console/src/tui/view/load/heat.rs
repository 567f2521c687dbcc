//! Shards by time: how much each had to do, the busiest on top, two to a row where colours tell.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};
use ratatui::text::{Line, Span};

use evenkeel_shared::ids::ShardId;
use evenkeel_shared::view::ShardView;

use crate::tui::format;
use crate::tui::hits::Target;
use crate::tui::model::heat::COLUMN_MS;
use crate::tui::number::{cells, float};
use crate::tui::theme::Tone;
use crate::tui::view::Scene;
use crate::tui::widget::panel::{self, Panel};

/// Cells of a row's name and of its present load.
const NAME: u16 = 8;
const NOW: u16 = 8;

/// ```text
/// s17     ▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀  3.1k
///         -16 m ──────────────── now
/// ```
pub(super) fn render(scene: &Scene<'_>, frame: &mut Frame<'_>, area: Rect) {
    let note = "ops/s by shard, darker is less".to_owned();
    let frame_of = Panel { title: "Heat", note, alarm: false };
    let inner = panel::render(frame, area, &frame_of, scene.theme);
    let Some(view) = scene.cluster.view() else { return };
    if inner.height < 2 || inner.width < NAME + NOW + 8 {
        return;
    }
    let lines = usize::from(inner.height - 1);
    let colours = scene.theme.heat();
    let each = if colours.is_some() { 2 } else { 1 };
    let rows = rows(&view.shards, lines * each);
    let width = inner.width - NAME - NOW;
    let grid = scene.cluster.heat.rows(&ids(&rows), usize::from(width), scene.now);
    let (least, most) = span(&grid, scene.model.gain);
    let shade = |level: u8| match level {
        0 => None,
        level => Some(
            float(u64::from(level.saturating_sub(least))) / float((most - least).max(1).into()),
        ),
    };
    for (line, pair) in rows.chunks(each).enumerate() {
        let y = inner.y + cells(line);
        let first = line * each;
        let mut out = Line::from(scene.ink(name(&pair[0]), Tone::Muted));
        for x in 0..usize::from(width) {
            let levels = [0, 1].map(|below| grid.get(first + below).map_or(0, |row| row[x]));
            out.push_span(match &colours {
                Some(colours) => half(levels.map(|level| colour(colours, shade(level)))),
                None => Span::raw(density(scene, shade(levels[0]))),
            });
        }
        let now: f64 = pair.iter().flatten().filter_map(|shard| shard.ops_s).sum();
        out.push_span(scene.ink(format!("{:>7}", format::rate(now)), Tone::Plain));
        frame.render_widget(out, Rect { y, height: 1, ..inner });
        let shards = pair.iter().flatten().next();
        if let Some(shard) = shards {
            let at = Rect { y, height: 1, width: NAME.min(inner.width), ..inner };
            scene.hits.note(at, Target::Shard(shard.id));
        }
    }
    axis(scene, frame, inner, width);
}

/// The time below, each column a moment that a click goes to.
fn axis(scene: &Scene<'_>, frame: &mut Frame<'_>, inner: Rect, width: u16) {
    let y = inner.bottom() - 1;
    let span = format::short_age(u64::from(width) * COLUMN_MS);
    let rule = scene.theme.glyphs.track.repeat(usize::from(width).saturating_sub(span.len() + 6));
    let text = format!("{}-{span} {rule} now", " ".repeat(usize::from(NAME)));
    frame.render_widget(Line::from(scene.ink(text, Tone::Muted)), Rect { y, height: 1, ..inner });
    for x in 0..width {
        let back = u64::from(width - 1 - x) * COLUMN_MS;
        let at = Rect { x: inner.x + NAME + x, y: inner.y, width: 1, height: inner.height };
        scene.hits.note(at.intersection(inner), Target::Moment(scene.now.saturating_sub(back)));
    }
}

/// The busiest shards, one a row; with more shards than rows several share one, in order of ids.
fn rows(shards: &[ShardView], most: usize) -> Vec<Vec<&ShardView>> {
    if shards.len() <= most {
        let mut rows: Vec<Vec<&ShardView>> = shards.iter().map(|shard| vec![shard]).collect();
        let ops = |shard: &ShardView| shard.ops_s.unwrap_or(0.0);
        rows.sort_by(|a, b| ops(b[0]).total_cmp(&ops(a[0])).then(a[0].id.cmp(&b[0].id)));
        return rows;
    }
    let each = shards.len().div_ceil(most.max(1));
    shards.chunks(each).map(|chunk| chunk.iter().collect()).collect()
}

fn ids(rows: &[Vec<&ShardView>]) -> Vec<Vec<ShardId>> {
    rows.iter().map(|row| row.iter().map(|shard| shard.id).collect()).collect()
}

fn name(row: &[&ShardView]) -> String {
    let text = match row {
        [] => String::new(),
        [one] => one.id.to_string(),
        [first, ..] => format!("{}+", first.id),
    };
    format!("{text:<8}")
}

/// The lowest and the highest level; the gain lifts or lowers what counts as much.
fn span(grid: &[Vec<u8>], gain: i8) -> (u8, u8) {
    let known = || grid.iter().flatten().copied().filter(|level| *level > 0);
    let (least, most) = (known().min().unwrap_or(1), known().max().unwrap_or(2));
    let lifted = i16::from(most) - i16::from(gain) * 4;
    let most = u8::try_from(lifted.clamp(i16::from(least) + 1, 255)).unwrap_or(u8::MAX);
    // Differences of less than a doubling are noise, not heat.
    (least.min(most.saturating_sub(8)), most)
}

fn colour(colours: &[u8], shade: Option<f64>) -> Option<Color> {
    let last = u32::try_from(colours.len() - 1).unwrap_or(0);
    let place = crate::tui::number::share(shade?, last);
    colours.get(usize::try_from(place).unwrap_or(0)).map(|index| Color::Indexed(*index))
}

fn half([upper, lower]: [Option<Color>; 2]) -> Span<'static> {
    let mut style = Style::new();
    if let Some(lower) = lower {
        style = style.bg(lower);
    }
    match upper {
        Some(upper) => Span::styled("▀", style.fg(upper)),
        None => Span::styled(" ", style),
    }
}

fn density(scene: &Scene<'_>, shade: Option<f64>) -> &'static str {
    let Some(shade) = shade else { return " " };
    let glyphs = scene.theme.glyphs.bars;
    glyphs[usize::try_from(crate::tui::number::share(shade, 8)).unwrap_or(0)]
}
