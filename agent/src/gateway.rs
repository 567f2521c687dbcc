//! Other people's clients: what they may ask, and the port through which the store answers them.
//!
//! The gateway knows no shard and no leader: whoever implements [`KeyValue`] routes and retries.

pub mod http;
pub mod resp;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use evenkeel_shared::command::{OperationResult, WriteAction};
use evenkeel_shared::error::StoreError;
use evenkeel_shared::key::{Slot, SlotRange};
use evenkeel_shared::version::{Hlc, Version};
use futures::future::BoxFuture;

/// What the store answers, in time.
pub type Answer<T> = BoxFuture<'static, Result<T, StoreError>>;

/// The store, as a gateway needs it. Deadlines are times on the agent's clock, and kept by the
/// implementer. A future that is dropped leaves a write with an unknown outcome, not half done.
pub trait KeyValue: Send + Sync {
    /// The same store for one more client, who sees at least what it has seen and written itself.
    fn connection(&self) -> Arc<dyn KeyValue>;

    /// What lies under each of the keys.
    fn read(&self, keys: Vec<Bytes>, how: Reading, deadline: Duration) -> Answer<Vec<Seen>>;

    /// Writes, no key twice: those of one shard take effect together. One outcome for each.
    fn write(&self, writes: Vec<Write>, deadline: Duration) -> Answer<Vec<Written>>;

    /// Keys of whole slots, from one on, until there are as many as asked for.
    fn page(&self, page: Page, deadline: Duration) -> Answer<Paged>;

    /// On how many voters' disks everything is that was acknowledged, its leader's included.
    fn copies(&self) -> usize;

    /// Who serves which slots to clients that find the way themselves.
    fn map(&self) -> Map;

    /// Where the leader of a slot is.
    fn place(&self, slot: Slot) -> Place;

    /// What is told of this node.
    fn about(&self) -> About;
}

/// How fresh a read must be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reading {
    /// As the keyspace says.
    #[default]
    Usual,
    /// Whatever this node's own copy has.
    Own,
}

/// What lies under a key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The record, if there is one.
    pub record: Option<SeenRecord>,
    /// The shard's time when it was read.
    pub now: Hlc,
}

/// A record as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenRecord {
    /// Its value.
    pub value: Bytes,
    /// Its version.
    pub version: Version,
    /// When it ends, if it does.
    pub expires: Option<Hlc>,
}

/// One key's write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// The key.
    pub key: Bytes,
    /// What to do with it.
    pub action: WriteAction,
    /// How long the record lives from now on, by the shard's time; overrules the action's own end.
    pub ttl_ms: Option<u64>,
}

/// What one write did.
pub type Written = Result<OperationResult, StoreError>;

/// A stretch of the key space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The first slot to read.
    pub from: Slot,
    /// The last one.
    pub to: Slot,
    /// What the keys begin with.
    pub prefix: Bytes,
    /// Stop after the slot that brings so many.
    pub enough: usize,
}

/// What was found on the way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paged {
    /// In slot and key order.
    pub keys: Vec<Bytes>,
    /// The first slot that was not read; `None`: that was all.
    pub next: Option<Slot>,
}

/// Who serves which slots.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Map {
    /// The cluster's number.
    pub cluster: u128,
    /// Counts its changes.
    pub revision: u64,
    /// This node's number.
    pub me: u32,
    /// Every node.
    pub nodes: Vec<MapNode>,
    /// Every shard that serves, in the order of its slots.
    pub shards: Vec<MapShard>,
}

/// A node of the map.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MapNode {
    /// Its number.
    pub id: u32,
    /// Its name.
    pub name: String,
    /// Where it serves clients that find the way themselves, as host and port.
    pub at: Option<(String, u16)>,
    /// Whether it is held dead.
    pub is_down: bool,
}

/// A shard of the map.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MapShard {
    /// Its slots.
    pub slots: Vec<SlotRange>,
    /// The number of the node that leads it, if one does.
    pub leader: Option<u32>,
    /// The numbers of the other nodes that hold a copy.
    pub others: Vec<u32>,
}

/// Where a slot is led.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// On this node.
    Here,
    /// On another one.
    There {
        /// Where that one serves clients that find the way themselves, as `host:port`.
        at: Option<String>,
        /// Whether this node has a copy.
        has_copy: bool,
    },
    /// By nobody that is known.
    Nowhere,
}

/// What is told of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// Its name.
    pub name: String,
    /// Resident memory, if known.
    pub rss_bytes: Option<u64>,
    /// How long it runs.
    pub uptime: Duration,
    /// Time for people, in milliseconds since 1970.
    pub unix_ms: u64,
}

impl Map {
    /// The shard that serves a slot.
    pub fn shard(&self, slot: Slot) -> Option<&MapShard> {
        self.shards.iter().find(|shard| shard.slots.iter().any(|range| range.contains(slot)))
    }

    /// A node by its number.
    pub fn node(&self, id: u32) -> Option<&MapNode> {
        self.nodes.iter().find(|node| node.id == id)
    }
}
