//! What a handle is set to, and what it knows of the cluster.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{ClientError, RETRY_PAUSE, StoreHandle};
use crate::error::StoreError;
use crate::ids::ShardId;
use crate::key::Slot;
use crate::version::Hlc;
use crate::view::SyncPolicy;
use crate::wire::deadline::Deadline;

impl StoreHandle {
    /// The same handle, whose writes are acknowledged so; `None`: as the keyspace says.
    #[must_use]
    pub fn with_sync(mut self, sync: Option<SyncPolicy>) -> Self {
        self.config.sync = sync;
        self
    }

    /// The same handle, none of whose writes is acknowledged earlier than this, whatever else is
    /// said.
    #[must_use]
    pub fn at_least(mut self, sync: SyncPolicy) -> Self {
        self.at_least = sync;
        self
    }

    /// The same handle, whose requests may take so long.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.config.timeout = timeout;
        self
    }

    /// How long one of its requests may take.
    pub fn timeout(&self) -> Duration {
        self.config.timeout
    }

    /// The cluster's time as of the latest reply, in milliseconds since 1970; this process's own
    /// before the first one.
    pub fn unix_ms(&self) -> u64 {
        match self.hlc.load(Ordering::Relaxed) {
            0 => (self.config.unix_ms)(),
            hlc => Hlc(hlc).unix_ms(),
        }
    }

    /// The same handle for another keyspace, by its name; what the session has seen stays.
    pub async fn in_keyspace(mut self, name: &str) -> Result<Self, ClientError> {
        let deadline = Deadline::after(self.config.timeout);
        let names = loop {
            self.learn_any_routes().await;
            let known = self.routes().keyspace_named(name);
            match known {
                Ok(id) => {
                    self.config.keyspace = id;
                    return Ok(self);
                }
                Err(names) if !names.is_empty() => break names,
                Err(_) if deadline.is_over() => {
                    let last = "no node tells the keyspaces".to_owned();
                    return Err(ClientError::Unavailable { attempts: 1, last });
                }
                Err(_) => tokio::time::sleep(RETRY_PAUSE).await,
            }
        };
        let why = format!("there is no keyspace {name}, only {}", names.join(", "));
        Err(StoreError::Invalid { why }.into())
    }

    /// Which shard holds a key.
    pub async fn shard_of_key(&self, key: &[u8]) -> Result<ShardId, ClientError> {
        let deadline = Deadline::after(self.config.timeout);
        loop {
            if let Some(shard) = self.shard(Slot::of(key)) {
                return Ok(shard);
            }
            if deadline.is_over() {
                let last = "no node tells the shards".to_owned();
                return Err(ClientError::Unavailable { attempts: 1, last });
            }
            self.learn_any_routes().await;
            tokio::time::sleep(RETRY_PAUSE.min(deadline.remaining())).await;
        }
    }
}
