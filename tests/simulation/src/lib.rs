//! Whole agents on simulated time, network and disks, under seeded faults.
//!
//! `world` steps the cluster and holds `invariants` after every step; `agent`, `env`, `net` and
//! `work` are what an agent runs on; `scenarios` say what happens. Nothing here reads real time.
//! `one` runs a seed in this process; `sweep` and `hunt` run many, in `children`.

pub mod agent;
pub mod children;
pub mod env;
pub mod faults;
pub mod hunt;
pub mod invariants;
pub mod load;
pub mod net;
pub mod one;
pub mod scenarios;
pub mod seed;
pub mod sweep;
pub mod trace;
pub mod work;
pub mod world;

/// Writes a line; whoever reads it may have gone.
pub(crate) fn say(mut to: impl std::io::Write, line: &str) {
    let _ = writeln!(to, "{line}");
}
