//! Many seeds of one scenario or of all: progress, a summary, and for each failure its command.

use crate::children::{Going, run_all};
use crate::one::Run;
use crate::say;
use crate::scenarios::Scenario;
use crate::seed::Seeds;

/// Runs between two lines of progress.
const PROGRESS_EVERY: usize = 100;

/// What to run.
#[derive(Clone, Debug)]
pub struct Sweep {
    /// Each of these.
    pub scenarios: Vec<Scenario>,
    /// With each of these.
    pub seeds: Seeds,
    /// Processes at a time.
    pub jobs: usize,
}

#[derive(Default)]
struct Sums {
    ended: usize,
    simulated_s: f64,
    processor_s: f64,
    failed: Vec<String>,
}

impl std::fmt::Display for Sums {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { ended, simulated_s, processor_s, failed } = self;
        let speed = if *processor_s > 0.0 { simulated_s / processor_s } else { 0.0 };
        write!(f, "{ended} runs, {} failed, {simulated_s:.0} s simulated, ", failed.len())?;
        write!(f, "{speed:.1} of them in a second of processor time")
    }
}

/// Runs everything; the answer is whether every run held.
pub fn run(sweep: &Sweep) -> bool {
    let runs = sweep.seeds.iter().flat_map(|seed| {
        sweep.scenarios.iter().map(move |scenario| Run {
            scenario: *scenario,
            seed,
            planted: None,
            trace: false,
        })
    });
    let mut sums = Sums::default();
    run_all(runs, sweep.jobs, |ended| {
        sums.ended += 1;
        sums.simulated_s += ended.simulated_s;
        sums.processor_s += ended.processor_s;
        if let Some(failure) = ended.failure {
            let name = ended.run.scenario.name();
            let line = format!("{name} {}: {failure}\n  {}", ended.run.seed, ended.run.again());
            say(std::io::stdout(), &line);
            sums.failed.push(line);
        }
        if sums.ended.is_multiple_of(PROGRESS_EVERY) {
            say(std::io::stderr(), &sums.to_string());
        }
        Going::On
    });
    say(std::io::stdout(), &sums.to_string());
    sums.failed.is_empty()
}
