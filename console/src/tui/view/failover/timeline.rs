//! One incident: each shard's way from the last sign of life to the first write, part by part, the
//! slowest shard, which is the critical path, on top.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use evenkeel_shared::explain::{PHASES, Phases};

use crate::tui::format;
use crate::tui::model::failovers::{Incident, Rise, median};
use crate::tui::number::{cells, float, share};
use crate::tui::theme::Tone;
use crate::tui::view::Scene;
use crate::tui::widget::panel::{self, Panel};

/// Rows that are not shards: frame, scale, summary, legend.
pub(super) const ROWS_BESIDE: u16 = 6;
/// Cells of the columns beside the bar: shard, leader, total, against the median.
const NAMES: usize = 7 + 7;
const FIGURES: usize = 9 + 11;
/// Cells of one part's figure.
const PART: usize = 9;

/// Draws the chosen incident.
pub(super) fn render(
    scene: &Scene<'_>,
    frame: &mut Frame<'_>,
    area: Rect,
    (found, chosen): (&[Incident], Option<usize>),
    note: String,
) {
    let incident = chosen.map(|place| &found[place]);
    let title = match incident {
        Some(incident) => {
            let when = format::time(incident.unix_ms, &scene.model.zone);
            format!("{} at {when}", incident.cause)
        }
        None => "Timeline".to_owned(),
    };
    let inner =
        panel::render(frame, area, &Panel { title: &title, note, alarm: false }, scene.theme);
    let lines = match incident {
        Some(incident) => lines(scene, incident, median(found), inner),
        None => vec![Line::from(scene.ink("choose a failover above", Tone::Muted))],
    };
    frame.render_widget(Paragraph::new(lines), inner);
}

fn lines(
    scene: &Scene<'_>,
    incident: &Incident,
    median: Option<u64>,
    area: Rect,
) -> Vec<Line<'static>> {
    let mut lines = vec![summary(scene, incident, median)];
    let full = incident.slowest().and_then(|rise| rise.total_us);
    let parts = usize::from(area.width) >= NAMES + FIGURES + 5 * PART + 24;
    let beside = NAMES + FIGURES + if parts { 5 * PART } else { 0 };
    let room = usize::from(area.width).saturating_sub(beside + 1);
    let scale = full.map_or(1, ceiling);
    lines.push(head(scene, (scale, room), parts));
    let shown = usize::from(area.height).saturating_sub(4);
    for rise in incident.rises.iter().take(shown) {
        lines.push(row(scene, rise, median, (scale, room), parts));
    }
    if incident.rises.len() > shown {
        let more = format!("and {} more, all quicker", incident.rises.len() - shown);
        lines.push(Line::from(scene.ink(more, Tone::Muted)));
    }
    lines.push(legend(scene));
    lines
}

