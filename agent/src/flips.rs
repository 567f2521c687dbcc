//! For tests: one bit is flipped on a disk, everything is read back, and what became of it counts.
//!
//! One seed gives one row of the table in docs/durability.md. `EVENKEEL_FLIPS` asks for that many
//! flips a row, `EVENKEEL_FLIPS_SEED` for others than usual; both change no verdict.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::panic::AssertUnwindSafe;

use futures::FutureExt;

/// What became of a flip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    /// An error, or a quarantine of a replica whose bytes it touched; all else as it was written.
    Detected,
    /// All that was read is exactly as it was written.
    Harmless,
    /// A replica's state is exactly what it was some entries ago, and says so.
    RolledBack,
    /// Anything else that was not noticed.
    Silent,
    /// Somebody panicked.
    Panicked,
}

const VERDICTS: [Verdict; 5] =
    [Verdict::Detected, Verdict::Harmless, Verdict::RolledBack, Verdict::Silent, Verdict::Panicked];

/// How many of the flips that went wrong are named.
const WORST_MAX: usize = 100;

/// A flip's draws.
pub(crate) struct Dice(u64);

impl Dice {
    /// A number below a bound that is not 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        // SplitMix64: every seed gives another, even sequence.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        let bound = u64::try_from(bound).expect("bounds fit 64 bits");
        usize::try_from((bits ^ bits >> 31) % bound).expect("it is below a bound of that type")
    }
}

/// One row of the table.
pub(crate) struct Row {
    counts: BTreeMap<Verdict, u32>,
    worst: Vec<String>,
}

/// Flips as often as is asked for, and prints the row. The seed that each flip is given with what
/// went wrong makes it again.
pub(crate) async fn row(
    part: &str,
    flips: u32,
    mut flip: impl AsyncFnMut(&mut Dice) -> (Verdict, String),
) -> Row {
    let asked = |name: &str| std::env::var(name).ok().and_then(|number| number.parse().ok());
    let flips = asked("EVENKEEL_FLIPS").map_or(flips, |flips: u64| flips.try_into().unwrap());
    let first = asked("EVENKEEL_FLIPS_SEED").unwrap_or(1);
    let mut row = Row { counts: VERDICTS.map(|verdict| (verdict, 0)).into(), worst: Vec::new() };
    for seed in (first..).take(flips as usize) {
        // Far apart, so that neighbouring seeds draw nothing alike.
        let mut dice = Dice(seed.wrapping_mul(0xd134_2543_de82_ef95));
        let done = AssertUnwindSafe(flip(&mut dice)).catch_unwind().await;
        let (verdict, what) = done.unwrap_or((Verdict::Panicked, String::new()));
        *row.counts.entry(verdict).or_default() += 1;
        if verdict >= Verdict::Silent {
            row.worst.push(format!("EVENKEEL_FLIPS_SEED={seed}: {verdict:?} {what}"));
        }
    }
    let mut line = format!("| {part} | {flips} ");
    for count in row.counts.values() {
        write!(line, "| {count} ").expect("a string takes all");
    }
    println!("{line}|");
    for flip in row.worst.iter().take(WORST_MAX) {
        println!("  {flip}");
    }
    row
}

impl Row {
    /// How many flips ended so.
    pub(crate) fn count(&self, verdict: Verdict) -> u32 {
        self.counts[&verdict]
    }

    /// Every flip was noticed or changed nothing.
    pub(crate) fn assert_never_silent(&self) {
        assert!(self.worst.is_empty(), "{} flips were not noticed", self.worst.len());
    }
}
