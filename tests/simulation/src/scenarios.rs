//! The scenarios, by name; each is a function of a seed, and each file holds one.

mod foretold;
mod linear;
mod put_crash_read;
mod storm;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use crate::seed::Seed;
use crate::trace::Trace;
use crate::world::Failure;

/// What can be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// Three agents; keys are put while one loses power, then all do; every key is read back
    PutCrashRead,
    /// Three agents under one fault after another, then a calm in which all must heal
    Storm,
    /// Clients contend for a few keys in a storm of faults; what they saw must be linearizable
    Linear,
    /// Five agents die one by one; what can't be written then must be what was foretold
    Foretold,
}

impl Scenario {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::PutCrashRead, Self::Storm, Self::Linear, Self::Foretold];

    /// As it is asked for.
    pub fn name(self) -> &'static str {
        match self {
            Self::PutCrashRead => "put-crash-read",
            Self::Storm => "storm",
            Self::Linear => "linear",
            Self::Foretold => "foretold",
        }
    }

    /// Runs it to its end and tells how long it took in simulated time.
    pub fn run(self, seed: Seed, trace: Rc<RefCell<Trace>>) -> Result<Duration, Failure> {
        match self {
            Self::PutCrashRead => put_crash_read::run(seed, trace),
            Self::Storm => storm::run(seed, trace),
            Self::Linear => linear::run(seed, trace),
            Self::Foretold => foretold::run(seed, trace),
        }
    }
}

impl std::str::FromStr for Scenario {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let named = Self::ALL.into_iter().find(|scenario| scenario.name() == name);
        let all = || Self::ALL.map(Self::name).join(", ");
        named.ok_or_else(|| format!("no such scenario; there are {}", all()))
    }
}
