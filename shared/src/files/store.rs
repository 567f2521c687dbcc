//! The keys of files over the client of the store.

use bytes::Bytes;

use super::{FoundKey, KeyPage, Keys, Place};
use crate::client::{ClientError, StoreHandle};
use crate::command::{OperationResult, WriteAction};
use crate::ids::{KeyspaceId, ShardId};
use crate::key::Slot;
use crate::limits::SCAN_KEYS_MAX;
use crate::service::store::{BatchPart, Routing, ScanReply, ScanRequest, WriteItem};
use crate::version::Version;

impl Keys for StoreHandle {
    fn now_ms(&self) -> u64 {
        self.unix_ms()
    }

    async fn get(&self, key: Bytes) -> Result<Option<(Bytes, Version)>, ClientError> {
        Ok(Self::get(self, key).await?.found)
    }

    fn item(&self, key: Bytes, action: WriteAction) -> WriteItem {
        Self::item(self, key, action)
    }

    async fn write(&self, item: WriteItem) -> Result<OperationResult, ClientError> {
        Ok(Self::write(self, item, self.timeout()).await?.result)
    }

    async fn delete(&self, keys: Vec<Bytes>) -> Result<u64, ClientError> {
        let items = keys.into_iter().map(|key| Self::item(self, key, WriteAction::Delete));
        let reply = self.write_batch(items.collect()).await?;
        count_removed(reply.parts)
    }

    async fn slot_page(&self, prefix: Bytes, after: Option<Bytes>) -> Result<KeyPage, ClientError> {
        let shard = self.shard_of_key(&prefix).await?;
        let after = after.map(|after| (Slot::of(&prefix), after));
        let request = page_request(prefix, Place { shard: Some(shard), after }, SCAN_KEYS_MAX);
        let reply = self.scan(ScanRequest { keys_only: false, ..request }).await?;
        Ok(KeyPage::of_shards(reply).within_shard(shard))
    }

    async fn keys_page(
        &self,
        prefix: Bytes,
        place: Place,
        limit: u32,
    ) -> Result<KeyPage, ClientError> {
        Ok(KeyPage::of_shards(self.scan(page_request(prefix, place, limit)).await?))
    }
}

/// A request for a page of keys; the keyspace is filled in by whoever sends it.
pub fn page_request(prefix: Bytes, place: Place, limit: u32) -> ScanRequest {
    ScanRequest {
        keyspace: KeyspaceId::default(),
        shard: place.shard,
        prefix,
        after: place.after,
        limit,
        keys_only: true,
        routing: Routing::Forward,
    }
}

/// How many keys a batch of deletes has removed.
pub fn count_removed(parts: Vec<BatchPart>) -> Result<u64, ClientError> {
    let mut removed = 0;
    for part in parts {
        let results = part.outcome.map_err(|error| {
            if error.is_unknown() {
                // Whoever collects comes again.
                ClientError::Unavailable { attempts: 1, last: error.to_string() }
            } else {
                error.into()
            }
        })?;
        for result in results {
            removed += u64::from(matches!(result, OperationResult::Done { existed: true, .. }));
        }
    }
    Ok(removed)
}

impl KeyPage {
    /// The same page, which goes on in this shard only.
    #[must_use]
    pub fn within_shard(mut self, shard: ShardId) -> Self {
        self.next = self.next.filter(|place| place.shard == Some(shard));
        self
    }

    /// A page that goes on in the next shard when its own has no more.
    pub fn of_shards(reply: ScanReply) -> Self {
        let next = match (reply.more, reply.items.last(), reply.next_shard) {
            (true, Some(item), _) => {
                let after = Some((item.slot, item.key.clone()));
                Some(Place { shard: Some(reply.shard), after })
            }
            (_, _, Some(shard)) => Some(Place { shard: Some(shard), after: None }),
            (_, _, None) => None,
        };
        let items = reply.items.into_iter();
        let found = items.map(|item| FoundKey { key: item.key, value: item.value });
        Self { found: found.collect(), next }
    }
}
