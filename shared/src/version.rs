//! Versions and hybrid logical time: what lets two replies be put in order.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::{Epoch, History, ShardId};

/// Where a record was written: compared by epoch, term, index within one shard.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Version {
    /// The shard that wrote it.
    pub shard: ShardId,
    /// That shard's epoch at the time.
    pub epoch: Epoch,
    /// The term of the log entry.
    pub term: u64,
    /// The index of the log entry.
    pub index: u64,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}/{}", self.shard, self.epoch, self.term, self.index)
    }
}

/// How far somebody has seen a shard: a replica that has applied this much of this very log shows
/// all of it (safety rule 18).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The shard.
    pub shard: ShardId,
    /// Which life of it.
    pub history: History,
    /// The term of the last entry seen.
    pub term: u64,
    /// Its index.
    pub index: u64,
}

impl Position {
    /// Whether this one shows at least as much as the other; another history never does.
    pub fn covers(&self, other: &Self) -> bool {
        self.shard == other.shard
            && self.history == other.history
            && (self.term, self.index) >= (other.term, other.index)
    }
}

/// Hybrid logical time (Kulkarni et al., "Logical Physical Clocks", 2014): milliseconds since
/// 1970 in the high 48 bits, a counter in the low 16.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Hlc(pub u64);

impl Hlc {
    /// The first time within a millisecond.
    pub fn from_unix_ms(unix_ms: u64) -> Self {
        Self(unix_ms << 16)
    }

    /// Milliseconds since 1970.
    pub fn unix_ms(self) -> u64 {
        self.0 >> 16
    }

    /// The next time, whatever the clock says.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// Milliseconds added, the counter kept.
    #[must_use]
    pub fn plus_ms(self, milliseconds: u64) -> Self {
        Self(self.0 + (milliseconds << 16))
    }
}

impl fmt::Display for Hlc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.unix_ms(), self.0 & 0xffff)
    }
}
