//! A filled chart of one figure over time, a column a sample, eight steps a row.
//!
//! Where nothing was heard the chart is empty: a gap is not a zero.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::tui::number;
use crate::tui::theme::{Theme, Tone};

/// What is drawn.
pub(crate) struct AreaChart<'a> {
    /// Oldest first.
    pub(crate) samples: &'a [Option<f64>],
    /// How a figure of the axis is written.
    pub(crate) label: fn(f64) -> String,
    /// The colour of the area.
    pub(crate) tone: Tone,
}

/// Columns of the axis, its space included.
const AXIS: u16 = 8;

/// ```text
///    9.8k  ▂▅█▇▅▂
///       0 ▅██████▇▃
/// ```
pub(crate) fn render(frame: &mut Frame<'_>, area: Rect, chart: &AreaChart<'_>, theme: &Theme) {
    if area.is_empty() {
        return;
    }
    let axis = if area.width >= 24 && area.height >= 2 { AXIS } else { 0 };
    let width = area.width - axis;
    let skip = chart.samples.len().saturating_sub(usize::from(width));
    let samples = &chart.samples[skip..];
    let top = ceiling(samples.iter().flatten().copied().fold(0.0, f64::max));
    let pad = usize::from(width).saturating_sub(samples.len());
    for row in 0..area.height {
        let from_bottom = u32::from(area.height - 1 - row);
        let mut line = Line::default();
        if axis > 0 {
            let label = match row {
                0 => (chart.label)(top),
                row if row + 1 == area.height => "0".into(),
                row if row == area.height / 2 && area.height >= 5 => {
                    let share = f64::from(area.height - row) / f64::from(area.height);
                    (chart.label)(top * share)
                }
                _ => String::new(),
            };
            line.push_span(Span::styled(format!("{label:>7} "), theme.tone(Tone::Muted)));
        }
        line.push_span(Span::raw(" ".repeat(pad)));
        let bars: String = samples
            .iter()
            .map(|sample| {
                let Some(value) = sample else { return " " };
                let eighths = number::share(value / top, u32::from(area.height) * 8).max(1);
                let here = eighths.saturating_sub(from_bottom * 8).min(8);
                theme.glyphs.bars[usize::try_from(here).expect("at most 8")]
            })
            .collect();
        line.push_span(Span::styled(bars, theme.tone(chart.tone)));
        frame.render_widget(line, Rect { y: area.y + row, height: 1, ..area });
    }
}

/// The next figure of the form 1, 2, 3, 5, 8 times a power of ten, so that the axis rests.
fn ceiling(value: f64) -> f64 {
    if !value.is_finite() || value <= 0.0 {
        return 1.0;
    }
    let power = 10f64.powf(value.log10().floor());
    let step = [1.0, 1.5, 2.0, 3.0, 5.0, 8.0, 10.0].into_iter().find(|s| s * power >= value);
    step.unwrap_or(10.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axis_ends_at_a_round_figure_above_the_samples() {
        for (value, top) in [(0.0, 1.0), (1.0, 1.0), (47.0, 50.0), (9_812.0, 10_000.0)] {
            assert!((ceiling(value) - top).abs() < 1e-9, "{value}");
        }
        assert!((ceiling(f64::NAN) - 1.0).abs() < 1e-9);
    }
}
