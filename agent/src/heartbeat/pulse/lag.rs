//! How late this node's own timers come: the worst of the last second or two.

use std::time::Duration;

/// How long the worst is remembered at least.
const SPAN: Duration = Duration::from_secs(1);

/// The worst of this span and of the one before.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lag {
    began: Duration,
    before: Duration,
    worst: Duration,
}

impl Lag {
    /// A timer that was due so long ago has come.
    pub(super) fn note(&mut self, now: Duration, late: Duration) {
        self.turn(now);
        self.worst = self.worst.max(late);
    }

    /// The worst of late, in microseconds.
    pub(super) fn worst_us(&mut self, now: Duration) -> u32 {
        self.turn(now);
        u32::try_from(self.worst.max(self.before).as_micros()).unwrap_or(u32::MAX)
    }

    fn turn(&mut self, now: Duration) {
        let age = now.saturating_sub(self.began);
        if age >= SPAN {
            self.before = if age >= 2 * SPAN { Duration::ZERO } else { self.worst };
            (self.began, self.worst) = (now, Duration::ZERO);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_is_remembered_for_one_to_two_seconds() {
        let ms = Duration::from_millis;
        let mut lag = Lag::default();
        lag.note(ms(10_100), ms(70));
        lag.note(ms(10_200), ms(20));
        assert_eq!(lag.worst_us(ms(11_000)), 70_000);
        assert_eq!(lag.worst_us(ms(11_900)), 70_000);
        assert_eq!(lag.worst_us(ms(13_200)), 0);
    }
}
