//! Which copies get nothing of what their leader has: a few entries behind is nothing to speak of
//! while they come, and everything once they don't.
//!
//! Invariant: time is added up from look to look, so that a clock that jumps makes nobody stand still:
//! what one look adds, and the age of the oldest list that counts, are less than it takes.

use std::collections::BTreeMap;

use super::super::facts::{Observed, ShardObserved, Still};

/// How much time one look adds at most: nodes look about once a second.
const LOOK_MAX_MS: u64 = 1_500;
/// For how long it is remembered that nothing got through between two nodes: nobody else finds out that
/// a link works again.
const UNFED_MS: u64 = 300_000;

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

/// Notes between which nodes nothing gets through, of all shards.
pub(super) fn note_unfed(observed: &mut Observed, before: &Observed, passed: u64) {
    let kept = before.unfed.iter().map(|(pair, known)| (*pair, known + passed));
    let mut unfed: BTreeMap<_, _> = kept.filter(|(_, known)| *known < UNFED_MS).collect();
    for seen in observed.shards.values() {
        if let Some((leader, (copy, _))) = seen.leader.zip(seen.starved(observed)) {
            unfed.insert((leader.node(), copy.node()), 0);
        }
    }
    observed.unfed = unfed;
}
