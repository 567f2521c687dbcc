//! The Rust client: finds the shard's leader, retries under one request id until the deadline, and
//! keeps one connection a node and service.
//!
//! It never reports a write as failed when its outcome is not known (law 2).

mod pool;
mod routes;
mod session;
mod store;

pub use pool::{Pool, PoolConfig};
pub use session::{Freshness, Session};
pub use store::{ClientError, StoreClientConfig, StoreHandle};
