//! What the system shard knows: nodes, shards, keyspaces, intents, backups. Wanted, not observed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::recovery::Recovery;
use crate::ids::{ClusterId, Epoch, History, IntentId, KeyspaceId, NodeId, ReplicaId, ShardId};
use crate::key::{Slot, SlotRange};
use crate::version::Hlc;

/// All of the cluster's own facts at one revision. Every node holds a copy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterFacts {
    /// Which cluster this is.
    pub cluster: ClusterId,
    /// Rises with every change.
    pub revision: u64,
    /// The nodes that have joined and not left.
    pub nodes: BTreeMap<NodeId, NodeFacts>,
    /// Shards under their policies.
    pub keyspaces: BTreeMap<KeyspaceId, KeyspaceFacts>,
    /// The system shard's own entry included.
    pub shards: BTreeMap<ShardId, ShardFacts>,
    /// Multi-step changes that are not over.
    pub intents: BTreeMap<IntentId, Intent>,
    /// Backups that were completed, newest last.
    pub backups: Vec<BackupRecord>,
    /// The next number of each kind; none is given out twice.
    pub next: NextNumbers,
    /// What keyspaces promise beside their policies. It came later, and lies in a row of its own.
    #[serde(skip)]
    pub promises: Promises,
    /// What operators have declared of recovery; in a row of its own, too.
    #[serde(skip)]
    pub recovery: Recovery,
}

/// Counters of ids that are never reused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextNumbers {
    /// The next node.
    pub node: u32,
    /// The next replica.
    pub replica: u32,
    /// The next shard.
    pub shard: u32,
    /// The next intent.
    pub intent: u64,
}

impl ClusterFacts {
    /// The shard that serves a slot of a keyspace now.
    pub fn shard_of(&self, keyspace: KeyspaceId, slot: Slot) -> Option<ShardId> {
        let serves = |shard: &&ShardFacts| {
            shard.keyspace == keyspace
                && !shard.id.is_system()
                && shard.phase == ShardPhase::Serving
                && shard.slots.iter().any(|range| range.contains(slot))
        };
        self.shards.values().find(serves).map(|shard| shard.id)
    }

    /// The keyspace of that name.
    pub fn keyspace_named(&self, name: &str) -> Option<&KeyspaceFacts> {
        self.keyspaces.values().find(|keyspace| keyspace.name == name)
    }

    /// What a keyspace promises when a request says nothing.
    pub fn promise(&self, keyspace: KeyspaceId) -> Promise {
        self.promises.of.get(&keyspace).copied().unwrap_or_default()
    }

    /// The node of that name.
    pub fn node_named(&self, name: &str) -> Option<&NodeFacts> {
        self.nodes.values().find(|node| node.name == name)
    }
}

/// One node, as it asked to be known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeFacts {
    /// Its number.
    pub id: NodeId,
    /// Its name, unique in the cluster.
    pub name: String,
    /// Its failure domain.
    pub zone: String,
    /// Its share of replicas, relative to the others'.
    pub capacity: u32,
    /// Where its listeners are reached.
    pub addresses: NodeAddresses,
    /// What operators want of it.
    pub intent: NodeIntent,
    /// Whether it takes part in drills.
    pub drills: bool,
    /// Random bits of its data folder: a node that comes back empty has others. 0: the folder was
    /// given up, and the next one that comes under this name is taken.
    pub folder: u64,
}

/// Where a node's listeners are reached: `host:port`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeAddresses {
    /// Agents, clients, consoles.
    pub rpc: String,
    /// Redis protocol, forwarding.
    pub resp: Option<String>,
    /// Redis protocol, redirecting.
    pub resp_cluster: Option<String>,
    /// Metrics and health.
    pub http: Option<String>,
}

/// What operators want of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum NodeIntent {
    /// Hold replicas and lead.
    #[default]
    Serve,
    /// Give everything away.
    Drain,
}

/// A named set of shards under one policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyspaceFacts {
    /// Its number.
    pub id: KeyspaceId,
    /// Its name.
    pub name: String,
    /// How many shards it is cut into.
    pub shards: u16,
    /// The policy of each of them.
    pub policy: Policy,
}

/// How the shards of a keyspace are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Copies of each shard.
    pub replicas: u8,
    /// When a write is acknowledged.
    pub sync: SyncPolicy,
    /// How long a node may be DOWN before its replicas are replaced, in milliseconds.
    pub grace_ms: u64,
}

/// When a write is acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SyncPolicy {
    /// After the leader's own fsync; may be lost with the leader.
    Leader,
    /// After fsync on a majority.
    #[default]
    Quorum,
    /// After fsync on every voter.
    All,
}

/// What keyspaces promise beside their policies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promises {
    /// The highest number that a keyspace has had, if it was created after the cluster.
    pub highest: u32,
    /// Each keyspace that promises anything but the default.
    pub of: BTreeMap<KeyspaceId, Promise>,
}

/// What one keyspace promises beside its policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promise {
    /// How fresh a read is that doesn't say.
    pub read: ReadDefault,
    /// How copies are spread over zones.
    pub zones: ZoneRule,
}

