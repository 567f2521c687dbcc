//! The replicated store: one Raft group a shard, one log for all of them, one tree a replica.

pub mod engine;
pub mod machine;
pub mod raft;
pub mod system;
