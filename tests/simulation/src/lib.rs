//! Whole agents on simulated time, network and disks, under seeded faults.
//!
//! `world` steps the cluster and holds `invariants` after every step; `agent`, `env`, `net` and
//! `work` are what an agent runs on; `scenarios` say what happens. Nothing here reads real time.

#[cfg(not(tokio_unstable))]
compile_error!(
    "the simulation needs `--cfg tokio_unstable`: run cargo inside tests/simulation, or add \
     `--config tests/simulation/.cargo/config.toml`"
);

pub mod agent;
pub mod env;
pub mod faults;
pub mod invariants;
pub mod load;
pub mod net;
pub mod scenarios;
pub mod seed;
pub mod trace;
pub mod work;
pub mod world;
