//! Real agents in networks of their own, under faults that one seed decides: each is seen to fire,
//! survived and healed, and what clients did and saw meanwhile is linearizable (docs/chaos.md).
//!
//! Nothing here asserts how long a thing took: conditions are waited for, with generous deadlines.

mod fault;
mod namespaces;
mod plan;
mod round;
mod run;
mod stage;

use std::io::Write;
use std::time::Duration;

use namespaces::Namespaces;

/// Length of a run when nobody says.
const SECS: u64 = 60;

#[test]
fn faults_on_real_links_are_seen_survived_and_leave_a_linearizable_history() {
    if !Namespaces::possible() {
        return;
    }
    let length = Duration::from_secs(number("EVENKEEL_CHAOS_SECS").unwrap_or(SECS));
    let seed = number("EVENKEEL_CHAOS_SEED").unwrap_or_else(run::any_seed);
    run::run(seed, length);
}

/// A number that the environment gives.
fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

/// Says it at once, also when the test passes: what the test harness keeps back, nobody sees.
fn say(line: &str) {
    // In one piece, for others write too; and nobody may be listening.
    let _ = std::io::stderr().write_all(format!("chaos: {line}\n").as_bytes());
}
