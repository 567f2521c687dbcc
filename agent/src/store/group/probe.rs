//! A sign of life of a Raft core that nobody asks anything: its metrics would go on saying Leader.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::waits::Waits;
use crate::store::raft::Raft;

/// How often a core is asked.
const PROBE_EVERY: Duration = Duration::from_secs(1);

/// Asks one core, one question at a time.
#[derive(Debug, Default)]
pub(super) struct Probe {
    waits: Waits,
    /// When it was last asked, in milliseconds.
    asked_ms: AtomicU64,
}

impl Probe {
    /// How long the question is under way.
    pub(super) fn waits(&self) -> &Waits {
        &self.waits
    }

    /// Asks, unless it has just been asked, or has not answered yet.
    pub(super) fn ask(&self, raft: &Raft, now: Duration) {
        let now_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        let asked = Duration::from_millis(self.asked_ms.load(Ordering::Relaxed));
        if self.waits.is_any() || now.saturating_sub(asked) < PROBE_EVERY {
            return;
        }
        self.asked_ms.store(now_ms, Ordering::Relaxed);
        self.waits.set(Some(now));
        let (raft, waits) = (raft.clone(), self.waits.clone());
        tokio::spawn(async move {
            // A core that has ended says so elsewhere, and is no core that hangs.
            let _ = raft.with_raft_state(|_| ()).await;
            waits.set(None);
        });
    }
}
