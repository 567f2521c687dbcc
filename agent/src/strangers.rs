//! Callers who break the rules, as the log tells of them: at once, then by powers of ten.
//!
//! A caller that does the same again and again, or many that do, never flood the log.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::env::clock::Clock;

/// After so long without it, the same is told anew.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(600);
/// Offences that are told apart; beyond it the one longest unseen is forgotten.
const OFFENCES_MAX: usize = 256;
/// Lines that may be written at once, however many offences there are.
const LINES_MAX: u32 = 50;
/// How often another line may be written after those.
const LINE_EVERY: Duration = Duration::from_secs(2);
/// How much of a reason is kept: it may quote what the caller sent.
const WHY_CHARS_MAX: usize = 200;

/// Tells of callers who break the rules.
pub struct Strangers {
    clock: Arc<dyn Clock>,
    book: Mutex<Book>,
}

/// What has been done, and how much of it was told.
#[derive(Default)]
struct Book {
    offences: BTreeMap<(IpAddr, String), Offence>,
    /// Lines written lately, and when the last of them became free again.
    lines: u32,
    freed: Duration,
    /// Lines that were not written since the last one.
    unsaid: u64,
}

struct Offence {
    times: u64,
    seen: Duration,
}

/// A line for the log.
#[derive(Debug, PartialEq, Eq)]
struct Line {
    /// How often it has happened.
    times: u64,
    /// How many lines were left out before it.
    unsaid: u64,
}

impl Strangers {
    /// Nobody has done anything yet.
    pub fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self { clock, book: Mutex::default() })
    }

    /// A caller has broken a rule, and was let go or refused for it.
    pub fn complain(&self, from: SocketAddr, why: &str) {
        let why: String = why.chars().take(WHY_CHARS_MAX).collect();
        let mut book = self.book.lock().expect("no holder of this lock panics");
        let line = book.enter((from.ip(), why.clone()), self.clock.now());
        drop(book);
        if let Some(Line { times, unsaid }) = line {
            tracing::warn!(%from, why, times, unsaid, "a caller broke the rules");
        }
    }
}

impl Book {
    /// Enters an offence; the line to write, if it is worth one.
    fn enter(&mut self, what: (IpAddr, String), now: Duration) -> Option<Line> {
        let known = self.offences.get(&what).map_or(0, |offence| {
            if now.saturating_sub(offence.seen) < FORGOTTEN_AFTER { offence.times } else { 0 }
        });
        let times = known + 1;
        if known == 0 && self.offences.len() >= OFFENCES_MAX {
            let oldest = self.offences.iter().min_by_key(|(_, offence)| offence.seen);
            if let Some(oldest) = oldest.map(|(what, _)| what.clone()) {
                self.offences.remove(&oldest);
            }
        }
        self.offences.insert(what, Offence { times, seen: now });
        if !is_power_of_ten(times) {
            return None;
        }
        while self.lines > 0 && now.saturating_sub(self.freed) >= LINE_EVERY {
            self.lines -= 1;
            self.freed += LINE_EVERY;
        }
        if self.lines >= LINES_MAX {
            self.unsaid += 1;
            return None;
        }
        if self.lines == 0 {
            self.freed = now;
        }
        self.lines += 1;
        Some(Line { times, unsaid: std::mem::take(&mut self.unsaid) })
    }
}

fn is_power_of_ten(mut number: u64) -> bool {
    while number >= 10 && number.is_multiple_of(10) {
        number /= 10;
    }
    number == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn what(why: impl Into<String>) -> (IpAddr, String) {
        (IpAddr::from([127, 0, 0, 1]), why.into())
    }

    #[test]
    fn the_same_is_told_by_powers_of_ten() {
        let mut book = Book::default();
        let told: Vec<u64> = (0..5_000)
            .filter_map(|_| book.enter(what("a"), Duration::ZERO))
            .map(|l| l.times)
            .collect();
        assert_eq!(told, [1, 10, 100, 1_000]);
        assert_eq!(book.enter(what("a"), FORGOTTEN_AFTER), Some(Line { times: 1, unsaid: 0 }));
    }

    #[test]
    fn ever_new_offences_are_told_slowly_and_counted() {
        let mut book = Book::default();
        let mut enter = |number: u32, now| book.enter(what(number.to_string()), now);
        let told = (0..1_000).filter(|number| enter(*number, Duration::ZERO).is_some()).count();
        assert_eq!(told, LINES_MAX as usize);
        let unsaid = 1_000 - u64::from(LINES_MAX);
        assert_eq!(enter(1_001, LINE_EVERY), Some(Line { times: 1, unsaid }));
        assert_eq!(enter(1_002, LINE_EVERY), None);
        assert!(book.offences.len() <= OFFENCES_MAX);
    }
}
