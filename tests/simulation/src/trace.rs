//! What happened, line by line: the same seed gives the same lines, so one hash compares two runs.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hasher};
use std::time::Duration;

/// Lines kept for whoever looks into a failure; the hash covers all.
const LINES_KEPT: usize = 5_000;

/// The history of one run.
#[derive(Default)]
pub struct Trace {
    // Keyed with zeroes: its value is the same in every process.
    hasher: DefaultHasher,
    lines: VecDeque<String>,
    count: u64,
    until: Duration,
}

impl Trace {
    /// Adds a line, at a moment of simulated time.
    pub fn add(&mut self, at: Duration, what: &str) {
        let line = self.weigh(at, what);
        if self.lines.len() == LINES_KEPT {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }

    /// Adds a line to the hash only: there are too many of its kind to be read.
    pub fn add_unread(&mut self, at: Duration, what: &str) {
        self.weigh(at, what);
    }

    fn weigh(&mut self, at: Duration, what: &str) -> String {
        let line = format!("{:>9.3} {what}", at.as_secs_f64());
        self.hasher.write(line.as_bytes());
        self.hasher.write_u8(b'\n');
        self.count += 1;
        self.until = at;
        line
    }

    /// The hash over every line so far.
    pub fn hash(&self) -> u64 {
        self.hasher.finish()
    }

    /// How many lines there were.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The moment of the last line.
    pub fn until(&self) -> Duration {
        self.until
    }

    /// The last lines, oldest first.
    pub fn lines(&self) -> impl DoubleEndedIterator<Item = &str> + ExactSizeIterator {
        self.lines.iter().map(String::as_str)
    }
}
