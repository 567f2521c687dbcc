//! The replicated store: one Raft group a shard, one log for all of them, one tree a replica.

pub mod raft;
pub mod wal;
