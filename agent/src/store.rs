//! The replicated store: one Raft group a shard, one log for all of them, one tree a replica.

pub mod engine;
pub mod group;
pub mod ledger;
pub mod machine;
pub mod network;
pub mod peers;
pub mod raft;
pub mod replicas;
pub mod router;
pub mod settings;
pub mod system;
mod transfer_out;
pub mod wal;
