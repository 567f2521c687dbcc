//! The port through which replicas reach each other: owned here, implemented at the edge.

use bytes::Bytes;
use evenkeel_shared::ids::NodeId;
use evenkeel_shared::service::peer::{
    PeerError, RaftFrame, SnapshotBegin, SnapshotChunk, SnapshotFinish,
};
use futures::future::BoxFuture;

/// Why a message did not get an answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LinkError {
    /// There is no connection, or it ended, or the answer took too long.
    #[error("unreachable: {0}")]
    Unreachable(String),
    /// The other side refused it.
    #[error(transparent)]
    Peer(#[from] PeerError),
}

/// An answer that is on its way.
pub type Answer<T> = BoxFuture<'static, Result<T, LinkError>>;

/// Carries messages to other nodes.
pub trait PeerLink: Send + Sync {
    /// Carries one Raft message.
    fn raft(&self, node: NodeId, frame: RaftFrame) -> Answer<Bytes>;
    /// Carries one append with entries, which may share its way with those of other replicas.
    fn append(&self, node: NodeId, frame: RaftFrame) -> Answer<Bytes> {
        self.raft(node, frame)
    }
    /// Opens a snapshot transfer.
    fn snapshot_begin(&self, node: NodeId, frame: SnapshotBegin) -> Answer<()>;
    /// Carries one piece of it.
    fn snapshot_chunk(&self, node: NodeId, chunk: SnapshotChunk) -> Answer<()>;
    /// Ends it.
    fn snapshot_finish(&self, node: NodeId, finish: SnapshotFinish) -> Answer<Bytes>;
}

/// Whoever drives elections: it says whether a vote may be given although a leader was heard of
/// lately, and is told when leaderships change.
pub trait Elections: Send + Sync {
    /// Whether this node itself holds the shard unled.
    fn may_skip_lease(&self, shard: evenkeel_shared::ids::ShardId) -> bool;
    /// A replica has begun or ceased to lead, or knows another leader.
    fn role_changed(&self);
}
