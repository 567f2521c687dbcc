//! The world as one simulated agent sees it: simulated time, network, disk and random numbers.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use evenkeel_agent::env::Env;
use evenkeel_agent::env::clock::Clock;
use evenkeel_agent::env::fs::sim::SimDisk;
use evenkeel_agent::env::rng::Rng;
use evenkeel_agent::env::usage::Unknown;
use rand::rngs::StdRng;

use crate::net::SimNet;
use crate::work::OneThread;

/// When every simulation begins, in seconds since 1970: a date like today's.
pub const BEGINS_UNIX_S: u64 = 1_750_000_000;

/// The environment of one life of an agent, on a disk that was mounted for this life.
pub fn env(disk: SimDisk, random: StdRng) -> Env {
    Env {
        clock: Arc::new(SimClock),
        net: Arc::new(SimNet),
        disk: Arc::new(disk),
        rng: Arc::new(SeededRng(Mutex::new(random))),
        usage: Arc::new(Unknown),
        work: Arc::new(OneThread),
        faults: None,
    }
}

/// Simulated milliseconds since 1970, on the host that runs now.
pub fn unix_ms() -> u64 {
    let since = Duration::from_secs(BEGINS_UNIX_S) + elapsed();
    u64::try_from(since.as_millis()).expect("milliseconds since 1970 fit 64 bits")
}

/// Simulated time since the beginning; zero between two hosts' turns.
fn elapsed() -> Duration {
    turmoil::sim_elapsed().unwrap_or_default()
}

/// The simulation's clock.
struct SimClock;

impl Clock for SimClock {
    fn now(&self) -> Duration {
        elapsed()
    }

    fn unix_ms(&self) -> u64 {
        unix_ms()
    }
}

struct SeededRng(Mutex<StdRng>);

impl Rng for SeededRng {
    fn next_u64(&self) -> u64 {
        let mut random = self.0.lock().expect("drawing does not panic");
        rand::Rng::next_u64(&mut *random)
    }
}
