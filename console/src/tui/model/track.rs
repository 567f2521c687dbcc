//! Something heard, with the time of its arrival, and the history of one node.

use evenkeel_shared::heartbeat::Report;

use super::ring::Ring;

/// A report is old after two of `limits::WATCH_INTERVAL` (law 2).
pub(crate) const REPORT_STALE_MS: u64 = 400;
/// A view is sent once a second, and old after two.
pub(crate) const VIEW_STALE_MS: u64 = 2_000;

/// Something heard.
#[derive(Clone, Debug)]
pub(crate) struct Heard<T> {
    /// What.
    pub(crate) value: T,
    /// When it arrived, on the console's clock.
    pub(crate) at: u64,
}

impl<T> Heard<T> {
    /// Milliseconds since it arrived.
    pub(crate) fn age(&self, now: u64) -> u64 {
        now.saturating_sub(self.at)
    }
}

/// What one node has reported, and how its figures went.
#[derive(Clone, Debug, Default)]
pub(crate) struct Track {
    /// Its last report.
    pub(crate) report: Option<Heard<Report>>,
    /// Operations a second.
    pub(crate) ops: Ring,
    /// 99th percentile of writes, in microseconds.
    pub(crate) p99: Ring,
    /// The observer's suspicion of it.
    pub(crate) phi: Ring,
}

impl Track {
    /// The last report, unless it is old.
    pub(crate) fn fresh(&self, now: u64) -> Option<&Report> {
        let report = self.report.as_ref()?;
        (report.age(now) <= REPORT_STALE_MS).then_some(&report.value)
    }
}
