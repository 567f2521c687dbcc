//! How the log's syncs go, in atomics that anybody may read at any time.
//!
//! Invariant: what waits for a sync is seen to wait, even while the disk holds the writer.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const NEVER: u64 = u64::MAX;

/// Figures of the log's syncs. Moments are those of the agent's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SyncHealth {
    /// When the last sync ended.
    pub last_ended: Duration,
    /// How long the last write and sync took.
    pub last_took: Duration,
    /// For how long the oldest unsynced record has waited; `None` when nothing waits.
    pub oldest_unsynced: Option<Duration>,
    /// Batches synced.
    pub syncs: u64,
    /// Bytes written.
    pub bytes: u64,
}

/// The figures while they change.
pub(super) struct Health {
    last_ended: AtomicU64,
    last_took: AtomicU64,
    waiting_since: AtomicU64,
    syncs: AtomicU64,
    bytes: AtomicU64,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            last_ended: AtomicU64::new(0),
            last_took: AtomicU64::new(0),
            waiting_since: AtomicU64::new(NEVER),
            syncs: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        }
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(NEVER - 1)
}

impl Health {
    /// Notes since when the oldest unsynced record waits.
    pub(super) fn waiting_since(&self, since: Option<Duration>) {
        self.waiting_since.store(since.map_or(NEVER, nanoseconds), Ordering::Release);
    }

    /// Notes a sync.
    pub(super) fn synced(&self, began: Duration, ended: Duration, bytes: usize) {
        self.last_ended.store(nanoseconds(ended), Ordering::Release);
        self.last_took.store(nanoseconds(ended.saturating_sub(began)), Ordering::Release);
        self.syncs.fetch_add(1, Ordering::AcqRel);
        self.bytes.fetch_add(bytes as u64, Ordering::AcqRel);
    }

    /// The figures now.
    pub(super) fn read(&self, now: Duration) -> SyncHealth {
        let since = self.waiting_since.load(Ordering::Acquire);
        let waited = || now.saturating_sub(Duration::from_nanos(since));
        SyncHealth {
            last_ended: Duration::from_nanos(self.last_ended.load(Ordering::Acquire)),
            last_took: Duration::from_nanos(self.last_took.load(Ordering::Acquire)),
            oldest_unsynced: (since != NEVER).then(waited),
            syncs: self.syncs.load(Ordering::Acquire),
            bytes: self.bytes.load(Ordering::Acquire),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    /// It was once taken for the moment itself: then a node that had run for a second gave up
    /// every claim as soon as anything waited.
    #[test]
    fn what_waits_is_told_by_how_long_not_since_when() {
        let health = Health::default();
        assert_eq!(health.read(ms(90_000)).oldest_unsynced, None);
        health.waiting_since(Some(ms(90_000)));
        assert_eq!(health.read(ms(90_000)).oldest_unsynced, Some(ms(0)));
        assert_eq!(health.read(ms(90_250)).oldest_unsynced, Some(ms(250)));
        health.waiting_since(None);
        assert_eq!(health.read(ms(99_000)).oldest_unsynced, None);
    }
}
