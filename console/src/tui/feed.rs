//! The port between the console and the cluster: a live feed speaks tarpc, tests feed by hand.
//!
//! The console never waits for a feed: requests go out, answers come back as messages.

use tokio::sync::mpsc;

use super::{DrillOffer, Effect, Message};

/// Where messages come from and where requests go.
pub trait Feed: Send + Sync {
    /// Hands out the stream of messages; called once, before the first frame.
    fn messages(&mut self) -> mpsc::Receiver<Message>;

    /// The drills that can be run.
    fn drills(&self) -> Vec<DrillOffer> {
        Vec::new()
    }

    /// Begins an `Effect::Preflight` or `Effect::Act` and returns at once. The answer, an error
    /// included, comes back as a message.
    fn perform(&self, effect: Effect);
}
