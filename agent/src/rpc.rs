//! The edge: serves connections, dials peers, and implements the ports that other parts own.
//!
//! Only here and in the client do frames exist; only here are errors turned into wire errors.

pub mod admin;
pub mod appends;
pub mod identity;
mod lifeline;
pub mod links;
pub mod meter;
pub mod monitored;
pub mod orders;
pub mod peer;
pub mod raft_link;
pub mod resp;
pub mod server;
pub mod store;
pub mod watch;
