//! The harness's only clock, its only pause, and the one way to wait.
//!
//! A pause is never an assertion: conditions are asked again until they hold or time is over.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Between two looks at a condition.
const LOOK: Duration = Duration::from_millis(25);

/// The time now.
#[expect(clippy::disallowed_methods, reason = "real processes are waited for in real time")]
pub fn now() -> Instant {
    Instant::now()
}

/// Milliseconds since 1970.
#[expect(clippy::disallowed_methods, reason = "clients send their wall clock's time")]
pub(crate) fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Lets others run for a moment between two looks.
#[expect(clippy::disallowed_methods, reason = "the pause between two looks at other processes")]
pub(crate) fn pause() {
    std::thread::sleep(LOOK);
}

/// Lets so much time go by: the pace of a script, never an assertion.
pub fn pass(time: Duration) {
    let over = now() + time;
    while now() < over {
        pause();
    }
}

/// Asks until there is an answer; fails with `what` when the deadline is over.
pub fn wait_for<T>(what: &str, deadline: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let over = now() + deadline;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(now() < over, "not within {deadline:?}: {what}");
        pause();
    }
}
