//! A held screen: what was known at one moment, while the cluster goes on.

use super::cluster::Cluster;

/// A held screen.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    /// What was known.
    pub(crate) cluster: Cluster,
    /// When.
    pub(crate) at: u64,
    /// Events that have arrived since the screen was held.
    pub(crate) events_since: u64,
    /// How time is travelled; `None`: the screen was merely frozen.
    pub(crate) travel: Option<Travel>,
}

/// Where in the past the screen is, and whether it moves on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Travel {
    /// Whether it plays.
    pub(crate) playing: bool,
    /// Seconds of the past in one second.
    pub(crate) speed: u32,
    /// The console's time of the last step of playing.
    pub(crate) stepped: u64,
}

/// The fastest that is played.
pub(crate) const SPEED_MAX: u32 = 64;

impl Held {
    /// Why nothing can be done to the cluster meanwhile.
    pub(crate) fn refusal(&self) -> &'static str {
        match self.travel {
            None => "the screen is frozen: press p first",
            Some(_) => "this is the past: press L first",
        }
    }

    /// Whether the screen changes by itself.
    pub(crate) fn plays(&self) -> bool {
        self.travel.is_some_and(|travel| travel.playing)
    }
}
