//! Store: what clients ask of the replicated store.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::command::{OperationResult, RequestId, WriteAction};
use crate::error::StoreError;
use crate::ids::{KeyspaceId, NodeId, ShardId};
use crate::key::{Slot, SlotRange};
use crate::version::{Hlc, Position, Version};
use crate::view::{ReadDefault, SyncPolicy};

/// The store's service.
#[tarpc::service]
pub trait Store {
    /// Writes one key; forwarded to the shard's leader unless `routing` says not to.
    async fn write(request: WriteRequest) -> Result<WriteReply, StoreError>;
    /// Writes several keys: those of one shard in one log entry, seen all or none.
    async fn write_batch(request: BatchRequest) -> Result<BatchReply, StoreError>;
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
    /// Whose key.
    pub keyspace: KeyspaceId,
    /// What to write.
    pub item: WriteItem,
    /// When it is acknowledged; `None`: as the keyspace says.
    pub sync: Option<SyncPolicy>,
    /// It is never acknowledged earlier than this, whatever else is said. A retry asks for a
    /// quorum: only the shard's log can tell whether the first attempt has taken effect.
    pub floor: SyncPolicy,
    /// What to do when not led here.
    pub routing: Routing,
}

/// One key's write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriteItem {
    /// Under which it is applied once.
    pub request: RequestId,
    /// The key.
    pub key: Bytes,
    /// What to do with it.
    pub action: WriteAction,
    /// The record ends so many milliseconds after the shard's leader has taken the write, by the
    /// shard's own time; overrules the action's own end.
    pub ttl_ms: Option<u64>,
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
    /// How far the session has seen the shard with this; where a provisional write will stand.
    pub position: Option<Position>,
    /// Whose disks had it when it was acknowledged: never less than was asked for.
    pub sync: SyncPolicy,
}

/// Writes several keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchRequest {
    /// Whose keys.
    pub keyspace: KeyspaceId,
    /// What to write; no key twice.
    pub items: Vec<WriteItem>,
    /// When it is acknowledged; `None`: as the keyspace says.
    pub sync: Option<SyncPolicy>,
    /// As of a single write.
    pub floor: SyncPolicy,
    /// What to do with the keys of shards that are not led here.
    pub routing: Routing,
}

/// What a batch gave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchReply {
    /// One for each shard that was written, in no order.
    pub parts: Vec<BatchPart>,
}

/// What became of the keys of one shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchPart {
    /// The shard.
    pub shard: ShardId,
    /// Which of the request's items went there.
    pub items: Vec<u32>,
    /// What each of them did, in that order; an error goes for all of them.
    pub outcome: Result<Vec<OperationResult>, StoreError>,
    /// Who led it.
    pub leader: Option<NodeId>,
    /// As of a single write.
    pub position: Option<Position>,
    /// As of a single write.
    pub sync: SyncPolicy,
}

/// How fresh a read must be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReadLevel {
    /// Sees every write acknowledged before the read began.
    #[default]
    Linearizable,
    /// Sees at least what the session has seen and written of this shard.
    Session(SessionToken),
    /// Sees every write acknowledged more than this many milliseconds before the read began.
    Bounded(u32),
    /// Whatever the nearest copy has.
    Any,
    /// As the keyspace says; the token is for one that says session.
    Default(SessionToken),
}

/// What a session knows of one shard (safety rule 18).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionToken {
    /// How far it has seen the shard; `None`: not at all.
    pub seen: Option<Position>,
    /// Where its provisional writes stand that nobody has confirmed: the last one of each term.
    pub provisional: Vec<Position>,
}

impl SessionToken {
    /// Whether a copy that can't say anything of the session's past would do.
    pub fn is_empty(&self) -> bool {
        self.seen.is_none() && self.provisional.is_empty()
    }

    /// The index that a copy must have applied to show all of it.
    pub fn index(&self) -> u64 {
        let positions = self.seen.iter().chain(&self.provisional);
        positions.map(|position| position.index).max().unwrap_or(0)
    }
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
            Self::Linearizable | Self::Default(_) => LevelName::Linearizable,
            Self::Session(_) => LevelName::Session,
            Self::Bounded(_) => LevelName::Bounded,
            Self::Any => LevelName::Any,
        }
    }

    /// What it comes to under a keyspace's default.
    #[must_use]
    pub fn under(self, default: ReadDefault) -> Self {
        let Self::Default(token) = self else { return self };
        match default {
            ReadDefault::Linearizable => Self::Linearizable,
            ReadDefault::Session => Self::Session(token),
            ReadDefault::Bounded(age_ms) => Self::Bounded(age_ms),
            ReadDefault::Any => Self::Any,
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
    /// When the record ends, if it does.
    pub expires: Option<Hlc>,
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
    /// Every keyspace and its name.
    pub keyspaces: Vec<(KeyspaceId, String)>,
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
