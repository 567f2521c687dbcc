//! What the control plane needs of other nodes: owned here, implemented at the edge.

use evenkeel_shared::backup::ShardImage;
use evenkeel_shared::command::{Applied, Command};
use evenkeel_shared::error::StoreError;
use evenkeel_shared::fault::Drill;
use evenkeel_shared::ids::{NodeId, ReplicaId, ShardId};
use evenkeel_shared::service::peer::{ContentHash, LeaderOrder, LeaderReply, Survivor};
use evenkeel_shared::version::Hlc;
use evenkeel_shared::wire::deadline::Deadline;
use futures::future::BoxFuture;

/// An answer that is on its way.
pub type Answer<T> = BoxFuture<'static, Result<T, StoreError>>;

/// Asks other nodes to do things.
pub trait Orders: Send + Sync {
    /// Proposes a command at the node that leads the shard.
    fn propose(
        &self,
        to: NodeId,
        shard: ShardId,
        command: Command,
        by: Deadline,
    ) -> Answer<Applied>;
    /// Has the shard's leader do one thing.
    fn lead(
        &self,
        to: NodeId,
        shard: ShardId,
        order: LeaderOrder,
        by: Deadline,
    ) -> Answer<LeaderReply>;
    /// Has a voter stand for election.
    fn stand(&self, to: NodeId, shard: ShardId, by: Deadline) -> Answer<bool>;
    /// Computes a replica's content hash.
    fn content_hash(&self, of: NodeId, shard: ShardId, by: Deadline) -> Answer<ContentHash>;
    /// Computes a replica's content hash at a cut.
    fn content_at(&self, of: NodeId, shard: ShardId, cut: Hlc, by: Deadline)
    -> Answer<ContentHash>;
    /// Asks how far a node's replicas of these shards go.
    fn survey(
        &self,
        of: NodeId,
        shards: Vec<ShardId>,
        by: Deadline,
    ) -> Answer<Vec<Option<Survivor>>>;
    /// Has a node write its replica of a shard, with all of its log, into an archive.
    fn salvage(
        &self,
        of: NodeId,
        shard: ShardId,
        archive: String,
        by: Deadline,
    ) -> Answer<ShardImage>;
    /// Has a node take its replica out of service; false if it has no such replica.
    fn condemn(
        &self,
        shard: ShardId,
        replica: ReplicaId,
        why: String,
        by: Deadline,
    ) -> Answer<bool>;
    /// Has a node do something to itself; says what it did, in words.
    fn drill(&self, node: NodeId, drill: Drill, actor: String, by: Deadline) -> Answer<String>;
}
