//! The demo's own load: small writes to random keys at a steady rate, and what came of them.
//!
//! It is paced, not a closed loop: an outage is followed by the same rate as before, not by a
//! burst.

mod pacer;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use evenkeel_shared::client::{ClientError, StoreHandle};
use hdrhistogram::Histogram;
use tokio::task::JoinSet;

use crate::random::Stream;
use pacer::Pacer;

/// Writers that share the rate: enough that shards which stall don't hold up the others.
const WRITERS: u32 = 32;
/// Keys in use.
const KEYS: u64 = 10_000;
/// Length of each value.
const VALUE_BYTES: usize = 64;
/// Latencies above this are counted as this much.
const LATENCY_US_MAX: u64 = 60_000_000;

/// What came of the load so far; shared with the console.
#[derive(Debug)]
pub struct LoadStats {
    acknowledged: AtomicU64,
    errors: AtomicU64,
    unknown: AtomicU64,
    latencies_us: Mutex<Histogram<u64>>,
}

/// Figures of the load. Counts are since the start, latencies since they were last taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoadFigures {
    /// Writes acknowledged.
    pub acknowledged: u64,
    /// Writes refused or never answered, of which nothing took effect.
    pub errors: u64,
    /// Writes whose outcome is not known.
    pub unknown: u64,
    /// Median latency; `None` without writes.
    pub p50_us: Option<u64>,
    /// 99th percentile; `None` without writes.
    pub p99_us: Option<u64>,
    /// The slowest write; `None` without writes.
    pub max_us: Option<u64>,
}

impl Default for LoadStats {
    fn default() -> Self {
        let latencies_us = Histogram::new_with_max(LATENCY_US_MAX, 2)
            .expect("two digits up to a minute are within the histogram's limits");
        Self {
            acknowledged: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            unknown: AtomicU64::new(0),
            latencies_us: Mutex::new(latencies_us),
        }
    }
}

impl LoadStats {
    /// The figures; latencies begin anew.
    pub fn take(&self) -> LoadFigures {
        let mut latencies = self.latencies_us.lock().expect("no holder of this lock panics");
        let of = |value: u64| (!latencies.is_empty()).then_some(value);
        let figures = LoadFigures {
            acknowledged: self.acknowledged.load(Ordering::Relaxed),
            errors: self.errors.load(Ordering::Relaxed),
            unknown: self.unknown.load(Ordering::Relaxed),
            p50_us: of(latencies.value_at_quantile(0.5)),
            p99_us: of(latencies.value_at_quantile(0.99)),
            max_us: of(latencies.max()),
        };
        latencies.reset();
        figures
    }

    fn acknowledge(&self, took: Duration) {
        self.acknowledged.fetch_add(1, Ordering::Relaxed);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let mut latencies = self.latencies_us.lock().expect("no holder of this lock panics");
        latencies.saturating_record(micros);
    }
}

/// Starts the writers; they end when the set is dropped.
pub(super) fn start(store: &StoreHandle, per_second: u32, stats: &Arc<LoadStats>) -> JoinSet<()> {
    let mut writers = JoinSet::new();
    if per_second == 0 {
        return writers;
    }
    let pacer = Arc::new(Mutex::new(Pacer::new(per_second, crate::clock::now())));
    for _ in 0..WRITERS.min(per_second) {
        writers.spawn(write_for_ever(store.clone(), pacer.clone(), stats.clone()));
    }
    writers
}

async fn write_for_ever(store: StoreHandle, pacer: Arc<Mutex<Pacer>>, stats: Arc<LoadStats>) {
    let mut random = Stream::new(crate::random::bits());
    loop {
        let now = crate::clock::now();
        let due = pacer.lock().expect("no holder of this lock panics").next(now);
        tokio::time::sleep(due.saturating_sub(now)).await;
        let key = format!("demo/{:05}", random.below(KEYS)).into();
        let began = crate::clock::now();
        match store.put(key, random.bytes(VALUE_BYTES)).await {
            Ok(reply) if reply.result.is_done() => {
                stats.acknowledge(crate::clock::now().saturating_sub(began));
            }
            Err(ClientError::Unknown { .. }) => {
                stats.unknown.fetch_add(1, Ordering::Relaxed);
            }
            Ok(_) | Err(_) => {
                stats.errors.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_stay_and_latencies_begin_anew() {
        let stats = LoadStats::default();
        stats.acknowledge(Duration::from_micros(100));
        let first = stats.take();
        assert_eq!((first.acknowledged, first.max_us), (1, Some(100)));
        let second = stats.take();
        assert_eq!((second.acknowledged, second.p99_us), (1, None));
    }
}
