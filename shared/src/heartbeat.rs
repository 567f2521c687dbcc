//! What nodes tell each other ten times a second, and what they report to consoles.

use serde::{Deserialize, Serialize};

use crate::ids::{Epoch, Incarnation, NodeId, ReplicaId, ShardId};
use crate::version::Hlc;

/// One heartbeat from node to node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// Who sends it.
    pub from: NodeId,
    /// Count of the sender's starts.
    pub incarnation: Incarnation,
    /// Rises by one with each heartbeat to this peer.
    pub sequence: u64,
    /// The sender's hybrid logical time.
    pub hlc: Hlc,
    /// The sender's load.
    pub load: Load,
    /// Shards that the sender leads and whose claim is earned (safety rule 6).
    pub claims: Vec<Claim>,
    /// Every replica that the sender holds; sent when it has changed, and once a second.
    pub replicas: Option<Vec<ReplicaStatus>>,
    /// Nodes that the sender holds dead.
    pub dead: Vec<NodeId>,
    /// The revision of the cluster's facts that the sender has applied.
    pub revision: u64,
}

/// The sender leads this shard in this term.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The shard.
    pub shard: ShardId,
    /// The term.
    pub term: u64,
    /// What the leader knows to be committed.
    pub committed: u64,
}

/// How fresh a leader is: whoever has applied this much has every write that was acknowledged so
/// long ago, counted from when the question was sent (safety rule 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Round {
    /// The shard.
    pub shard: ShardId,
    /// Since a majority last confirmed the leader, in microseconds.
    pub age_us: u64,
    /// What it knows to be committed.
    pub committed: u64,
}

/// The answer to a heartbeat.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeartbeatReply {
    /// Count of the answering node's starts.
    pub incarnation: Incarnation,
    /// The answering node's hybrid logical time.
    pub hlc: Hlc,
    /// How fresh the shards are that the answering node leads and a majority backs.
    pub rounds: Vec<Round>,
    /// Claims that the answering node can't back (safety rule 7): it has voted past that term, or
    /// has no such replica.
    pub unbacked: Vec<ShardId>,
}

/// A node's load. A figure that could not be read is `None`, never 0.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// Reads answered a second.
    pub reads_s: f64,
    /// Writes answered a second.
    pub writes_s: f64,
    /// 99th percentile of writes over the last second, in microseconds; `None` without writes.
    pub write_p99_us: Option<u32>,
    /// Share of one core, in percent.
    pub cpu_percent: Option<f32>,
    /// Resident memory.
    pub rss_bytes: Option<u64>,
    /// Bytes used on the data folder's disk.
    pub disk_used_bytes: Option<u64>,
    /// Size of the data folder's disk.
    pub disk_total_bytes: Option<u64>,
    /// How long ago the last sync ended, in milliseconds.
    pub sync_age_ms: Option<u64>,
    /// How long the last sync took, in microseconds.
    pub sync_us: Option<u32>,
    /// Connections open now.
    pub connections: u32,
    /// Whether the disk is so full that the node takes no writes.
    pub disk_low: bool,
    /// What a drill has go wrong there, in words.
    pub drill: Option<String>,
    /// Whether that drill leaves the node of no use to its shards.
    pub drilled_away: bool,
    /// For how long the oldest record waits for a sync, in milliseconds; `None` when none waits.
    pub sync_wait_ms: Option<u32>,
    /// How late the node's own timer came at worst in the last second, in microseconds.
    pub lag_us: Option<u32>,
}

/// One replica, as its own node sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReplicaStatus {
    /// The shard.
    pub shard: ShardId,
    /// The replica.
    pub replica: ReplicaId,
    /// Its role in Raft now.
    pub role: RaftRole,
    /// The term it is in.
    pub term: u64,
    /// Who leads, as it believes.
    pub leader: Option<ReplicaId>,
    /// The last index in its log.
    pub last: u64,
    /// The last index it has applied.
    pub applied: u64,
    /// Version of range and voters, as applied.
    pub epoch: Epoch,
    /// Voters of the effective membership.
    pub voters: Vec<ReplicaId>,
    /// Learners of the effective membership.
    pub learners: Vec<ReplicaId>,
    /// Chain over applied entries: equal on every replica at an equal index.
    pub chain: u64,
    /// Bytes of its log.
    pub log_bytes: u64,
    /// Bytes of its records on disk, roughly.
    pub data_bytes: u64,
    /// Operations a second that it has answered as leader.
    pub ops_s: f64,
    /// Whether it is filled from a snapshot now.
    pub filling: bool,
    /// Why its data can't be trusted, if so: it is out of service.
    pub damaged: Option<String>,
}

impl ReplicaStatus {
    /// A replica that can't be opened: nothing is known of it but why.
    pub fn out_of_service(shard: ShardId, replica: ReplicaId, why: String) -> Self {
        Self {
            shard,
            replica,
            role: RaftRole::Stopped,
            term: 0,
            leader: None,
            last: 0,
            applied: 0,
            epoch: Epoch::default(),
            voters: Vec::new(),
            learners: Vec::new(),
            chain: 0,
            log_bytes: 0,
            data_bytes: 0,
            ops_s: 0.0,
            filling: false,
            damaged: Some(why),
        }
    }
}

/// A replica's role in Raft.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum RaftRole {
    /// Not counted.
    Learner,
    /// Follows.
    Follower,
    /// Asks for votes.
    Candidate,
    /// Leads.
    Leader,
    /// Its core has ended.
    Stopped,
}

/// What an agent reports to each attached console, five times a second.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Who reports.
    pub node: NodeId,
    /// Its name.
    pub name: String,
    /// Count of its starts.
    pub incarnation: Incarnation,
    /// Its wall clock.
    pub unix_ms: u64,
    /// Its load.
    pub load: Load,
    /// The facts' revision that it has applied.
    pub revision: u64,
    /// Its own suspicion of each peer.
    pub peers: Vec<PeerReport>,
    /// Its leaderships, with operations a second.
    pub leads: Vec<(ShardId, f64)>,
}

/// One peer, as the reporting node sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PeerReport {
    /// The peer.
    pub node: NodeId,
    /// Suspicion level; `None` when never heard of.
    pub phi: Option<f64>,
    /// Milliseconds since its last heartbeat.
    pub heard_ms: Option<u64>,
    /// Round trip of the last heartbeat, in microseconds.
    pub round_trip_us: Option<u32>,
    /// Whether it is held dead.
    pub dead: bool,
}
