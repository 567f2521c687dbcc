//! Which copies get nothing of what their leader has: a few entries behind is nothing to speak of
//! while they come, and everything once they don't.
//!
//! Invariant: a clock that jumps makes nobody stand still.

use super::super::facts::{Observed, ShardObserved, Still};

/// How much time one look adds at most: every node looks at least once a second.
const LOOK_MAX_MS: u64 = 2_000;
/// For how long a leader that did not get through to a copy is not chosen again.
const STARVER_MS: u64 = 300_000;

/// Notes it of one shard; `observed` has the nodes as they are seen now, `before` and `looked` are what
/// was seen of the shard in the look before, and when that was.
pub(super) fn note(
    seen: &mut ShardObserved,
    before: &ShardObserved,
    observed: &Observed,
    looked: u64,
) {
    let now = observed.at_unix_ms;
    let passed = now.saturating_sub(looked).min(LOOK_MAX_MS);
    for (id, replica) in &mut seen.replicas {
        let same = before.replicas.get(id).filter(|known| known.last == replica.last);
        let behind = replica.lag.is_some_and(|lag| lag > 0) && !replica.filling;
        replica.still = same.filter(|_| behind).map(|known| match known.still {
            Some(still) => Still { for_ms: still.for_ms + passed, ..still },
            None => Still { for_ms: 0, term: seen.term },
        });
    }
    seen.starvers = before.starvers.clone();
    // Or a clock that was set back would keep them for as long as it was ahead.
    seen.starvers.retain(|_, until| now < *until && *until <= now + STARVER_MS);
    if let Some(leader) = seen.leader.filter(|_| seen.starved(observed).is_some()) {
        seen.starvers.insert(leader, now + STARVER_MS);
    }
}
