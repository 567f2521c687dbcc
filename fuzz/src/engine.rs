//! Runs a target: draws a recipe, applies it, decodes, counts; on a failure, the smallest input.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use crate::MEMORY;
use crate::mutation::recipes;

/// Recipes between two looks at the clock.
const ROUND: u32 = 64;

/// What decodes.
pub trait Target {
    /// What it is called on the command line.
    fn name(&self) -> &'static str;
    /// Valid inputs.
    fn corpus(&self) -> &[Vec<u8>];
    /// Decodes; whether the input was taken for a valid one.
    fn decode(&self, input: &[u8]) -> bool;
    /// The most that may be allocated at once for an input of that length.
    fn memory_bytes_max(&self, input_bytes: usize) -> usize;
}

/// How long a target runs.
#[derive(Clone, Copy, Debug)]
pub enum Budget {
    /// For that long.
    Time(Duration),
    /// So many inputs.
    Inputs(u64),
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Inputs decoded.
    pub inputs: u64,
    /// Of those, taken for valid.
    pub accepted: u64,
    /// The most that one of them allocated beyond what stood before.
    pub memory_bytes: usize,
    /// The smallest input that failed, and how.
    pub failed: Option<(Vec<u8>, String)>,
}

/// Decodes one input; an error says what was wrong with the decoder.
pub fn try_one(target: &dyn Target, input: &[u8]) -> Result<(bool, usize), String> {
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    let accepted = catch_unwind(AssertUnwindSafe(|| target.decode(input)));
    let taken = MEMORY.peak_usage().saturating_sub(before);
    let accepted = accepted.map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        format!("panicked: {}", text.unwrap_or("without a word"))
    })?;
    let bound = target.memory_bytes_max(input.len());
    if taken > bound {
        return Err(format!("{} bytes made it allocate {taken}, not {bound}", input.len()));
    }
    Ok((accepted, taken))
}

/// Runs a target until its budget is spent or an input has failed.
pub fn run(target: &dyn Target, seed: u64, budget: Budget) -> Tally {
    let corpus = target.corpus();
    let mut tally = Tally::default();
    for input in corpus {
        match try_one(target, input) {
            Ok((true, _)) => {}
            Ok((false, _)) => panic!("{} refuses an input of its own corpus", target.name()),
            Err(why) => {
                tally.failed = Some((input.clone(), why));
                return tally;
            }
        }
    }
    let config = Config { cases: ROUND, failure_persistence: None, ..Config::default() };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut seeds = TestRunner::new_with_rng(config.clone(), rng);
    let began = now();
    let spent = |tally: &Tally| match budget {
        Budget::Time(time) => began.elapsed() >= time,
        Budget::Inputs(inputs) => tally.inputs >= inputs,
    };
    let strategy = recipes();
    while !spent(&tally) && tally.failed.is_none() {
        let (inputs, accepted, memory) = (Cell::new(0), Cell::new(0), Cell::new(0));
        // A runner counts its successes, and is done for good after so many.
        let mut runner = TestRunner::new_with_rng(config.clone(), seeds.new_rng());
        let ended = runner.run(&strategy, |recipe| {
            inputs.set(inputs.get() + 1);
            let (valid, taken) =
                try_one(target, &recipe.apply(corpus)).map_err(TestCaseError::fail)?;
            accepted.set(accepted.get() + u64::from(valid));
            memory.set(memory.get().max(taken));
            Ok(())
        });
        tally.inputs += inputs.get();
        tally.accepted += accepted.get();
        tally.memory_bytes = tally.memory_bytes.max(memory.get());
        tally.failed = match ended {
            Ok(()) => None,
            Err(TestError::Fail(why, recipe)) => Some((recipe.apply(corpus), why.to_string())),
            Err(TestError::Abort(why)) => panic!("proptest gave up: {why}"),
        };
    }
    tally
}

#[expect(clippy::disallowed_methods, reason = "how long to run is the operator's own time")]
fn now() -> Instant {
    Instant::now()
}
