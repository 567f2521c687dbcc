//! Peer: what agents ask of each other. Raft's own frames travel as bytes, since only the store
//! knows openraft's types.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::backup::ShardImage;
use crate::command::{Applied, Command};
use crate::error::StoreError;
use crate::heartbeat::{Heartbeat, HeartbeatReply};
use crate::ids::{History, NodeId, ReplicaId, ShardId};
use crate::version::Hlc;
use crate::view::{Admission, JoinRequest};

/// The agents' service among themselves.
#[tarpc::service]
pub trait Peer {
    /// Carries one Raft message to a replica and its answer back.
    async fn raft(frame: RaftFrame) -> Result<Bytes, PeerError>;
    /// Carries appends to replicas of many shards, each with an answer of its own; one that takes
    /// long is left without, and is to be sent again by itself.
    async fn appends(frames: Vec<RaftFrame>) -> Vec<Option<Result<Bytes, PeerError>>>;
    /// Says that the sender lives, and what it leads.
    async fn beat(heartbeat: Heartbeat) -> HeartbeatReply;
    /// Asks whether these shards look unled from here too.
    async fn canvass(questions: Vec<CanvassQuestion>) -> Vec<CanvassAnswer>;
    /// Asks a voter to stand for election now, if it is in that term still when one is named: a stuck
    /// transfer, a leader that came back behind, or (in any term) a failover that was ordered.
    async fn stand(shard: ShardId, term: Option<u64>) -> bool;
    /// Opens a snapshot transfer to a replica.
    async fn snapshot_begin(frame: SnapshotBegin) -> Result<(), PeerError>;
    /// Carries one piece of it, in order.
    async fn snapshot_chunk(chunk: SnapshotChunk) -> Result<(), PeerError>;
    /// Ends it: the replica checks and installs what it got.
    async fn snapshot_finish(finish: SnapshotFinish) -> Result<Bytes, PeerError>;
    /// Asks to become part of the cluster; any node passes it on.
    async fn join(request: JoinRequest) -> Result<Admission, StoreError>;
    /// Lets a node back in whose copy of the system shard is damaged: that copy is given up, and
    /// the node gets a new one.
    async fn readmit(request: JoinRequest, lost: ReplicaId) -> Result<Admission, StoreError>;
    /// Proposes a command to a shard that this node leads.
    async fn propose(shard: ShardId, command: Box<Command>) -> Result<Applied, StoreError>;
    /// Does one thing that only a shard's leader can.
    async fn lead(shard: ShardId, order: LeaderOrder) -> Result<LeaderReply, StoreError>;
    /// The content hash of this node's replica exactly before the first entry above the cut; it is
    /// waited for.
    async fn content_at(shard: ShardId, cut: Hlc) -> Result<ContentHash, StoreError>;
    /// How far this node's replicas of these shards go.
    async fn survey(shards: Vec<ShardId>) -> Vec<Option<Survivor>>;
    /// Writes this node's replica of a shard, with all of its log, into an archive.
    async fn salvage(shard: ShardId, archive: String) -> Result<ShardImage, StoreError>;
    /// Takes this node's replica out of service: it differs from the others.
    async fn condemn(shard: ShardId, replica: ReplicaId, why: String) -> bool;
    /// Computes a replica's content hash at its applied index.
    async fn content_hash(shard: ShardId) -> Result<ContentHash, StoreError>;
}

/// Which kind of Raft message a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RaftMessage {
    /// Entries, or none.
    Append,
    /// A request for a vote.
    Vote,
    /// The order to stand for election.
    TransferLeader,
}

/// One Raft message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RaftFrame {
    /// The shard.
    pub shard: ShardId,
    /// Another history is refused.
    pub history: History,
    /// The sender.
    pub from: ReplicaId,
    /// Whom it is meant for; another replica refuses it.
    pub to: ReplicaId,
    /// Which kind.
    pub message: RaftMessage,
    /// The message.
    pub body: Bytes,
}

