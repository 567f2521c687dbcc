//! When to draw: soon after a key or a change of state, ten times a second for mere figures,
//! and not at all while the screen is frozen.

use std::time::Duration;

use crate::tui::Message;
use crate::tui::model::Model;

/// Shortest time between two frames.
const FRAME_MS: u64 = 10;
/// Shortest time between two frames that differ in figures only.
const CALM_MS: u64 = 100;

/// How soon a message wants to be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Urgency {
    /// It changes nothing that is shown.
    Never,
    /// Figures have changed.
    Calm,
    /// The operator or the cluster's state has.
    Now,
}

/// How soon this message wants to be seen.
pub(super) fn urgency(model: &Model, message: &Message) -> Urgency {
    match message {
        Message::Tick { .. } if model.held.as_ref().is_some_and(|held| held.plays()) => {
            Urgency::Now
        }
        Message::Tick { .. } | Message::Report(_) | Message::View(_) if model.held.is_some() => {
            Urgency::Never
        }
        Message::Recorded(Ok(())) => Urgency::Never,
        Message::Tick { .. } | Message::Report(_) => Urgency::Calm,
        _ => Urgency::Now,
    }
}

/// What is to be drawn and when the last frame was.
#[derive(Debug)]
pub(super) struct Pace {
    wanted: Urgency,
    drawn_at: u64,
}

impl Default for Pace {
    /// The first frame is due at once.
    fn default() -> Self {
        Self { wanted: Urgency::Now, drawn_at: 0 }
    }
}

impl Pace {
    /// Notes that something wants to be seen.
    pub(super) fn ask(&mut self, urgency: Urgency) {
        self.wanted = self.wanted.max(urgency);
    }

    /// Notes that a frame was drawn.
    pub(super) fn drawn(&mut self, now: u64) {
        *self = Self { wanted: Urgency::Never, drawn_at: now };
    }

    /// Whether a frame is due.
    pub(super) fn is_due(&self, now: u64) -> bool {
        self.remaining(now).is_some_and(|rest| rest == 0)
    }

    /// Waits until a frame is due; for ever when none is wanted.
    pub(super) async fn wait(&self, now: u64) {
        match self.remaining(now) {
            Some(rest) => tokio::time::sleep(Duration::from_millis(rest)).await,
            None => std::future::pending().await,
        }
    }

    /// A clock that was set back must not hold the screen: then a frame is due at once.
    fn remaining(&self, now: u64) -> Option<u64> {
        let gap = match self.wanted {
            Urgency::Never => return None,
            Urgency::Calm => CALM_MS,
            Urgency::Now => FRAME_MS,
        };
        let Some(passed) = now.checked_sub(self.drawn_at) else { return Some(0) };
        Some(gap.saturating_sub(passed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_drawn_within_a_frame_and_figures_within_a_tenth() {
        let mut pace = Pace::default();
        assert!(pace.is_due(1_000));
        pace.drawn(1_000);
        assert!(!pace.is_due(9_000), "nothing was asked for");
        pace.ask(Urgency::Calm);
        assert!(!pace.is_due(1_099) && pace.is_due(1_100));
        pace.ask(Urgency::Now);
        assert!(!pace.is_due(1_009) && pace.is_due(1_010));
        assert!(pace.is_due(500), "the clock was set back");
    }
}
