//! The changes that the system shard's log may hold. On disk: variants are only appended.

use serde::{Deserialize, Serialize};

use super::facts::{
    BackupRecord, ClusterFacts, IntentKind, IntentPhase, JoinRequest, KeyspaceChange, KeyspaceSpec,
    NodeIntent, ReplicaRole, ShardPhase,
};
use super::recovery::RecoveryChange;
use crate::event::Event;
use crate::ids::{Epoch, History, IntentId, KeyspaceId, NodeId, ReplicaId, ShardId};
use crate::key::SlotRange;

/// One change of the cluster's own facts. Each is refused when it no longer fits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SystemCommand {
    /// The first command of a cluster.
    Found(Box<ClusterFacts>),
    /// A node joins, or comes back under its own name with new addresses.
    Join(JoinRequest),
    /// What operators want of a node.
    SetNodeIntent {
        /// The node.
        node: NodeId,
        /// What is wanted.
        intent: NodeIntent,
    },
    /// A node leaves for good; it must hold nothing but its copy of the system shard.
    Leave {
        /// The node.
        node: NodeId,
    },
    /// New shards: ids and replica ids are given out at apply, in this order.
    CreateShards {
        /// Whose keys they hold.
        keyspace: KeyspaceId,
        /// Drawn by the proposer.
        history: History,
        /// Serving at once, or beside for a restore.
        phase: ShardPhase,
        /// The slots and first nodes of each.
        shards: Vec<(Vec<SlotRange>, Vec<NodeId>)>,
    },
    /// A new replica of a shard, as learner; its id is given out at apply.
    AddReplica {
        /// The shard.
        shard: ShardId,
        /// Where.
        node: NodeId,
        /// Refused unless the shard still has this epoch in the map (law 6).
        epoch: Epoch,
    },
    /// A replica's role has changed in the shard's own log.
    SetReplicaRole {
        /// The shard.
        shard: ShardId,
        /// The replica.
        replica: ReplicaId,
        /// Its role now.
        role: ReplicaRole,
        /// The shard's epoch after the change.
        epoch: Epoch,
    },
    /// A replica has left the shard's membership; its node may delete it.
    RemoveReplica {
        /// The shard.
        shard: ShardId,
        /// The replica.
        replica: ReplicaId,
        /// The shard's epoch after the change.
        epoch: Epoch,
    },
    /// The shard's epoch as its leader reports it.
    SetEpoch {
        /// The shard.
        shard: ShardId,
        /// Its epoch now.
        epoch: Epoch,
    },
    /// A multi-step change begins.
    BeginIntent {
        /// What is wanted.
        kind: IntentKind,
        /// Who asked, and why.
        cause: String,
    },
    /// A multi-step change goes on; refused unless it stands at `from`.
    AdvanceIntent {
        /// Which.
        intent: IntentId,
        /// Where it stands.
        from: IntentPhase,
        /// Where it goes; with the slots' owners changed in the same step.
        to: IntentPhase,
    },
    /// A multi-step change is over; shards that it left behind are dropped.
    EndIntent {
        /// Which.
        intent: IntentId,
        /// Shards whose replicas may now be deleted.
        drop: Vec<ShardId>,
    },
    /// A backup was completed.
    RecordBackup(BackupRecord),
    /// Lines for the journal.
    Journal(Vec<Event>),
    /// A replica's data is damaged or gone: it never comes back as itself (safety rule 13).
    LoseReplica {
        /// The shard.
        shard: ShardId,
        /// The replica.
        replica: ReplicaId,
    },
    /// A node's disk is gone: all its replicas are lost, and the next folder that comes under its
    /// name is taken.
    Reinit {
        /// The node.
        node: NodeId,
    },
    /// A new keyspace; the controller gives it shards.
    CreateKeyspace(KeyspaceSpec),
    /// A keyspace is kept otherwise from now on.
    SetKeyspace {
        /// Which.
        keyspace: KeyspaceId,
        /// How.
        change: KeyspaceChange,
    },
    /// A keyspace goes, with its shards and all that is in them.
    DropKeyspace {
        /// Which.
        keyspace: KeyspaceId,
    },
    /// Operators declare something of recovery.
    Recover(RecoveryChange),
}
