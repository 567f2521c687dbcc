//! A short run of every target, so that one that has rotted is seen at once.

use crate::engine::{Budget, Target, run};
use crate::targets;

fn check(name: &str, inputs: u64) {
    let all = targets::all();
    let target: &dyn Target = &**all.iter().find(|target| target.name() == name).unwrap();
    let tally = run(target, 7, Budget::Inputs(inputs));
    assert!(tally.failed.is_none(), "{name}: {:?}", tally.failed);
    assert!(tally.accepted < tally.inputs, "{name} refuses nothing");
    println!("{name}: {} inputs, {} accepted", tally.inputs, tally.accepted);
}

/// One test, since what is allocated is counted for the process.
#[test]
fn no_target_panics_or_takes_memory_without_bound() {
    let counts =
        [("frames", 20_000), ("wal", 300), ("resp", 4_000), ("manifest", 2_000), ("config", 4_000)];
    for (name, inputs) in counts {
        check(name, inputs);
    }
}
