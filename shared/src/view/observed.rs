//! The cluster as agents see it: facts and heartbeats put together, for consoles and scripts.
//!
//! A figure that nobody has reported is `None`, never 0 (law 2).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::facts::{BackupRecord, Intent, NodeAddresses, Policy, Promise, ReplicaRole, ShardPhase};
use super::recovery::Modes;
use crate::dossier::Score;
use crate::heartbeat::Load;
use crate::ids::{ClusterId, Epoch, Incarnation, KeyspaceId, NodeId, ReplicaId, ShardId};
use crate::key::SlotRange;

/// Everything that a console shows of the present, as one agent sees it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClusterView {
    /// Which cluster.
    pub cluster: ClusterId,
    /// The facts' revision.
    pub revision: u64,
    /// Who computed this.
    pub observer: NodeId,
    /// When, on the observer's wall clock.
    pub taken_unix_ms: u64,
    /// The headline.
    pub health: Health,
    /// The counts behind it.
    pub counts: HealthCounts,
    /// The node whose control loop runs.
    pub controller: Option<NodeId>,
    /// Every node, by id.
    pub nodes: Vec<NodeView>,
    /// Every shard that serves or is being built, by id; the system shard is not among them.
    pub shards: Vec<ShardView>,
    /// The system shard.
    pub system: Option<ShardView>,
    /// Multi-step changes under way.
    pub intents: Vec<Intent>,
    /// The backup catalogue, newest last.
    pub backups: Vec<BackupRecord>,
    /// Every keyspace, by id.
    pub keyspaces: Vec<KeyspaceView>,
    /// How the observer's verdicts have turned out.
    pub score: Score,
    /// Who may start a failover.
    pub modes: Modes,
    /// The version of the recovery policy; 0 is the built-in one.
    pub policy_version: u32,
    /// Acts that wait for their time.
    pub scheduled: u32,
}

/// One keyspace: what it promises, and how its shards are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeyspaceView {
    /// Its number.
    pub id: KeyspaceId,
    /// Its name.
    pub name: String,
    /// How many shards it should have.
    pub shards: u16,
    /// How they are kept.
    pub policy: Policy,
    /// What it promises besides.
    pub promise: Promise,
    /// How its serving shards are; `nodes_` are not counted here.
    pub counts: HealthCounts,
    /// Operations a second of all its shards; `None` while a leader has not told.
    pub ops_s: Option<f64>,
    /// Bytes of all its shards' logs; `None` while a leader has not told.
    pub log_bytes: Option<u64>,
}

/// The headline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// Every node up, every shard with all its copies and a leader.
    Ok,
    /// Something is missing, and everything can be read and written.
    Degraded,
    /// Some shard can't be written.
    #[default]
    Unavailable,
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "OK",
            Self::Degraded => "DEGRADED",
            Self::Unavailable => "UNAVAILABLE",
        })
    }
}

/// The counts behind the headline; they count data shards, not the system shard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCounts {
    /// Nodes that have joined and not left.
    pub nodes_total: u32,
    /// Those in state UP.
    pub nodes_up: u32,
    /// Shards that should serve.
    pub shards_total: u32,
    /// Those with a leader and every copy.
    pub shards_ok: u32,
    /// Those with a leader and a copy missing.
    pub shards_under_replicated: u32,
    /// Those without a leader or a quorum.
    pub shards_unavailable: u32,
}

/// A node's state, as this observer judges it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "UPPERCASE")]
pub enum NodeState {
    /// This observer has not heard of it yet.
    #[default]
    Unknown,
    /// Joined, and not yet in step.
    Joining,
    /// Heard of, and well.
    Up,
    /// Heard of, and slow.
    Slow,
    /// Not heard of for longer than usual, by some observers.
    Suspect,
    /// Held dead by a majority of observers.
    Down,
    /// Giving everything away.
    Draining,
    /// Has given everything away.
    Drained,
    /// Kept as it is for an operator.
    Maint,
    /// Gone for good.
    Left,
}

