//! The cluster console: a command line, a demo, and a terminal UI in one binary.
//!
//! Nothing here judges the cluster: verdicts, health and blast radius come from agents (law 4).

pub mod cli;
pub mod demo;
pub mod tui;

mod clock;
mod drill;
mod policy;
mod random;
mod signals;