/// What it came to: the slowest shard, its longest part.
fn summary(scene: &Scene<'_>, incident: &Incident, median: Option<u64>) -> Line<'static> {
    if incident.planned && incident.cause.contains("handed over") {
        let text = "handed over as planned: writes were held, none was lost";
        return Line::from(scene.ink(text, Tone::Good));
    }
    let Some((rise, total)) = incident.slowest().and_then(|rise| Some((rise, rise.total_us?)))
    else {
        return Line::from(scene.ink("its parts were not measured", Tone::Muted));
    };
    let named = PHASES.iter().zip(rise.phases.all());
    let longest = named.filter_map(|(name, us)| Some((us?, *name))).max();
    let mut line = Line::from(vec![
        scene.ink("critical path ", Tone::Muted),
        scene.ink(rise.shard.to_string(), Tone::Accent),
        Span::raw(format!(" {}", format::micros(total))),
    ]);
    if let Some((us, name)) = longest {
        let part = format!(", most of it to {name}: {}", format::micros(us));
        line.push_span(Span::raw(part));
    }
    if let Some(median) = median {
        line.push_span(scene.ink(format!(", {} the median", against(total, median)), Tone::Muted));
    }
    line
}

fn against(total: u64, median: u64) -> String {
    match total.checked_sub(median) {
        Some(0) => "as".to_owned(),
        Some(more) => format!("{} above", format::micros(more)),
        None => format!("{} below", format::micros(median - total)),
    }
}

/// The scale, with its figures.
fn head(scene: &Scene<'_>, (scale, room): (u64, usize), parts: bool) -> Line<'static> {
    let mut axis: Vec<char> = vec![' '; room];
    // Without a measured part there is nothing to scale.
    for quarter in (0..=3u64).filter(|_| scale >= 1_000) {
        let label = format::micros(scale * quarter / 4);
        let label = if quarter == 0 { "0".to_owned() } else { label };
        let at = room * usize::try_from(quarter).unwrap_or(0) / 4;
        for (place, c) in label.chars().enumerate() {
            if let Some(cell) = axis.get_mut(at + place) {
                *cell = c;
            }
        }
    }
    let axis: String = axis.into_iter().collect();
    let mut text = format!("{:<7}{:<7}{axis} ", "shard", "leader");
    if parts {
        for name in ["detect", "agree", "elect", "publish", "write"] {
            text += &" ".repeat(PART.saturating_sub(name.len()));
            text += name;
        }
    }
    text += "     took  vs median";
    Line::from(scene.ink(text, Tone::Muted))
}

fn row(
    scene: &Scene<'_>,
    rise: &Rise,
    median: Option<u64>,
    (scale, room): (u64, usize),
    parts: bool,
) -> Line<'static> {
    let leader = rise.leader.map_or_else(|| "?".into(), |id| scene.cluster.name(id));
    let mut line = Line::from(vec![
        scene.ink(format!("{:<7}", rise.shard.to_string()), Tone::Accent),
        Span::raw(format!("{leader:<7}")),
    ]);
    line.spans.extend(bar(scene, &rise.phases, scale, room));
    line.push_span(Span::raw(" "));
    let dash = scene.theme.glyphs.none;
    let written = |us: Option<u64>| us.map_or_else(|| dash.to_owned(), format::micros);
    if parts {
        for part in rise.phases.all() {
            line.push_span(scene.ink(format!("{:>PART$}", written(part)), Tone::Muted));
        }
    }
    line.push_span(Span::raw(format!("{:>9}", written(rise.total_us))));
    let difference = rise.total_us.zip(median).map(|(total, median)| {
        if total >= median {
            (format!("+{}", format::micros(total - median)), Tone::Plain)
        } else {
            (format!("-{}", format::micros(median - total)), Tone::Good)
        }
    });
    let (text, tone) = difference.unwrap_or((dash.to_owned(), Tone::Muted));
    line.push_span(scene.ink(format!("{text:>11}"), tone));
    line
}

/// The parts one behind the other; publishing and the first write begin together.
fn bar(scene: &Scene<'_>, phases: &Phases, scale: u64, room: usize) -> Vec<Span<'static>> {
    let looks = looks(scene);
    let width = u32::try_from(room).unwrap_or(0);
    let place = |us: u64| share(float(us) / float(scale.max(1)), width) as usize;
    let [detect, agree, elect, publish, write] = phases.all();
    let last = publish.max(write);
    let (mut spans, mut us, mut drawn) = (Vec::new(), 0u64, 0usize);
    for (part, (glyph, tone)) in [detect, agree, elect, last].into_iter().zip(looks) {
        us = us.saturating_add(part.unwrap_or(0));
        let end = place(us).min(room);
        if end > drawn {
            spans.push(scene.ink(glyph.repeat(end - drawn), tone));
            drawn = end;
        }
    }
    spans.push(Span::raw(" ".repeat(room.saturating_sub(drawn))));
    spans
}

/// How each part is drawn: told apart without colours too.
fn looks(scene: &Scene<'_>) -> [(&'static str, Tone); 4] {
    let [light, middle, dark, full] = scene.theme.glyphs.densities;
    [(light, Tone::Muted), (middle, Tone::Info), (dark, Tone::Warn), (full, Tone::Good)]
}

fn legend(scene: &Scene<'_>) -> Line<'static> {
    let words = ["detect", "agree", "elect", "publish, first write"];
    let mut line = Line::default();
    for ((glyph, tone), word) in looks(scene).into_iter().zip(words) {
        line.push_span(scene.ink(glyph.repeat(2), tone));
        line.push_span(scene.ink(format!(" {word}   "), Tone::Muted));
    }
    line
}

/// The next round figure, so that bars of several incidents can be compared.
fn ceiling(us: u64) -> u64 {
    let steps = [10, 20, 25, 50, 100, 150, 200, 300, 500, 750, 1_000, 2_000, 5_000, 10_000, 60_000];
    let round = steps.into_iter().map(|ms| ms * 1_000).find(|step| *step >= us);
    round.unwrap_or_else(|| us.max(1)).max(cells(1).into())
}
