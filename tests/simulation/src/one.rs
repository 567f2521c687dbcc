//! One seed in this process. Prints one line about the run, and on failure how to run it again.

use std::cell::RefCell;
use std::rc::Rc;

use evenkeel_agent::env::usage::{OwnProcess, Usage as _};
use evenkeel_agent::planted::{self, Bug};

use crate::say;
use crate::scenarios::Scenario;
use crate::seed::Seed;
use crate::trace::Trace;

/// Lines of the trace that a failure shows.
const LINES_SHOWN: usize = 40;

/// What to run.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// The scenario.
    pub scenario: Scenario,
    /// The number that decides it.
    pub seed: u64,
    /// The bug in every agent.
    pub planted: Option<Bug>,
    /// Whether to print what happened.
    pub trace: bool,
}

impl Run {
    /// The program's arguments for it.
    pub fn arguments(&self) -> Vec<String> {
        let mut words = vec!["--scenario".to_owned(), self.scenario.name().to_owned()];
        words.extend(["--seed".to_owned(), self.seed.to_string()]);
        if let Some(bug) = self.planted {
            words.extend(["--planted".to_owned(), bug.name().to_owned()]);
        }
        words
    }

    /// The command that does the same again.
    pub fn again(&self) -> String {
        let words = self.arguments().join(" ");
        format!("reproduce: (cd tests/simulation && cargo run -- {words} --trace)")
    }
}

/// Runs it to its end; the answer is whether everything held.
pub fn run(run: Run) -> bool {
    let filter = tracing_subscriber::EnvFilter::from_default_env();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    if let Some(bug) = run.planted {
        planted::plant(bug);
    }
    mad_turmoil::rand::set_rng(Seed(run.seed).stream("system", 0));
    fastrand::seed(Seed(run.seed).number("fastrand", 0));

    // Said before all else: a panic while the world is torn down aborts the process.
    let (usual, again) = (std::panic::take_hook(), run.again());
    std::panic::set_hook(Box::new(move |panic| {
        say(std::io::stderr(), &again);
        usual(panic);
    }));

    // A fresh thread has drawn nothing yet: std's hash maps are keyed once a thread.
    let world = std::thread::Builder::new().name("world".to_owned()).spawn(move || simulate(run));
    let held = world.expect("one more thread can be started").join().unwrap_or(false);
    if let Some(cost) = OwnProcess.cpu_time() {
        say(std::io::stderr(), &format!("{:.3} s of processor time", cost.as_secs_f64()));
    }
    if !held {
        say(std::io::stderr(), &run.again());
    }
    held
}

fn simulate(run: Run) -> bool {
    let _clocks = mad_turmoil::time::SimClocksGuard::init();
    let trace = Rc::new(RefCell::new(Trace::default()));
    let outcome = run.scenario.run(Seed(run.seed), trace.clone());
    let trace = trace.borrow();
    if run.trace {
        trace.lines().for_each(|line| say(std::io::stdout(), line));
    }
    let what = format!("seed {}: {} lines, trace {:016x}", run.seed, trace.count(), trace.hash());
    let what = format!("{what}, {:.1} s simulated", trace.until().as_secs_f64());
    match outcome {
        Ok(_) => {
            say(std::io::stdout(), &what);
            true
        }
        Err(failure) => {
            let from = trace.lines().len().saturating_sub(LINES_SHOWN);
            trace.lines().skip(from).for_each(|line| say(std::io::stderr(), line));
            say(std::io::stdout(), &what);
            say(std::io::stdout(), &format!("FAILED: {failure}"));
            false
        }
    }
}
