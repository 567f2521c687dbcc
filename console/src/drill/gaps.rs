//! How long each shard went without an acknowledged write, and how such figures spread. Pure.
//!
//! A gap that has not ended yet counts up to now: a shard that never comes back is not a short
//! outage.

use std::collections::BTreeMap;
use std::time::Duration;

use evenkeel_shared::ids::ShardId;
use serde::Serialize;

use super::format::milliseconds;

/// The acknowledgements of every shard since the last reset.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gaps(BTreeMap<ShardId, Track>);

#[derive(Clone, Copy, Debug)]
struct Track {
    last: Duration,
    /// Since the reset.
    longest: Duration,
    /// Of all that were forgotten.
    before: Duration,
}

impl Gaps {
    /// A write of this shard was acknowledged.
    pub(crate) fn acknowledged(&mut self, shard: ShardId, now: Duration) {
        let fresh = Track { last: now, longest: Duration::ZERO, before: Duration::ZERO };
        let track = self.0.entry(shard).or_insert(fresh);
        track.longest = track.longest.max(now.saturating_sub(track.last));
        track.last = now;
    }

    /// Forgets all gaps that have ended, but for what [`Self::overall`] tells.
    pub(crate) fn reset(&mut self) {
        for track in self.0.values_mut() {
            track.before = track.before.max(track.longest);
            track.longest = Duration::ZERO;
        }
    }

    /// The longest gap since the reset; `None` when the shard never took a write.
    pub(crate) fn longest(&self, shard: ShardId, now: Duration) -> Option<Duration> {
        self.0.get(&shard).map(|track| track.longest.max(now.saturating_sub(track.last)))
    }

    /// The longest gap of all, resets or not.
    pub(crate) fn overall(&self, shard: ShardId, now: Duration) -> Option<Duration> {
        Some(self.longest(shard, now)?.max(self.0.get(&shard)?.before))
    }

    /// Whether the shard has taken a write after that moment.
    pub(crate) fn alive_since(&self, shard: ShardId, moment: Duration) -> bool {
        self.0.get(&shard).is_some_and(|track| track.last > moment)
    }
}

/// How figures spread, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Spread {
    pub(crate) min: f64,
    pub(crate) median: f64,
    pub(crate) p90: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// By nearest rank; `None` without figures.
    pub(crate) fn of(figures: &[Duration]) -> Option<Self> {
        let mut sorted = figures.to_vec();
        sorted.sort_unstable();
        let rank = |percent: usize| {
            let rank = (sorted.len() * percent).div_ceil(100).max(1);
            sorted.get(rank - 1).map(|figure| milliseconds(*figure))
        };
        Some(Self { min: rank(0)?, median: rank(50)?, p90: rank(90)?, max: rank(100)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn the_longest_gap_since_the_reset_counts() {
        let mut gaps = Gaps::default();
        for at in [0, 500, 510] {
            gaps.acknowledged(ShardId(1), ms(at));
        }
        gaps.reset();
        for at in [515, 577, 580] {
            gaps.acknowledged(ShardId(1), ms(at));
        }
        assert_eq!(gaps.longest(ShardId(1), ms(581)), Some(ms(62)));
        assert_eq!(gaps.overall(ShardId(1), ms(581)), Some(ms(500)));
    }

    #[test]
    fn a_gap_that_lasts_counts_up_to_now() {
        let mut gaps = Gaps::default();
        gaps.acknowledged(ShardId(1), ms(10));
        assert_eq!(gaps.longest(ShardId(1), ms(5_010)), Some(ms(5_000)));
        assert!(!gaps.alive_since(ShardId(1), ms(10)));
        assert_eq!(gaps.longest(ShardId(2), ms(5_010)), None);
    }

    #[test]
    fn figures_spread_by_nearest_rank() {
        let figures: Vec<Duration> = (1..=10).map(ms).collect();
        let spread = Spread { min: 1.0, median: 5.0, p90: 9.0, max: 10.0 };
        assert_eq!(Spread::of(&figures), Some(spread));
        assert_eq!(Spread::of(&[]), None);
    }
}
