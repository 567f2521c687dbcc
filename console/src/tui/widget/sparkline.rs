//! A trace one row high: the newest samples at the right, gaps where nothing was heard.

use crate::tui::number;
use crate::tui::theme::Theme;

/// The last `width` samples as bars up to `full`; unknown is a space.
pub(crate) fn render(
    samples: impl DoubleEndedIterator<Item = Option<f64>>,
    width: u16,
    full: f64,
    theme: &Theme,
) -> String {
    let mut bars: Vec<&str> = samples
        .rev()
        .take(usize::from(width))
        .map(|sample| match sample {
            None => " ",
            Some(value) if full > 0.0 => {
                let eighths = number::share(value / full, 8).max(1);
                theme.glyphs.bars[usize::try_from(eighths).expect("at most 8")]
            }
            Some(_) => theme.glyphs.bars[1],
        })
        .collect();
    bars.resize(usize::from(width), " ");
    bars.reverse();
    bars.concat()
}
