//! The node agent: a replicated store that detects failures and heals.
//!
//! `decide` is pure; `env` is the only door to the real world; `node` wires the parts together.
//! `tests/tidy.rs` in the tests package holds the table of who may import whom.

pub mod backup;
pub mod cli;
pub mod config;
pub mod content;
pub mod control;
pub mod decide;
pub mod env;
pub mod envelope;
#[cfg(test)]
mod flips;
pub mod folder;
pub mod gateway;
pub mod heartbeat;
pub mod logging;
pub mod node;
pub mod planted;
pub mod rpc;
pub mod store;
pub mod strangers;
pub mod supervise;
