//! When the next of many requests is due, so that all together keep one rate. Pure.
//!
//! What could not be sent for more than a second is left out, never caught up in a burst.

use std::time::Duration;

/// How far behind the rate may fall and still be caught up.
const BEHIND_MAX: Duration = Duration::from_secs(1);

/// Gives out the moments.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pacer {
    pause: Duration,
    next: Duration,
}

impl Pacer {
    /// A rate above zero, from now on.
    pub(super) fn new(per_second: u32, now: Duration) -> Self {
        Self { pause: Duration::from_secs(1) / per_second.max(1), next: now }
    }

    /// When the next request is due: perhaps in the past.
    pub(super) fn next(&mut self, now: Duration) -> Duration {
        if self.next + BEHIND_MAX < now {
            self.next = now;
        }
        let due = self.next;
        self.next += self.pause;
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn moments_are_evenly_spaced() {
        let mut pacer = Pacer::new(100, ms(0));
        let due: Vec<Duration> = (0..4).map(|_| pacer.next(ms(0))).collect();
        assert_eq!(due, [ms(0), ms(10), ms(20), ms(30)]);
    }

    #[test]
    fn a_short_delay_is_caught_up_and_a_long_one_is_not() {
        let mut pacer = Pacer::new(100, ms(0));
        assert_eq!(pacer.next(ms(500)), ms(0));
        assert_eq!(pacer.next(ms(5_000)), ms(5_000));
        assert_eq!(pacer.next(ms(5_000)), ms(5_010));
    }
}
