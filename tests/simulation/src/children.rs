//! Runs in child processes, several at a time. Their order is kept by whoever reads the outcomes.

use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc;

use crate::one::Run;

/// What one child said.
#[derive(Clone, Debug)]
pub struct Ended {
    /// What was run.
    pub run: Run,
    /// Why it failed; `None` when everything held.
    pub failure: Option<String>,
    /// How far simulated time went, in seconds.
    pub simulated_s: f64,
    /// Processor time, in seconds.
    pub processor_s: f64,
}

/// Runs each in turn, so many at a time, and hands over what came of it, until told to stop.
pub fn run_all(
    runs: impl Iterator<Item = Run> + Send,
    jobs: usize,
    mut ended: impl FnMut(Ended) -> Going,
) {
    let runs = Mutex::new(Some(runs));
    let next = || runs.lock().expect("no child panics").as_mut()?.next();
    let (sender, outcomes) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            let (next, sender) = (&next, sender.clone());
            scope.spawn(move || {
                while let Some(run) = next() {
                    if sender.send(child(run)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        for outcome in outcomes {
            if ended(outcome) == Going::No {
                *runs.lock().expect("no child panics") = None;
            }
        }
    });
}

/// Whether there is more to be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Going {
    /// Yes.
    On,
    /// No: those under way end, no other begins.
    No,
}

fn child(run: Run) -> Ended {
    let program = std::env::current_exe().expect("a running program has a path");
    let mut command = Command::new(program);
    command.args(run.arguments()).stdin(Stdio::null());
    if std::env::var_os("RUST_LOG").is_none() {
        command.env("RUST_LOG", "off");
    }
    let output = command.output().expect("this very program can be started");
    let said = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    let failure = (!output.status.success()).then(|| {
        let reason = said.lines().find_map(|line| line.strip_prefix("FAILED: "));
        let mut lines = complaint.lines().skip_while(|line| !line.contains("panicked at"));
        let panic = || format!("panic: {}", lines.nth(1).unwrap_or("nobody knows where"));
        reason.map_or_else(panic, str::to_owned)
    });
    let number = |text: &str, unit: &str| {
        let words = text.lines().find_map(|line| line.strip_suffix(unit))?;
        words.split_whitespace().last()?.parse().ok()
    };
    Ended {
        run,
        failure,
        simulated_s: number(&said, " s simulated").unwrap_or(0.0),
        processor_s: number(&complaint, " s of processor time").unwrap_or(0.0),
    }
}
