//! The words agents, clients and consoles speak, and how they speak them.
//!
//! Nothing here opens a socket, reads a clock or draws a random number: whoever needs one passes
//! it in. This crate imports no other crate of the workspace.

pub mod backup;
pub mod client;
pub mod command;
pub mod dossier;
pub mod error;
pub mod event;
pub mod explain;
pub mod fault;
pub mod files;
pub mod heartbeat;
pub mod ids;
pub mod key;
pub mod limits;
pub mod plan;
pub mod preflight;
pub mod service;
pub mod version;
pub mod view;
pub mod what_if;
pub mod wire;
