//! The control plane: observe, decide, act. The loop runs on the leader of the system shard only;
//! operators' requests are carried out by whichever node they reach.

mod backup;
mod controller;
mod drill;
mod failover;
pub mod files;
pub mod journal;
mod keyspace;
pub mod leader;
pub mod observer;
pub mod operator;
mod plan;
pub mod ports;
mod reconcile;
mod recovery;
mod removal;
mod restore;
mod salvage;
mod schedule;
pub mod scrub;
mod step;
pub mod system;
mod taken;
pub mod unmerged;

pub(crate) use backup::seal;
pub use controller::Controller;
