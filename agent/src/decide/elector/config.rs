//! The elector's timings.
//!
//! Invariant: every wait is bounded, and each quick retry has a slow one behind it.

use std::time::Duration;

/// The elector's settings. The timings worked on the rig that measured 62 ms from kill to write.
#[derive(Clone, Copy, Debug)]
pub struct ElectorConfig {
    /// A shard that was not claimed for longer is unled.
    pub claim_lapse: Duration,
    /// A leadership transfer that took longer is stuck.
    pub transfer_limit: Duration,
    /// The first retry comes after this, each later one after twice as long.
    pub retry: Duration,
    /// So many retries are quick; later ones come after `patience`.
    pub quick_retries: u32,
    /// The pause, drawn at random, after a vote for another, and between late retries.
    pub patience: (Duration, Duration),
    /// How long an own election may take before the next canvass, drawn at random.
    pub election: (Duration, Duration),
    /// How long a better placed peer is let go first.
    pub defer: Duration,
    /// After so many rounds in which nothing happened, the better placed peer is not waited for.
    pub deferrals_max: u32,
    /// How long a majority waits for the answers still missing.
    pub linger: Duration,
    /// How long answers are waited for: the deadline of the canvass's call.
    pub answer_limit: Duration,
    /// How often a leader without a quorum's acknowledgement is nudged.
    pub nudge_interval: Duration,
    /// The longest time between two ticks.
    pub tick_max: Duration,
}

impl Default for ElectorConfig {
    fn default() -> Self {
        let ms = Duration::from_millis;
        Self {
            claim_lapse: ms(300),
            transfer_limit: ms(300),
            retry: ms(8),
            quick_retries: 5,
            patience: (ms(150), ms(300)),
            election: (ms(60), ms(120)),
            defer: ms(40),
            deferrals_max: 3,
            linger: ms(10),
            answer_limit: ms(100),
            nudge_interval: ms(100),
            tick_max: ms(100),
        }
    }
}
