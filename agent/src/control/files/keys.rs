//! The keys of files over this node's router: any node reaches any shard.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use evenkeel_shared::client::ClientError;
use evenkeel_shared::command::{OperationResult, RequestId, WriteAction};
use evenkeel_shared::error::StoreError;
use evenkeel_shared::files::{KeyPage, Keys, Place, count_removed, page_request};
use evenkeel_shared::ids::{ClientId, KeyspaceId};
use evenkeel_shared::key::Slot;
use evenkeel_shared::limits::SCAN_KEYS_MAX;
use evenkeel_shared::service::store::{
    BatchRequest, ReadLevel, ReadRequest, Routing, ScanRequest, WriteItem, WriteRequest,
};
use evenkeel_shared::version::{Hlc, Version};
use evenkeel_shared::view::SyncPolicy;
use evenkeel_shared::wire::deadline::Deadline;

use crate::env::Env;
use crate::env::clock::Clock;
use crate::store::router::Router;

/// How long one request may take: nobody waits for it, and the next tour comes anyway.
const REQUEST_MAX: Duration = Duration::from_secs(20);

/// One keyspace, as the collector sees it.
#[derive(Clone)]
pub(super) struct RouterKeys {
    router: Arc<Router>,
    clock: Arc<dyn Clock>,
    keyspace: KeyspaceId,
    client: ClientId,
    sequence: Arc<AtomicU64>,
}

impl RouterKeys {
    /// The keys of a keyspace, as a client of its own.
    pub(super) fn new(env: &Env, router: Arc<Router>, keyspace: KeyspaceId) -> Self {
        let client = ClientId(env.rng.next_u64());
        Self { router, clock: env.clock.clone(), keyspace, client, sequence: Arc::default() }
    }

    async fn scan(&self, request: ScanRequest) -> Result<KeyPage, ClientError> {
        let request = ScanRequest { keyspace: self.keyspace, ..request };
        let reply = self.router.scan(request, Deadline::after(REQUEST_MAX)).await;
        Ok(KeyPage::of_shards(reply.map_err(told)?))
    }
}

/// An error as a client would tell it.
fn told(error: StoreError) -> ClientError {
    if error.is_unknown() {
        let last = error.to_string();
        return ClientError::Unknown { attempts: 1, last, persisted_by: None };
    }
    error.into()
}

impl Keys for RouterKeys {
    fn now_ms(&self) -> u64 {
        self.clock.unix_ms()
    }

    async fn get(&self, key: Bytes) -> Result<Option<(Bytes, Version)>, ClientError> {
        let (keyspace, level) = (self.keyspace, ReadLevel::Linearizable);
        let request = ReadRequest { keyspace, key, level, routing: Routing::Forward };
        let reply = self.router.read(request, Deadline::after(REQUEST_MAX)).await;
        Ok(reply.map_err(told)?.found)
    }

    fn item(&self, key: Bytes, action: WriteAction) -> WriteItem {
        let request = RequestId {
            client: self.client,
            sequence: self.sequence.fetch_add(1, Ordering::Relaxed) + 1,
            first_attempt: Hlc::from_unix_ms(self.clock.unix_ms()),
        };
        WriteItem { request, key, action, ttl_ms: None }
    }

    async fn write(&self, item: WriteItem) -> Result<OperationResult, ClientError> {
        let (keyspace, floor) = (self.keyspace, SyncPolicy::Quorum);
        let routing = Routing::Forward;
        let request = WriteRequest { keyspace, item, sync: None, floor, routing };
        let reply = self.router.write(request, Deadline::after(REQUEST_MAX)).await;
        Ok(reply.map_err(told)?.result)
    }

    async fn delete(&self, keys: Vec<Bytes>) -> Result<u64, ClientError> {
        let items = keys.into_iter().map(|key| self.item(key, WriteAction::Delete)).collect();
        let (keyspace, floor) = (self.keyspace, SyncPolicy::Quorum);
        let routing = Routing::Forward;
        let request = BatchRequest { keyspace, items, sync: None, floor, routing };
        let reply = self.router.write_batch(request, Deadline::after(REQUEST_MAX)).await;
        count_removed(reply.map_err(told)?.parts)
    }

    async fn slot_page(&self, prefix: Bytes, after: Option<Bytes>) -> Result<KeyPage, ClientError> {
        let shard = self.router.shard_of(self.keyspace, &prefix);
        let why = || format!("no shard of {} holds its files now", self.keyspace);
        let shard = shard.ok_or_else(|| StoreError::Unavailable { why: why() })?;
        let after = after.map(|after| (Slot::of(&prefix), after));
        let place = Place { shard: Some(shard), after };
        let request = page_request(prefix, place, SCAN_KEYS_MAX);
        let page = self.scan(ScanRequest { keys_only: false, ..request }).await?;
        Ok(page.within_shard(shard))
    }

    async fn keys_page(
        &self,
        prefix: Bytes,
        place: Place,
        limit: u32,
    ) -> Result<KeyPage, ClientError> {
        self.scan(page_request(prefix, place, limit)).await
    }
}
