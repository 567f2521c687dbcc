//! How long to wait before the next start: longer each time, and short again after a good life.

use std::time::Duration;

const SHORTEST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(10);
/// Who has lived this long does not die of what killed it at once the last time.
const GOOD_LIFE: Duration = Duration::from_secs(30);

/// Doubles from 0.2 s to 10 s.
#[derive(Default)]
pub(super) struct Backoff {
    last: Option<Duration>,
}

impl Backoff {
    /// The wait after a child that lived this long.
    pub(super) fn after(&mut self, lived: Duration) -> Duration {
        let wait = match self.last {
            Some(last) if lived < GOOD_LIFE => (last * 2).min(LONGEST),
            _ => SHORTEST,
        };
        self.last = Some(wait);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_to_a_bound_and_begin_again_after_a_good_life() {
        let mut backoff = Backoff::default();
        let lives = [0, 0, 29, 1, 1, 1, 1, 1, 30, 0];
        let waits = lives.map(|secs| backoff.after(Duration::from_secs(secs)).as_millis());
        assert_eq!(waits, [200, 400, 800, 1600, 3200, 6400, 10_000, 10_000, 200, 400]);
    }
}
