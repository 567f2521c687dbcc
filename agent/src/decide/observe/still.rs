//! Which copies get nothing of what their leader has: a few entries behind is nothing to speak of
//! while they come, and everything once they don't.
//!
//! Invariant: time is added up from look to look, so that a clock that jumps makes nobody stand still:
//! what one look adds, and the age of the oldest list that counts, are less than it takes.

use super::super::facts::{ShardObserved, Still};

/// How much time one look adds at most: nodes look about once a second.
const LOOK_MAX_MS: u64 = 1_500;

/// The time between two looks, as far as it counts.
pub(super) fn passed(now_unix_ms: u64, before_unix_ms: u64) -> u64 {
    now_unix_ms.saturating_sub(before_unix_ms).min(LOOK_MAX_MS)
}

/// Notes it of one shard's copies.
pub(super) fn note(seen: &mut ShardObserved, before: &ShardObserved, passed: u64) {
    for (id, replica) in &mut seen.replicas {
        let known = before.replicas.get(id).filter(|known| known.last == replica.last);
        let Some(known) = known.filter(|_| !replica.filling) else { continue };
        replica.still = match (replica.lag, known.still) {
            // Nobody leads just now: it goes on, or does not.
            (None, still) => still,
            (Some(0), _) => None,
            (Some(_), Some(still)) => Some(Still { for_ms: still.for_ms + passed, ..still }),
            (Some(_), None) => Some(Still { for_ms: 0, term: seen.term }),
        };
    }
}
