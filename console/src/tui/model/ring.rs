//! A bounded history of one figure, oldest first; an unknown sample is kept as such.

use std::collections::VecDeque;

/// Samples kept: five minutes at one a second, the widest chart that is drawn.
pub(crate) const SAMPLES_MAX: usize = 300;

/// The last samples of a figure.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ring {
    samples: VecDeque<Option<f64>>,
}

impl Ring {
    /// Adds the newest sample and forgets the oldest beyond the bound.
    pub(crate) fn push(&mut self, sample: Option<f64>) {
        if self.samples.len() == SAMPLES_MAX {
            self.samples.pop_front();
        }
        self.samples.push_back(sample.filter(|value| value.is_finite()));
    }

    /// The samples, oldest first.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = Option<f64>> {
        self.samples.iter().copied()
    }

    /// The newest sample.
    pub(crate) fn last(&self) -> Option<f64> {
        self.samples.back().copied().flatten()
    }

    /// The samples as a list.
    pub(crate) fn to_vec(&self) -> Vec<Option<f64>> {
        self.iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_the_newest_samples_only() {
        let mut ring = Ring::default();
        for sample in 0..SAMPLES_MAX + 5 {
            ring.push(Some(crate::tui::number::float(sample as u64)));
        }
        assert_eq!(ring.to_vec().len(), SAMPLES_MAX);
        assert_eq!(ring.iter().next(), Some(Some(5.0)));
        ring.push(Some(f64::NAN));
        assert_eq!(ring.last(), None);
    }
}
