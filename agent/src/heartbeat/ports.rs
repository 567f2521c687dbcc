//! What heartbeats need of the store and of the network: owned here, implemented at the edge.

use std::time::Duration;

use evenkeel_shared::heartbeat::{Heartbeat, HeartbeatReply, Load, ReplicaStatus};
use evenkeel_shared::ids::{Epoch, NodeId, ShardId};
use evenkeel_shared::service::peer::{CanvassAnswer, CanvassQuestion};
use evenkeel_shared::version::Hlc;
use futures::future::BoxFuture;

use crate::decide::elector::GroupFacts;
use crate::decide::room::Obstacle;

/// One replica of this node, at one moment.
#[derive(Clone, Debug)]
pub struct Held {
    /// For the elector.
    pub group: GroupFacts,
    /// What it knows to be committed.
    pub committed: u64,
    /// Count of applied configuration changes.
    pub epoch: Epoch,
    /// How many belong to the shard: voters and learners.
    pub members: (usize, usize),
}

/// This node's replicas.
pub trait Groups: Send + Sync {
    /// All of them.
    fn held(&self) -> Vec<Held>;
    /// What they all say of themselves to peers, those that are out of service among them. It costs
    /// more than [`Groups::held`].
    fn statuses(&self) -> Vec<ReplicaStatus>;
    /// Those that are out of service.
    fn out_of_service(&self) -> Vec<ReplicaStatus>;
    /// Whether this node's replica backs a leader of the shard in this term.
    fn backs(&self, shard: ShardId, claimed: u64) -> bool;
    /// One of them.
    fn held_one(&self, shard: ShardId) -> Option<Held>;
    /// Starts an election, if the replica is still in this term and not leading.
    fn elect(&self, shard: ShardId, term: u64) -> BoxFuture<'static, ()>;
    /// Sends one append as leader.
    fn nudge(&self, shard: ShardId) -> BoxFuture<'static, ()>;
    /// Replicates to a returned peer at once.
    fn welcome_back(&self, node: NodeId) -> BoxFuture<'static, ()>;
    /// Sends one append to a peer that does not know what this leader has committed.
    fn remind(&self, shard: ShardId, node: NodeId) -> BoxFuture<'static, ()>;
    /// Says whether a majority of voters backs a leadership.
    fn set_backed(&self, shard: ShardId, backed: bool);
    /// Says what full disks keep a shard from taking writes; none: it takes them.
    fn set_no_room(&self, shard: ShardId, obstacle: Option<Obstacle>);
    /// The highest time of this node.
    fn hlc(&self) -> Hlc;
    /// The revision of the cluster's facts that is applied here.
    fn revision(&self) -> u64;
    /// What the node has to carry, as it is now.
    fn load(&self) -> Load;
}

/// The other nodes.
pub trait Peers: Send + Sync {
    /// Which there are.
    fn nodes(&self) -> Vec<NodeId>;
    /// How many of this node's calls to a peer have failed since this was last asked, in
    /// thousandths; `None` if none has ended.
    fn failures(&self, node: NodeId) -> Option<u32>;
    /// Says that this node lives.
    fn beat(
        &self,
        node: NodeId,
        heartbeat: Heartbeat,
        wait: Duration,
    ) -> BoxFuture<'static, Option<HeartbeatReply>>;
    /// Asks about shards.
    fn canvass(
        &self,
        node: NodeId,
        questions: Vec<CanvassQuestion>,
        wait: Duration,
    ) -> BoxFuture<'static, Option<Vec<CanvassAnswer>>>;
    /// Asks a voter to stand for election.
    fn stand(&self, node: NodeId, shard: ShardId, term: u64) -> BoxFuture<'static, ()>;
}
