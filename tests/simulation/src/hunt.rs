//! Planted bugs: which seeds catch each of them, and by what. Prints rows of a table.
//!
//! A seed counts if it fails with the bug and holds without it.

use evenkeel_agent::planted::Bug;

use crate::children::{Ended, Going, run_all};
use crate::one::Run;
use crate::say;
use crate::scenarios::Scenario;
use crate::seed::Seeds;

/// Seeds named for each bug.
const NAMED: usize = 3;

/// What to look for.
#[derive(Clone, Debug)]
pub struct Hunt {
    /// Each of these.
    pub bugs: Vec<Bug>,
    /// By one of these.
    pub scenarios: Vec<Scenario>,
    /// Within these.
    pub seeds: Seeds,
    /// Processes at a time.
    pub jobs: usize,
}

/// Looks for each bug; the answer is whether each was caught.
pub fn run(hunt: &Hunt) -> bool {
    say(std::io::stdout(), "| bug | scenario | seed | caught by |\n|---|---|---|---|");
    let mut all = true;
    for bug in &hunt.bugs {
        for scenario in &hunt.scenarios {
            let caught = catches(hunt, *bug, *scenario);
            for Ended { run, failure, .. } in &caught {
                let by = by_what(failure.as_deref().unwrap_or_default());
                let (bug, scenario, seed) = (bug.name(), run.scenario.name(), run.seed);
                say(std::io::stdout(), &format!("| {bug} | {scenario} | {seed} | {by} |"));
            }
            if caught.is_empty() {
                let (bug, scenario) = (bug.name(), scenario.name());
                say(std::io::stdout(), &format!("| {bug} | {scenario} | - | nothing |"));
            }
            all &= hunt.scenarios.len() > 1 || !caught.is_empty();
        }
    }
    all
}

/// The first few seeds that catch a bug, in order.
fn catches(hunt: &Hunt, bug: Bug, scenario: Scenario) -> Vec<Ended> {
    let seeds = hunt.seeds.iter();
    let runs = seeds.map(|seed| Run { scenario, seed, planted: Some(bug), trace: false });
    let mut caught = Vec::new();
    run_all(runs, hunt.jobs, |ended| {
        if ended.failure.is_some() {
            caught.push(ended);
        }
        if caught.len() < NAMED { Going::On } else { Going::No }
    });
    let same = |ended: &Ended| Run { planted: None, ..ended.run };
    let controls: Vec<_> = caught.iter().map(same).collect();
    run_all(controls.into_iter(), hunt.jobs, |ended| {
        if ended.failure.is_some() {
            caught.retain(|other| other.run.seed != ended.run.seed);
        }
        Going::On
    });
    caught.sort_by_key(|ended| ended.run.seed);
    caught.truncate(NAMED);
    caught
}

/// A failure in a few words, without the figures of that one run.
fn by_what(failure: &str) -> String {
    let parts: Vec<&str> = failure.split(": ").collect();
    match parts[..] {
        ["unsafe", "by search", ..] => {
            "history, by search: no order explains the replies".to_owned()
        }
        ["unsafe", "by versions", what, ..] => format!("history, by versions: {what}"),
        ["unsafe", ref what @ ..] => format!("invariant: {}", what.join(": ")),
        ["panic", ..] => failure.split('{').next().unwrap_or_default().trim().to_owned(),
        [first, .., last] => format!("{first}: {last}"),
        _ => failure.to_owned(),
    }
}