/// How fresh a read is that doesn't say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReadDefault {
    /// Sees every write acknowledged before the read began.
    #[default]
    Linearizable,
    /// Sees all that the session has seen and written.
    Session,
    /// Sees every write acknowledged more than this many milliseconds before.
    Bounded(u32),
    /// Whatever the nearest copy has.
    Any,
}

/// How copies of one shard are spread over zones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ZoneRule {
    /// As evenly as the zones allow.
    #[default]
    Spread,
    /// Never two in one zone: rather too few copies.
    Strict,
    /// Zones don't count.
    Ignore,
}

/// A keyspace to be created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyspaceSpec {
    /// Its name, unique in the cluster.
    pub name: String,
    /// How many shards it is cut into.
    pub shards: u16,
    /// How they are kept.
    pub policy: Policy,
    /// What it promises besides.
    pub promise: Promise,
    /// The number that it had, when a restore creates it anew.
    pub number: Option<KeyspaceId>,
}

/// What is to change of a keyspace; what is `None` stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyspaceChange {
    /// Copies of each shard.
    pub replicas: Option<u8>,
    /// When a write is acknowledged.
    pub sync: Option<SyncPolicy>,
    /// How long a node may be DOWN before its replicas are replaced, in milliseconds.
    pub grace_ms: Option<u64>,
    /// How fresh a read is that doesn't say.
    pub read: Option<ReadDefault>,
    /// How copies are spread over zones.
    pub zones: Option<ZoneRule>,
}

/// One shard, as it is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardFacts {
    /// Its number.
    pub id: ShardId,
    /// Whose keys it holds.
    pub keyspace: KeyspaceId,
    /// Which life of it.
    pub history: History,
    /// Its slots.
    pub slots: Vec<SlotRange>,
    /// Exactly these initialise it.
    pub first_voters: Vec<ReplicaId>,
    /// Every replica that should exist now.
    pub replicas: BTreeMap<ReplicaId, ReplicaFacts>,
    /// Version of range and voters, as last recorded.
    pub epoch: Epoch,
    /// Where it is in its life.
    pub phase: ShardPhase,
}

/// One replica, as it is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaFacts {
    /// Whether it counts in the quorum.
    pub role: ReplicaRole,
}

/// Whether a replica counts in the quorum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ReplicaRole {
    /// It counts.
    Voter,
    /// It receives the log, and doesn't count yet (or any more).
    Learner,
    /// Its node has lost its data, or the data can't be trusted: it is taken out, and never comes
    /// back as itself (safety rule 13).
    Lost,
}

/// Where a shard is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ShardPhase {
    /// Its slots are served by it.
    Serving,
    /// Being built beside, by a restore: holds data, serves nobody.
    Beside,
    /// Its slots were taken by a restore: kept, read-only, until the restore is accepted.
    Retired,
}

/// What a joining agent says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinRequest {
    /// The name it wants.
    pub name: String,
    /// Its failure domain.
    pub zone: String,
    /// Its share of replicas.
    pub capacity: u32,
    /// Where it is reached.
    pub addresses: NodeAddresses,
    /// Whether it takes part in drills.
    pub drills: bool,
    /// Random bits of its data folder.
    pub folder: u64,
    /// Who it already is, when it comes back.
    pub known_as: Option<(ClusterId, NodeId)>,
}

/// What a joined agent is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admission {
    /// The cluster.
    pub cluster: ClusterId,
    /// Its number.
    pub node: NodeId,
    /// Its replica of the system shard.
    pub system_replica: ReplicaId,
    /// The system shard's history.
    pub system_history: History,
    /// Where the others are.
    pub peers: Vec<(NodeId, NodeAddresses)>,
}

/// A multi-step change that a new controller finishes or takes back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// Its number.
    pub id: IntentId,
    /// What is wanted.
    pub kind: IntentKind,
    /// How far it is.
    pub phase: IntentPhase,
    /// Who asked, and when.
    pub cause: String,
    /// When it was accepted.
    pub started: Hlc,
}

/// What an intent wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum IntentKind {
    /// Put a backup's data in the place of what is served.
    Restore {
        /// The archive's folder.
        archive: String,
        /// The backup's id.
        backup: String,
        /// Old shard, if any, and the new one built from the backup.
        pairs: Vec<(Option<ShardId>, ShardId)>,
    },
}

/// How far an intent is. Seal, swap and open are each committed (safety rule 16).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum IntentPhase {
    /// New shards are filled beside.
    Building,
    /// Contents are checked; old shards are being sealed.
    Sealing,
    /// The map names the new shards; they are being opened.
    Opening,
    /// Done; the old shards are kept until accept or undo.
    Complete,
    /// On the way back: new shards are being sealed.
    UndoSealing,
    /// On the way back: old shards are being opened.
    UndoOpening,
    /// Given up, with the reason.
    Failed(String),
}

/// One completed backup in the catalogue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupRecord {
    /// Its id within the archive.
    pub id: String,
    /// The archive's folder.
    pub archive: String,
    /// The cut.
    pub cut: Hlc,
    /// Shards in it.
    pub shards: u32,
    /// Records in it.
    pub records: u64,
    /// Bytes of chunks.
    pub bytes: u64,
}
