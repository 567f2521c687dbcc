//! Time: a monotonic clock for decisions, a wall clock for people and hybrid logical time.

use std::sync::OnceLock;
use std::time::Duration;

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Since some fixed moment in this process's life; never goes back.
    fn now(&self) -> Duration;
    /// Milliseconds since 1970; may jump.
    fn unix_ms(&self) -> u64;
}

/// The machine's clocks. Monotonic time is tokio's, which stands still when a test pauses it and
/// is simulated under turmoil.
#[derive(Default)]
pub struct SystemClock {
    start: OnceLock<tokio::time::Instant>,
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
    fn now(&self) -> Duration {
        let now = tokio::time::Instant::now();
        now.duration_since(*self.start.get_or_init(|| now))
    }

    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
    fn unix_ms(&self) -> u64 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}
