//! How long something that has begun is waited for.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// Runs only while it is asked. Beginning and ending a wait touches no timer: there is one, kept
/// from wait to wait, which rings at most once in the time that a wait may take.
pub struct Patience {
    longest: Duration,
    /// When what is waited for now is given up.
    until: Option<Instant>,
    /// It may ring too early, for a wait that has ended; never too late.
    bell: Option<Pin<Box<Sleep>>>,
}

impl Patience {
    /// Waits for so long, each time.
    pub fn new(longest: Duration) -> Self {
        Self { longest, until: None, bell: None }
    }

    /// Whether it is over; the first question begins the wait.
    pub fn poll_over(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let until = *self.until.get_or_insert_with(|| now() + self.longest);
        let bell = self.bell.get_or_insert_with(|| Box::pin(sleep_until(until)));
        while bell.deadline() < until {
            ready!(bell.as_mut().poll(context));
            bell.as_mut().reset(until);
        }
        bell.as_mut().poll(context)
    }

    /// What was waited for has happened.
    pub fn stop(&mut self) {
        self.until = None;
    }
}

/// The clock of the timers; the simulation replaces it below the standard library.
#[expect(clippy::disallowed_methods, reason = "timers are moments of this very clock")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use futures::FutureExt;

    use super::*;

    const LONGEST: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn a_wait_that_begins_anew_gets_its_whole_time() {
        let mut patience = Patience::new(LONGEST);
        for _ in 0..9 {
            assert!(poll_fn(|context| patience.poll_over(context)).now_or_never().is_none());
            tokio::time::sleep(LONGEST * 2 / 3).await;
            assert!(poll_fn(|context| patience.poll_over(context)).now_or_never().is_none());
            patience.stop();
        }
        let began = now();
        poll_fn(|context| patience.poll_over(context)).await;
        assert!(now() - began >= LONGEST && now() - began < LONGEST * 2);
    }
}
