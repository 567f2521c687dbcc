//! The intervals between one peer's last heartbeats, and how surprising a silence is after them.
//!
//! Invariant: the figures never rest on the samples alone; while they are few, the expected
//! interval counts as several of them, so that a young window neither panics nor sleeps.

use std::collections::VecDeque;
use std::time::Duration;

/// What a window starts from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Prior {
    /// The interval that a peer should keep.
    pub(super) interval: Duration,
    /// How many samples that expectation is worth.
    pub(super) weight: f64,
    /// The least standard deviation: a perfectly regular peer must not be suspected for a hiccup.
    pub(super) deviation_min: Duration,
    /// How many samples are kept.
    pub(super) samples_max: usize,
}

/// Arrival intervals in seconds, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Window {
    samples: VecDeque<f64>,
}

impl Window {
    /// Takes one interval in and drops the oldest beyond the bound.
    pub(super) fn push(&mut self, interval: Duration, prior: &Prior) {
        if self.samples.len() >= prior.samples_max {
            self.samples.pop_front();
        }
        self.samples.push_back(interval.as_secs_f64());
    }

    /// Forgets every interval: another process answers now.
    pub(super) fn clear(&mut self) {
        self.samples.clear();
    }

    /// Phi of a silence: 1 means that one in ten such silences is harmless, 8 one in 10^8.
    ///
    /// The normal distribution's tail by the logistic approximation that Akka and Cassandra use
    /// (Hayashibara et al., "The phi accrual failure detector", 2004).
    pub(super) fn phi(&self, silence: Duration, prior: &Prior) -> f64 {
        let mean = self.mean(prior);
        let deviation = self.variance(mean, prior).sqrt().max(prior.deviation_min.as_secs_f64());
        let y = (silence.as_secs_f64() - mean) / deviation;
        let odds = (-y * (1.5976 + 0.070_566 * y * y)).exp();
        if y > 0.0 {
            // For small odds, odds / (1 + odds) keeps its digits where 1 - 1/(1 + odds) loses them.
            (-(odds / (1.0 + odds)).log10()).min(PHI_MAX)
        } else {
            -(1.0 - 1.0 / (1.0 + odds)).log10()
        }
    }

    fn mean(&self, prior: &Prior) -> f64 {
        let sum: f64 = self.samples.iter().sum();
        (sum + prior.interval.as_secs_f64() * prior.weight) / (self.count() + prior.weight)
    }

    fn variance(&self, mean: f64, prior: &Prior) -> f64 {
        let squares: f64 = self.samples.iter().map(|sample| (sample - mean).powi(2)).sum();
        let expected = prior.deviation_min.as_secs_f64().powi(2) * prior.weight;
        (squares + expected) / (self.count() + prior.weight)
    }

    fn count(&self) -> f64 {
        f64::from(u32::try_from(self.samples.len()).expect("the window is bounded"))
    }
}

/// Where phi stops: beyond it the exponent underflows and the figure would be infinite.
const PHI_MAX: f64 = 300.0;

#[cfg(test)]
mod tests {
    use super::*;

    fn prior() -> Prior {
        Prior {
            interval: Duration::from_millis(100),
            weight: 5.0,
            deviation_min: Duration::from_millis(50),
            samples_max: 100,
        }
    }

    #[test]
    fn phi_rises_with_silence_and_stays_finite() {
        let window = Window::default();
        let mut before = -1.0;
        for silence_ms in [0, 50, 100, 200, 400, 800, 60_000] {
            let phi = window.phi(Duration::from_millis(silence_ms), &prior());
            assert!(phi >= before && phi.is_finite(), "{silence_ms} ms: {phi} after {before}");
            before = phi;
        }
    }

    #[test]
    fn unsteady_peer_is_suspected_later_than_steady_one() {
        let (mut steady, mut unsteady) = (Window::default(), Window::default());
        for round in 0..50 {
            steady.push(Duration::from_millis(100), &prior());
            let interval = if round % 5 == 0 { 450 } else { 20 };
            unsteady.push(Duration::from_millis(interval), &prior());
        }
        let silence = Duration::from_millis(600);
        assert!(unsteady.phi(silence, &prior()) < steady.phi(silence, &prior()) / 2.0);
    }
}
