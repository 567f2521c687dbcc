//! Deadlines, as tarpc wants them: moments of std's monotonic clock, always within bounds.

use std::time::{Duration, Instant};

use crate::limits::{DEADLINE_MAX, DEADLINE_MIN};

/// The moment at which whoever waits gives up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Deadline {
    /// That long from now, clamped to what servers honour.
    pub fn after(wait: Duration) -> Self {
        Self(now() + wait.clamp(DEADLINE_MIN, DEADLINE_MAX))
    }

    /// The deadline of a request that is being served.
    pub fn of(context: &tarpc::context::Context) -> Self {
        Self(context.deadline)
    }

    /// What is left; zero when it has passed.
    pub fn remaining(self) -> Duration {
        self.0.saturating_duration_since(now())
    }

    /// Whether it has passed.
    pub fn is_over(self) -> bool {
        self.remaining().is_zero()
    }

    /// The earlier of this and that long from now.
    #[must_use]
    pub fn at_most(self, wait: Duration) -> Self {
        self.min(Self::after(wait))
    }

    /// For a call that must be answered by then.
    pub fn context(self) -> tarpc::context::Context {
        let mut context = tarpc::context::Context::current();
        context.deadline = self.0;
        context
    }
}

/// The clock that tarpc itself reads; the simulation replaces it below the standard library.
#[expect(clippy::disallowed_methods, reason = "tarpc's deadlines are moments of this very clock")]
fn now() -> Instant {
    Instant::now()
}
