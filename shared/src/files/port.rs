//! What files need of a store of keys: owned here, implemented by the client and by agents.

use bytes::Bytes;

use crate::client::ClientError;
use crate::command::{OperationResult, WriteAction};
use crate::ids::ShardId;
use crate::key::Slot;
use crate::service::store::WriteItem;
use crate::version::Version;

/// The keys of one keyspace. Reads see every write acknowledged before; a write is on the disks of
/// a majority when it is acknowledged.
pub trait Keys: Clone + Send + Sync + 'static {
    /// The cluster's time, in milliseconds since 1970, as far as it is known here.
    fn now_ms(&self) -> u64;

    /// What lies under a key.
    fn get(
        &self,
        key: Bytes,
    ) -> impl Future<Output = Result<Option<(Bytes, Version)>, ClientError>> + Send;

    /// A write under an id of its own.
    fn item(&self, key: Bytes, action: WriteAction) -> WriteItem;

    /// Writes; the same item may be written again to learn what it did.
    fn write(
        &self,
        item: WriteItem,
    ) -> impl Future<Output = Result<OperationResult, ClientError>> + Send;

    /// Removes keys; how many there were.
    fn delete(&self, keys: Vec<Bytes>) -> impl Future<Output = Result<u64, ClientError>> + Send;

    /// One page of the records whose keys begin so and lie in one slot, behind a key.
    fn slot_page(
        &self,
        prefix: Bytes,
        after: Option<Bytes>,
    ) -> impl Future<Output = Result<KeyPage, ClientError>> + Send;

    /// At most so many keys that begin so, wherever they lie, without their values.
    fn keys_page(
        &self,
        prefix: Bytes,
        place: Place,
        limit: u32,
    ) -> impl Future<Output = Result<KeyPage, ClientError>> + Send;
}

/// Where a page of keys begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The shard; `None`: the first one.
    pub shard: Option<ShardId>,
    /// Behind this key of it.
    pub after: Option<(Slot, Bytes)>,
}

/// A key that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundKey {
    /// The key.
    pub key: Bytes,
    /// Its value; empty when only keys were asked for.
    pub value: Bytes,
}

/// One page of keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyPage {
    /// In slot and key order.
    pub found: Vec<FoundKey>,
    /// Where the next page begins; `None`: that was all.
    pub next: Option<Place>,
}
