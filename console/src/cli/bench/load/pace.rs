//! When requests are due.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Hands out the times at which requests are due, evenly spread; without a rate, none is.
pub(super) struct Pace {
    interval: Option<Duration>,
    start: Duration,
    handed_out: AtomicU64,
}

impl Pace {
    pub(super) fn new(rate: Option<u32>, start: Duration) -> Self {
        let interval = rate.map(|rate| Duration::from_secs(1) / rate.max(1));
        Self { interval, start, handed_out: AtomicU64::new(0) }
    }

    /// When the next request is due.
    pub(super) fn next(&self) -> Option<Duration> {
        let interval = self.interval?;
        let nth = self.handed_out.fetch_add(1, Ordering::Relaxed);
        Some(self.start + times(interval, nth))
    }

    /// Requests that were due by then and were never sent: all clients were waiting for answers.
    pub(super) fn missed(&self, over: Duration) -> u64 {
        let Some(interval) = self.interval else { return 0 };
        let span = over.saturating_sub(self.start).as_nanos();
        let due = u64::try_from(span / interval.as_nanos().max(1)).unwrap_or(u64::MAX);
        due.saturating_sub(self.handed_out.load(Ordering::Relaxed))
    }
}

fn times(interval: Duration, nth: u64) -> Duration {
    let nanos = u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX);
    Duration::from_nanos(nanos.saturating_mul(nth))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_due_at_even_times_and_those_never_sent_are_counted() {
        let start = Duration::from_secs(7);
        let pace = Pace::new(Some(100), start);
        assert_eq!(pace.next(), Some(start));
        assert_eq!(pace.next(), Some(start + Duration::from_millis(10)));
        assert_eq!(pace.missed(start + Duration::from_secs(1)), 98);
        let free = Pace::new(None, start);
        assert_eq!((free.next(), free.missed(start * 2)), (None, 0));
    }
}
