//! Counts requests and times writes, for the load that heartbeats report.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::env::clock::Clock;

/// Write times kept between two readings: enough for a percentile, bounded in a flood.
const SAMPLES_MAX: usize = 4_096;

/// Figures of the requests served at this node.
pub struct Meter {
    clock: Arc<dyn Clock>,
    reads: AtomicU64,
    writes: AtomicU64,
    connections: AtomicU32,
    write_us: Mutex<Vec<u32>>,
    last: Mutex<Reading>,
}

/// Figures since the reading before.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Reading {
    at: Duration,
    reads: u64,
    writes: u64,
    /// Reads a second.
    pub reads_s: f64,
    /// Writes a second.
    pub writes_s: f64,
    /// 99th percentile of writes; `None` without writes.
    pub write_p99_us: Option<u32>,
    /// Connections open now.
    pub connections: u32,
}

/// A connection that counts until it is dropped.
pub struct Counted(Arc<Meter>);

impl Meter {
    /// Nothing counted yet.
    pub fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self {
            clock,
            reads: AtomicU64::new(0),
            writes: AtomicU64::new(0),
            connections: AtomicU32::new(0),
            write_us: Mutex::default(),
            last: Mutex::default(),
        })
    }

    /// The moment at which a write begins.
    pub fn begin(&self) -> Duration {
        self.clock.now()
    }

    /// A write that began then was done: what is refused is no work.
    pub fn wrote(&self, begun: Duration) {
        self.writes.fetch_add(1, Ordering::Relaxed);
        let took = self.clock.now().saturating_sub(begun);
        let mut samples = self.write_us.lock().expect("no holder of this lock panics");
        if samples.len() < SAMPLES_MAX {
            samples.push(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
        }
    }

    /// A read has found out what it asked.
    pub fn read(&self) {
        self.reads.fetch_add(1, Ordering::Relaxed);
    }

    /// A connection has been opened.
    pub fn connected(self: &Arc<Self>) -> Counted {
        self.connections.fetch_add(1, Ordering::Relaxed);
        Counted(self.clone())
    }

    /// The figures since the reading before; readings closer than a second give the one before.
    pub fn reading(&self) -> Reading {
        let now = self.clock.now();
        let mut last = self.last.lock().expect("no holder of this lock panics");
        let seconds = now.saturating_sub(last.at).as_secs_f64();
        let connections = self.connections.load(Ordering::Relaxed);
        if seconds < 1.0 {
            return Reading { connections, ..*last };
        }
        let (reads, writes) =
            (self.reads.load(Ordering::Relaxed), self.writes.load(Ordering::Relaxed));
        let samples =
            std::mem::take(&mut *self.write_us.lock().expect("no holder of this lock panics"));
        #[expect(clippy::cast_precision_loss, reason = "a rate needs no 53rd bit")]
        let rate = |now: u64, before: u64| now.saturating_sub(before) as f64 / seconds;
        *last = Reading {
            at: now,
            reads,
            writes,
            reads_s: rate(reads, last.reads),
            writes_s: rate(writes, last.writes),
            write_p99_us: p99(samples),
            connections,
        };
        *last
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

fn p99(mut samples: Vec<u32>) -> Option<u32> {
    let at = (samples.len() * 99).div_ceil(100).checked_sub(1)?;
    Some(*samples.select_nth_unstable(at).1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_percentile_of_nothing_is_unknown() {
        assert_eq!(p99(vec![]), None);
        assert_eq!(p99(vec![7]), Some(7));
        assert_eq!(p99((1..=100).collect()), Some(99));
    }
}
