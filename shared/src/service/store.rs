//! Store: what clients ask of the replicated store.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::command::{OperationResult, RequestId, WriteAction};
use crate::error::StoreError;
use crate::ids::{KeyspaceId, NodeId, ShardId};
use crate::key::{Slot, SlotRange};
use crate::version::{Hlc, Position, Version};

/// The store's service.
#[tarpc::service]
pub trait Store {
    /// Writes one key; forwarded to the shard's leader unless `routing` says not to.
    async fn write(request: WriteRequest) -> Result<WriteReply, StoreError>;
    /// Reads one key.
    async fn read(request: ReadRequest) -> Result<ReadReply, StoreError>;
    /// Reads one page of the keys with a prefix, shard by shard.
    async fn scan(request: ScanRequest) -> Result<ScanReply, StoreError>;
    /// Which shards there are and who leads them.
    async fn routes() -> Routes;
}

/// What a server does with a request for a shard that it does not lead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Routing {
    /// Pass it on until the deadline.
    #[default]
    Forward,
    /// Answer `NotLeader`.
    Local,
}

/// Writes one key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriteRequest {
    /// Under which it is applied once.
    pub request: RequestId,
    /// Whose key.
    pub keyspace: KeyspaceId,
    /// The key.
    pub key: Bytes,
    /// What to do with it.
    pub action: WriteAction,
    /// What to do when not led here.
    pub routing: Routing,
}

/// What a write gave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriteReply {
    /// What it did.
    pub result: OperationResult,
    /// Who answered: the leader, to be asked directly next time.
    pub leader: NodeId,
    /// The leader's time: clients carry the highest that they have seen.
    pub hlc: Hlc,
    /// How far the session has seen the shard with this.
    pub position: Option<Position>,
}

/// How fresh a read must be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReadLevel {
    /// Sees every write acknowledged before the read began.
    #[default]
    Linearizable,
    /// Sees at least what the session has seen of this shard; `None`: nothing yet.
    Session(Option<Position>),
    /// Sees every write acknowledged more than this many milliseconds before the read began.
    Bounded(u32),
    /// Whatever the nearest copy has.
    Any,
}

/// The name of a level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LevelName {
    /// See [`ReadLevel::Linearizable`].
    #[default]
    Linearizable,
    /// See [`ReadLevel::Session`].
    Session,
    /// See [`ReadLevel::Bounded`].
    Bounded,
    /// See [`ReadLevel::Any`].
    Any,
}

impl ReadLevel {
    /// Its name.
    pub fn name(&self) -> LevelName {
        match self {
            Self::Linearizable => LevelName::Linearizable,
            Self::Session(_) => LevelName::Session,
            Self::Bounded(_) => LevelName::Bounded,
            Self::Any => LevelName::Any,
        }
    }
}

/// Reads one key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadRequest {
    /// Whose key.
    pub keyspace: KeyspaceId,
    /// The key.
    pub key: Bytes,
    /// How fresh.
    pub level: ReadLevel,
    /// What to do when it can't be served here.
    pub routing: Routing,
}

/// What a read gave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadReply {
    /// The value and its version, if there is a record.
    pub found: Option<(Bytes, Version)>,
    /// The level that the reply really has.
    pub level: LevelName,
    /// Every write acknowledged so many milliseconds before the reply is in it; `None`: not known.
    pub age_ms: Option<u64>,
    /// How far the copy that was read has applied the shard's log, found or not.
    pub position: Option<Position>,
    /// Who answered.
    pub served_by: NodeId,
    /// Who leads the shard, as the answering node knows.
    pub leader: Option<NodeId>,
    /// The answering node's time.
    pub hlc: Hlc,
}

/// Reads one page of the keys with a prefix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanRequest {
    /// Whose keys.
    pub keyspace: KeyspaceId,
    /// The shard to read; `None`: the first one.
    pub shard: Option<ShardId>,
    /// What the keys begin with.
    pub prefix: Bytes,
    /// The last slot and key of the page before.
    pub after: Option<(Slot, Bytes)>,
    /// At most this many keys.
    pub limit: u32,
    /// Leave the values out.
    pub keys_only: bool,
    /// What to do when not led here.
    pub routing: Routing,
}

/// One page of a scan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanReply {
    /// In slot and key order.
    pub items: Vec<ScanItem>,
    /// The shard that was read.
    pub shard: ShardId,
    /// Whether this shard has more.
    pub more: bool,
    /// The next shard to read when this one has no more; `None`: that was the last.
    pub next_shard: Option<ShardId>,
    /// Who answered.
    pub leader: NodeId,
}

/// One record of a scan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanItem {
    /// Its slot.
    pub slot: Slot,
    /// Its key.
    pub key: Bytes,
    /// Its value; empty when left out.
    pub value: Bytes,
    /// Its version.
    pub version: Version,
}

/// Which shards there are and who leads them, as one node knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Routes {
    /// The facts' revision.
    pub revision: u64,
    /// Every node and its rpc address.
    pub nodes: Vec<(NodeId, String)>,
    /// Every serving shard, its keyspace, slots and leader.
    pub shards: Vec<Route>,
}

/// One shard's route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// The shard.
    pub shard: ShardId,
    /// Whose keys.
    pub keyspace: KeyspaceId,
    /// Its slots.
    pub slots: Vec<SlotRange>,
    /// Who leads it, if known.
    pub leader: Option<NodeId>,
}
