//! How fresh a copy is, for reads that may be a bounded time behind (safety rule 7).
//!
//! Invariant: the age runs from the last moment at which a majority confirmed the leader, told in
//! answer to a question of this node and counted from when it was asked, never from when it was
//! heard; and it holds only once what was committed by then is applied.

use std::time::Duration;

/// Whoever has applied `committed` has every write that was acknowledged before `as_of`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freshness {
    /// On this node's clock.
    pub as_of: Duration,
    /// An index of the shard's log.
    pub committed: u64,
}

impl Freshness {
    /// From a leader's answer to what was sent at a moment.
    pub fn heard(sent: Duration, age: Duration, committed: u64) -> Self {
        Self { as_of: sent.saturating_sub(age), committed }
    }

    /// How old that is.
    pub fn age(&self, now: Duration) -> Duration {
        now.saturating_sub(self.as_of)
    }

    /// The one of both that says more.
    #[must_use]
    pub fn newer(self, other: Self) -> Self {
        if other.as_of > self.as_of { other } else { self }
    }

    /// The age of a copy that has applied so much; `None` when that is too little to tell.
    pub fn age_of(&self, now: Duration, applied: u64) -> Option<Duration> {
        (applied >= self.committed).then(|| self.age(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn rule_07_age_runs_from_when_it_was_asked_and_holds_once_applied() {
        // Asked at 1,000; the leader was confirmed 30 ms before it answered, at whatever time.
        let fresh = Freshness::heard(ms(1_000), ms(30), 7);
        assert_eq!(fresh.age_of(ms(1_200), 7), Some(ms(230)));
        assert_eq!(fresh.age_of(ms(1_200), 6), None, "what was committed is not here yet");
        assert_eq!(fresh.age_of(ms(900), 9), Some(ms(0)));
    }

    #[test]
    fn an_answer_that_was_overtaken_makes_nothing_older() {
        let (late, early) =
            (Freshness::heard(ms(90), ms(0), 9), Freshness::heard(ms(50), ms(0), 5));
        assert_eq!(late.newer(early), late);
        assert_eq!(early.newer(late), late);
    }
}
