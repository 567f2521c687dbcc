//! How long something has been waited for: what tells a leader in name only from one that answers
//! (safety rule 6).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Since when one thing has been under way without an answer; shared by whoever waits and whoever
/// judges.
#[derive(Clone, Debug, Default)]
pub(super) struct Waits(
    /// In microseconds; 0: nothing is under way.
    Arc<AtomicU64>,
);

impl Waits {
    /// Something is under way since then, or nothing is.
    pub(super) fn set(&self, since: Option<Duration>) {
        let micros = |since: Duration| u64::try_from(since.as_micros()).unwrap_or(u64::MAX).max(1);
        self.0.store(since.map_or(0, micros), Ordering::Relaxed);
    }

    /// Whether something has been under way for longer than that.
    pub(super) fn is_over(&self, limit: Duration, now: Duration) -> bool {
        let since = self.0.load(Ordering::Relaxed);
        since > 0 && now.saturating_sub(Duration::from_micros(since)) > limit
    }

    /// Whether something is under way.
    pub(super) fn is_any(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }
}
