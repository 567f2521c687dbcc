//! A bar with a threshold mark: how close a figure is to where it starts to matter.

use ratatui::text::Span;

use crate::tui::number;
use crate::tui::theme::{Theme, Tone};

/// A figure on its scale.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gauge {
    /// The figure; `None`: unknown.
    pub(crate) value: Option<f64>,
    /// The right end.
    pub(crate) full: f64,
    /// Where the mark stands, if anywhere.
    pub(crate) mark: Option<f64>,
    /// Width in cells.
    pub(crate) width: u16,
}

/// The cell of the mark, counted from the left.
pub(crate) fn mark_cell(gauge: &Gauge) -> Option<u16> {
    let share = gauge.mark? / gauge.full;
    let cell = number::share(share, u32::from(gauge.width));
    u16::try_from(cell).ok().filter(|cell| *cell < gauge.width)
}

/// `██████▌·│···`
pub(crate) fn render(gauge: &Gauge, tone: Tone, theme: &Theme) -> Vec<Span<'static>> {
    let mark = mark_cell(gauge);
    let eighths = gauge.value.map(|v| number::share(v / gauge.full, u32::from(gauge.width) * 8));
    (0..gauge.width)
        .map(|cell| {
            let filled = eighths.map_or(0, |all| all.saturating_sub(u32::from(cell) * 8).min(8));
            let fill = usize::try_from(filled).expect("at most 8");
            if Some(cell) == mark && filled < 8 {
                Span::styled(theme.glyphs.mark, theme.tone(Tone::Warn))
            } else if filled > 0 {
                Span::styled(theme.glyphs.fills[fill], theme.tone(tone))
            } else {
                Span::styled(theme.glyphs.dot, theme.line())
            }
        })
        .collect()
}
