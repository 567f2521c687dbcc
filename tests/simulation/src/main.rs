//! The simulation: one seed a process, since the replaced clock and random numbers are the
//! process's own. Prints one line about the run, and on failure how to run it again.

use std::cell::RefCell;
use std::process::ExitCode;
use std::rc::Rc;

use clap::Parser;

use evenkeel_agent::planted::{self, Bug};
use evenkeel_simulation::scenarios::Scenario;
use evenkeel_simulation::seed::Seed;
use evenkeel_simulation::trace::Trace;

/// Runs whole agents on simulated time, network and disks.
#[derive(Parser)]
struct Arguments {
    /// The number that decides the whole run
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// What to run
    #[arg(long, value_enum, default_value = "put-crash-read")]
    scenario: Scenario,
    /// A known bug to plant in every agent
    #[arg(long)]
    planted: Option<Bug>,
    /// Print what happened, line by line
    #[arg(long)]
    trace: bool,
}

/// Lines of the trace that a failure shows.
const LINES_SHOWN: usize = 40;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let (seed, scenario) = (arguments.seed, arguments.scenario);
    let filter = tracing_subscriber::EnvFilter::from_default_env();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    if let Some(bug) = arguments.planted {
        planted::plant(bug);
    }
    mad_turmoil::rand::set_rng(Seed(seed).stream("system", 0));
    fastrand::seed(Seed(seed).number("fastrand", 0));

    // Said before all else: a panic while the world is torn down aborts the process.
    let name = clap::ValueEnum::to_possible_value(&scenario).expect("no scenario is hidden");
    let again = format!("cargo run -- --scenario {} --seed {seed}", name.get_name());
    let again = format!("reproduce: (cd tests/simulation && {again} --trace)");
    let (usual, on_panic) = (std::panic::take_hook(), again.clone());
    std::panic::set_hook(Box::new(move |panic| {
        say(std::io::stderr(), &on_panic);
        usual(panic);
    }));

    // A fresh thread has drawn nothing yet: std's hash maps are keyed once a thread.
    let run = std::thread::Builder::new().name("world".to_owned()).spawn(move || run(&arguments));
    let ended = run.expect("one more thread can be started").join();
    if ended.unwrap_or(false) {
        return ExitCode::SUCCESS;
    }
    say(std::io::stderr(), &again);
    ExitCode::FAILURE
}

/// Runs one scenario; the answer is whether it held.
fn run(arguments: &Arguments) -> bool {
    let _clocks = mad_turmoil::time::SimClocksGuard::init();
    let trace = Rc::new(RefCell::new(Trace::default()));
    let outcome = arguments.scenario.run(Seed(arguments.seed), trace.clone());
    let trace = trace.borrow();
    if arguments.trace {
        trace.lines().for_each(|line| say(std::io::stdout(), line));
    }
    let what =
        format!("seed {}: {} lines, trace {:016x}", arguments.seed, trace.count(), trace.hash());
    match outcome {
        Ok(simulated) => {
            say(std::io::stdout(), &format!("{what}, {:.1} s simulated", simulated.as_secs_f64()));
            true
        }
        Err(failure) => {
            let from = trace.lines().len().saturating_sub(LINES_SHOWN);
            trace.lines().skip(from).for_each(|line| say(std::io::stderr(), line));
            say(std::io::stderr(), &format!("{what}: FAILED, {failure}"));
            false
        }
    }
}

/// Writes a line; whoever reads it may have gone.
fn say(mut to: impl std::io::Write, line: &str) {
    let _ = writeln!(to, "{line}");
}
