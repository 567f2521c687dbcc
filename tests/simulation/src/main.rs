//! The simulation's program: one seed in this process, or many seeds in one process each, since the
//! replaced clock and random numbers are the process's own.

use std::process::ExitCode;

use clap::Parser;

use evenkeel_agent::planted::Bug;
use evenkeel_simulation::one;
use evenkeel_simulation::scenarios::Scenario;
use evenkeel_simulation::seed::Seeds;
use evenkeel_simulation::{hunt, sweep};

/// Runs whole agents on simulated time, network and disks.
#[derive(Parser)]
struct Arguments {
    /// The number that decides the whole run
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Many seeds, one process each: `200` or `1..=200`
    #[arg(long, conflicts_with_all = ["seed", "trace"])]
    seeds: Option<Seeds>,
    /// Processes at a time
    #[arg(long, default_value_t = 2, requires = "seeds")]
    jobs: usize,
    /// What to run; `all` goes with --seeds
    #[arg(long, default_value = "put-crash-read")]
    scenario: Choice<Scenario>,
    /// A known bug to plant in every agent; `all` goes with --seeds
    #[arg(long)]
    planted: Option<Choice<Bug>>,
    /// Print what happened, line by line
    #[arg(long)]
    trace: bool,
}

/// One of several, or all of them in turn.
#[derive(Clone, Copy, Debug)]
enum Choice<T> {
    /// This one.
    One(T),
    /// Each.
    All,
}

impl<T: std::str::FromStr<Err = String>> std::str::FromStr for Choice<T> {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        if name == "all" { Ok(Self::All) } else { name.parse().map(Self::One) }
    }
}

impl<T> Choice<T> {
    fn among(self, all: impl IntoIterator<Item = T>) -> Vec<T> {
        match self {
            Self::One(one) => vec![one],
            Self::All => all.into_iter().collect(),
        }
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let Arguments { seed, jobs, trace, .. } = arguments;
    let scenarios = arguments.scenario.among(Scenario::ALL);
    let bugs = arguments.planted.map(|planted| planted.among(Bug::ALL));
    let held = match (arguments.seeds, bugs) {
        (Some(seeds), Some(bugs)) => hunt::run(&hunt::Hunt { bugs, scenarios, seeds, jobs }),
        (Some(seeds), None) => sweep::run(&sweep::Sweep { scenarios, seeds, jobs }),
        (None, bugs) => match (&scenarios[..], bugs.as_deref()) {
            ([scenario], None) => {
                one::run(one::Run { scenario: *scenario, seed, planted: None, trace })
            }
            ([scenario], Some([bug])) => {
                one::run(one::Run { scenario: *scenario, seed, planted: Some(*bug), trace })
            }
            _ => Arguments::command_error("`all` needs --seeds"),
        },
    };
    if held { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

impl Arguments {
    fn command_error(why: &str) -> ! {
        use clap::CommandFactory as _;
        Self::command().error(clap::error::ErrorKind::ArgumentConflict, why).exit()
    }
}