/// Why a peer did not do as asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum PeerError {
    /// It holds no such replica (yet, or any more).
    #[error("no replica {0} here")]
    NoReplica(ReplicaId),
    /// It holds the shard in another history.
    #[error("another history: {0}")]
    OtherHistory(History),
    /// The message could not be read.
    #[error("malformed: {0}")]
    Malformed(String),
    /// Anything else.
    #[error("{0}")]
    Failed(String),
}

/// "Do you too hold this shard unled, and how long is your log?"
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CanvassQuestion {
    /// The shard.
    pub shard: ShardId,
    /// Who asks.
    pub from: ReplicaId,
    /// The asker's term.
    pub term: u64,
    /// The asker's last log id, as (term, index).
    pub last: Option<(u64, u64)>,
}

/// The answer, in the order of the questions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CanvassAnswer {
    /// Who answers; `None`: no such replica here.
    pub replica: Option<ReplicaId>,
    /// Whether it holds the shard unled too.
    pub unled: bool,
    /// Its last log id, as (term, index).
    pub last: Option<(u64, u64)>,
}

/// Opens a snapshot transfer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotBegin {
    /// The shard.
    pub shard: ShardId,
    /// Another history is refused.
    pub history: History,
    /// The sender.
    pub from: ReplicaId,
    /// Whom it is meant for.
    pub to: ReplicaId,
    /// Drawn by the sender: pieces of another transfer are refused.
    pub transfer: u64,
}

/// One piece of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotChunk {
    /// The shard.
    pub shard: ShardId,
    /// Whom it is meant for.
    pub to: ReplicaId,
    /// The transfer.
    pub transfer: u64,
    /// Counts from 0 without a gap.
    pub number: u64,
    /// Encoded rows of the state machine.
    pub body: Bytes,
}

/// Ends a snapshot transfer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotFinish {
    /// The shard.
    pub shard: ShardId,
    /// Whom it is meant for.
    pub to: ReplicaId,
    /// The transfer.
    pub transfer: u64,
    /// How many pieces there were.
    pub chunks: u64,
    /// BLAKE3 over all pieces.
    pub hash: [u8; 32],
    /// Vote and snapshot meta, in the store's encoding.
    pub meta: Bytes,
}

/// What only a shard's leader can do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LeaderOrder {
    /// Let this replica receive the log without counting.
    AddLearner(ReplicaId),
    /// Make exactly these the voters; refused unless they are `from` now (safety rule 14).
    ChangeVoters {
        /// The voters now.
        from: Vec<ReplicaId>,
        /// The voters wanted.
        to: Vec<ReplicaId>,
    },
    /// Let this learner go.
    RemoveLearner(ReplicaId),
    /// Hand leadership to this voter (safety rule 11).
    Transfer(ReplicaId),
    /// Write the shard's image at a cut into an archive.
    Image {
        /// The cut.
        cut: Hlc,
        /// The archive's folder.
        archive: String,
    },
    /// Read a shard's image from an archive into this shard.
    Ingest {
        /// The archive's folder.
        archive: String,
        /// What to read.
        image: Box<ShardImage>,
    },
    /// Remember that a drill takes a node away, and say whom others did before: the system shard's
    /// leader alone is asked.
    TakeAway {
        /// Which.
        node: NodeId,
        /// Drawn by whoever asks: asked again, it is the same turn.
        ticket: u64,
    },
    /// Nobody needs to wait for that any more: the node is seen to be gone, or it stays.
    EndTakeAway {
        /// Of that turn.
        ticket: u64,
    },
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LeaderReply {
    /// Done.
    Done,
    /// Leadership moved, and how long writes were held, in microseconds.
    Transferred(u64),
    /// The image that was written.
    Image(Box<ShardImage>),
    /// Nodes that others took away before, or are about to.
    TakenAway(Vec<NodeId>),
}

/// How far one replica goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Survivor {
    /// The replica.
    pub replica: ReplicaId,
    /// The end of its log, as (term, index).
    pub last: (u64, u64),
    /// The last index that it has applied.
    pub applied: u64,
}

/// A replica's content at one index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContentHash {
    /// Who computed it.
    pub node: NodeId,
    /// The applied index.
    pub index: u64,
    /// Records.
    pub records: u64,
    /// BLAKE3 over every (key, value, version, expiry) in key order, in hexadecimal.
    pub hash: String,
}