impl fmt::Display for NodeState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "UNKNOWN",
            Self::Joining => "JOINING",
            Self::Up => "UP",
            Self::Slow => "SLOW",
            Self::Suspect => "SUSPECT",
            Self::Down => "DOWN",
            Self::Draining => "DRAINING",
            Self::Drained => "DRAINED",
            Self::Maint => "MAINT",
            Self::Left => "LEFT",
        })
    }
}

/// One node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeView {
    /// Its number.
    pub id: NodeId,
    /// Its name.
    pub name: String,
    /// Its failure domain.
    pub zone: String,
    /// Its share of replicas.
    pub capacity: u32,
    /// Where it is reached.
    pub addresses: NodeAddresses,
    /// The verdict.
    pub state: NodeState,
    /// Since when, on the observer's wall clock.
    pub since_unix_ms: u64,
    /// The evidence in words: "refused", "silent 2.1 s".
    pub why: String,
    /// Who holds it dead, of how many that could say.
    pub observers: Observer,
    /// Count of its starts, as last heard.
    pub incarnation: Option<Incarnation>,
    /// The observer's suspicion level.
    pub phi: Option<f64>,
    /// Milliseconds since its last heartbeat.
    pub heard_ms: Option<u64>,
    /// Round trip of the last heartbeat, in microseconds.
    pub round_trip_us: Option<u32>,
    /// Shards that it leads, the system shard not counted.
    pub leaders: u32,
    /// Data replicas that it should hold.
    pub replicas: u32,
    /// Its load, as last heard.
    pub load: Option<Load>,
    /// Whether it takes part in drills.
    pub drills: bool,
}

/// How many observers agree on a verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observer {
    /// Who hold it dead.
    pub against: u32,
    /// Who could say.
    pub asked: u32,
}

/// One shard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShardView {
    /// Its number.
    pub id: ShardId,
    /// Whose keys it holds.
    pub keyspace: KeyspaceId,
    /// That keyspace's name.
    pub keyspace_name: String,
    /// Its slots.
    pub slots: Vec<SlotRange>,
    /// Where it is in its life.
    pub phase: ShardPhase,
    /// Who leads it, as claimed in heartbeats.
    pub leader: Option<NodeId>,
    /// The leader's term.
    pub term: u64,
    /// Version of range and voters.
    pub epoch: Epoch,
    /// The last index known to be committed.
    pub committed: Option<u64>,
    /// How it is.
    pub health: ShardHealth,
    /// Copies that it should have.
    pub wanted: u8,
    /// Its replicas.
    pub replicas: Vec<ReplicaView>,
    /// Operations a second at its leader.
    pub ops_s: Option<f64>,
    /// Bytes of its log.
    pub log_bytes: Option<u64>,
    /// Bytes of the leader's records on disk, roughly.
    pub data_bytes: Option<u64>,
}

/// How a shard is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShardHealth {
    /// A leader and every copy.
    Ok,
    /// A leader, and a copy is missing or behind.
    UnderReplicated,
    /// No leader, or no quorum.
    Unavailable,
}

/// One replica.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaView {
    /// Its id.
    pub id: ReplicaId,
    /// Its node.
    pub node: NodeId,
    /// Whether it counts in the quorum.
    pub role: ReplicaRole,
    /// How it is.
    pub state: ReplicaState,
    /// Log entries behind the leader; `None` when not heard of.
    pub lag: Option<u64>,
    /// Why it is out of service, if it is.
    pub why: Option<String>,
}

/// How a replica is, for one cell of the placement matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplicaState {
    /// It leads.
    Leader,
    /// It follows.
    Follower,
    /// It is being filled.
    Filling,
    /// It is on its way out.
    Leaving,
    /// Its node is DOWN.
    Lost,
    /// Not heard of for two intervals.
    Unknown,
    /// Its data is damaged or gone: out of service, to be rebuilt.
    Damaged,
}
