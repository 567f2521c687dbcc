//! A whole run: the plan's faults one after the other under load, a history of each, and the last
//! look at everything that was written.
//!
//! It ends well only if every planned fault was seen to fire.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use evenkeel_history::{History, Outcome};
use evenkeel_tests::{look_again, now, pass};

use crate::fault::Fault;
use crate::plan::{SLOT, plan};
use crate::round::Round;
use crate::say;
use crate::stage::Stage;

/// Shows how to do a run again if it fails.
struct Again {
    seed: u64,
    secs: u64,
}

impl Drop for Again {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self { seed, secs } = self;
            say(&format!(
                "FAILED; the same plan again: EVENKEEL_CHAOS_SECS={secs} \
                 EVENKEEL_CHAOS_SEED={seed} cargo test -p evenkeel-tests --test chaos"
            ));
        }
    }
}

/// Operations of a whole run.
#[derive(Default)]
struct Count {
    all: usize,
    unknown: usize,
    failed: usize,
}

impl Count {
    fn add(&mut self, history: &History) {
        for operation in history.operations() {
            self.all += 1;
            self.unknown += usize::from(operation.outcome == Outcome::Unknown);
            self.failed += usize::from(operation.outcome == Outcome::Failed);
        }
    }
}

/// Runs the plan of this seed.
pub(crate) fn run(seed: u64, length: Duration) {
    let again = Again { seed, secs: length.as_secs() };
    let faults = plan(seed, length);
    let planned = faults.len();
    say(&format!("seed {seed}, {} s, {planned} faults", again.secs));
    let began = now();
    let mut stage = Stage::start();
    let (mut fired, mut count, mut effects) = (0, Count::default(), Vec::new());
    for (fault, number) in faults.iter().zip(1..) {
        let slot_over = now() + SLOT;
        let contenders = stage.contend(format!("chaos/{number}"), seed.wrapping_add(number << 16));
        contenders.wait_until_all_are_served(1);
        let seen = Round::new(&mut stage, fault).play(&contenders);
        pass(slot_over.saturating_duration_since(now()));
        let history = contenders.finish();
        judge(&history, &fault.to_string());
        let (told, operations) = (seen.join(", "), history.operations().len());
        say(&format!("{number}/{planned} {fault}: {told}; {operations} operations linearizable"));
        fired += usize::from(!seen.is_empty());
        count.add(&history);
        effects.push(history.effects());
    }
    look_at_all_again(&stage, &faults, &mut effects);
    assert_no_agent_panicked(&stage);
    assert_eq!(fired, planned, "every planned fault was seen to fire");
    let (Count { all, unknown, failed }, took) = (count, now().saturating_duration_since(began));
    let operations = format!("{all} operations, {unknown} unknown, {failed} failed");
    say(&format!("{fired} of {planned} faults fired; {operations}; {} s", took.as_secs()));
}

/// What was acknowledged under a fault may have been lost under a later one.
fn look_at_all_again(stage: &Stage, faults: &[Fault], effects: &mut [History]) {
    for (history, fault) in effects.iter_mut().zip(faults) {
        look_again(&stage.clients(), stage.cluster.addresses(), history);
        judge(history, &format!("{fault}, at the end of the run"));
    }
}

fn assert_no_agent_panicked(stage: &Stage) {
    for agent in &stage.cluster.agents {
        let log = agent.log();
        let panic = log.lines().find(|line| line.contains("panicked at"));
        assert_eq!(panic, None, "{} has panicked", agent.plan.name);
    }
}

/// A seed that nobody has chosen.
pub(crate) fn any_seed() -> u64 {
    // Short enough to be typed. The standard library seeds its hashers from the system's chance.
    RandomState::new().hash_one(0) % 1_000_000
}

fn judge(history: &History, during: &str) {
    if let Err(verdict) = evenkeel_history::check(history) {
        panic!("{during}: {} operations: {verdict}", history.operations().len());
    }
}
