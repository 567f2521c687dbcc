//! The console's clocks: one that never goes back, for figures; one of the wall, for people.
//!
//! Nothing else in this package reads a clock.

use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

static START: OnceLock<Instant> = OnceLock::new();

/// Since the first call in this process; never goes back.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
pub(crate) fn now() -> Duration {
    let now = Instant::now();
    now.duration_since(*START.get_or_init(|| now))
}

/// Milliseconds since 1970; may jump.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
pub(crate) fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
