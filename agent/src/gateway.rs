//! Other people's clients: what they may ask, and the port through which the store answers them.
//!
//! The gateway knows no shard and no leader: whoever implements [`KeyValue`] routes and retries.

pub mod http;
pub mod resp;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use evenkeel_shared::error::StoreError;
use futures::future::BoxFuture;

/// The store, as a gateway needs it. Deadlines are times on the agent's clock, and kept by the
/// implementer. A future that is dropped leaves a write with an unknown outcome, not half done.
pub trait KeyValue: Send + Sync {
    /// The same store for one more client, who sees at least what it has seen and written itself.
    fn connection(&self) -> Arc<dyn KeyValue>;

    /// The value under a key, as of every write that was acknowledged before.
    fn get(
        &self,
        key: Bytes,
        deadline: Duration,
    ) -> BoxFuture<'static, Result<Option<Bytes>, StoreError>>;

    /// Sets a value; false if the condition did not hold and nothing was changed.
    fn put(
        &self,
        request: SetRequest,
        deadline: Duration,
    ) -> BoxFuture<'static, Result<bool, StoreError>>;

    /// Removes a record; whether there was one.
    fn delete(
        &self,
        key: Bytes,
        deadline: Duration,
    ) -> BoxFuture<'static, Result<bool, StoreError>>;
}

/// Sets a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetRequest {
    /// The key.
    pub key: Bytes,
    /// The new value.
    pub value: Bytes,
    /// How long the record lives; for ever if it is `None`.
    pub lifetime: Option<Duration>,
    /// When to set it.
    pub condition: SetCondition,
}

/// When to set a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SetCondition {
    /// In any case.
    #[default]
    Always,
    /// If there is no record.
    IfAbsent,
    /// If there is a record.
    IfPresent,
}
