//! Who waits for an entry, and whether one more would still be answered soon: an agent that has more
//! to do than it can says so at once, instead of answering everybody late.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use evenkeel_shared::error::StoreError;
use evenkeel_shared::ids::ShardId;
use evenkeel_shared::limits::{BATCH_OPERATIONS_MAX, QUEUE_WAIT_MAX, QUEUED_BYTES_MAX};

/// Bytes of all writes of a node that wait for their entries. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub struct Queued(Arc<AtomicUsize>);

/// The operations that wait at one shard.
pub(super) struct Crowd {
    shard: ShardId,
    queued: Queued,
    waiting: AtomicUsize,
    /// How long the last entries took, the latest ones most.
    entry_us: AtomicU64,
}

/// What one write holds of both, until it is dropped.
pub(super) struct Place {
    crowd: Arc<Crowd>,
    operations: usize,
    bytes: usize,
}

impl Crowd {
    pub(super) fn new(shard: ShardId, queued: Queued) -> Arc<Self> {
        let (waiting, entry_us) = (AtomicUsize::new(0), AtomicU64::new(0));
        Arc::new(Self { shard, queued, waiting, entry_us })
    }

    /// Lets a write in, or tells why it would wait for too long.
    pub(super) fn admit(
        self: &Arc<Self>,
        operations: usize,
        bytes: usize,
    ) -> Result<Place, StoreError> {
        let waiting = self.waiting.fetch_add(operations, Relaxed);
        let queued = self.queued.0.fetch_add(bytes, Relaxed);
        let place = Place { crowd: self.clone(), operations, bytes };
        let wait = wait(waiting, Duration::from_micros(self.entry_us.load(Relaxed)));
        if wait > QUEUE_WAIT_MAX {
            let what = format!(
                "{} has {waiting} operations waiting, {} ms of work",
                self.shard,
                wait.as_millis()
            );
            return Err(StoreError::Busy { what });
        }
        // One write always fits, however large.
        if queued > 0 && queued.saturating_add(bytes) > QUEUED_BYTES_MAX {
            let mebibytes = QUEUED_BYTES_MAX >> 20;
            let what = format!("the leader of {} holds {mebibytes} MiB of writes", self.shard);
            return Err(StoreError::Busy { what });
        }
        Ok(place)
    }

    /// An entry has taken so long.
    pub(super) fn entry_took(&self, took: Duration) {
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let before = self.entry_us.load(Relaxed);
        self.entry_us.store(before - before / 4 + took / 4, Relaxed);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.crowd.waiting.fetch_sub(self.operations, Relaxed);
        self.crowd.queued.0.fetch_sub(self.bytes, Relaxed);
    }
}

/// How long an operation waits behind so many others: for the entries that those fill. What does
/// not fill one shares its own, so that a lone write is let in however slow the last entry was.
fn wait(before: usize, entry: Duration) -> Duration {
    let entries = u32::try_from(before / BATCH_OPERATIONS_MAX).unwrap_or(u32::MAX);
    entry.saturating_mul(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_busy(outcome: &Result<Place, StoreError>) -> bool {
        matches!(outcome, Err(StoreError::Busy { .. }))
    }

    #[test]
    fn who_would_wait_too_long_is_told_at_once() {
        let crowd = Crowd::new(ShardId(1), Queued::default());
        for _ in 0..20 {
            crowd.entry_took(QUEUE_WAIT_MAX * 2 / 3);
        }
        let first = crowd.admit(BATCH_OPERATIONS_MAX, 10).unwrap();
        let second = crowd.admit(BATCH_OPERATIONS_MAX, 10).unwrap();
        assert!(is_busy(&crowd.admit(1, 10)));
        assert!(is_busy(&crowd.admit(1, 10)), "the refused one counts no more");
        drop(first);
        drop(crowd.admit(1, 10).unwrap());
        drop(second);
        assert_eq!((crowd.waiting.load(Relaxed), crowd.queued.0.load(Relaxed)), (0, 0));
    }

    #[test]
    fn a_slow_entry_keeps_no_lone_write_out() {
        let crowd = Crowd::new(ShardId(1), Queued::default());
        crowd.entry_took(Duration::from_secs(60));
        let held: Vec<Place> =
            (0..BATCH_OPERATIONS_MAX - 1).map(|_| crowd.admit(1, 1).unwrap()).collect();
        assert!(crowd.admit(1, 1).is_ok());
        drop(held);
    }

    #[test]
    fn all_shards_of_a_node_share_its_memory() {
        let queued = Queued::default();
        let [one, other] = [1, 2].map(|shard| Crowd::new(ShardId(shard), queued.clone()));
        let large = one.admit(1, QUEUED_BYTES_MAX * 2).unwrap();
        assert!(is_busy(&other.admit(1, 1)));
        drop(large);
        assert!(other.admit(1, 1).is_ok());
    }
}
