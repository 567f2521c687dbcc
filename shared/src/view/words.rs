//! What keyspaces promise, in the words that people type and read.

use std::fmt;

use super::{ReadDefault, SyncPolicy, ZoneRule};

impl fmt::Display for SyncPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Leader => "leader",
            Self::Quorum => "quorum",
            Self::All => "all",
        })
    }
}

impl fmt::Display for ReadDefault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Linearizable => f.write_str("linearizable"),
            Self::Session => f.write_str("session"),
            Self::Bounded(age_ms) => write!(f, "bounded={age_ms}ms"),
            Self::Any => f.write_str("any"),
        }
    }
}

impl fmt::Display for ZoneRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Spread => "spread",
            Self::Strict => "strict",
            Self::Ignore => "ignore",
        })
    }
}
