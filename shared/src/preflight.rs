//! What a harmful act would do, computed by agents before it is done (law 8).

use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::ids::{KeyspaceId, NodeId, ShardId};
use crate::view::{KeyspaceChange, KeyspaceSpec, RecoveryChange};

/// An act that an operator may ask for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// SIGKILL, no drain: a drill.
    Kill {
        /// The node.
        node: NodeId,
        /// How long its supervisor keeps it down, in seconds; `None`: for good.
        down_secs: Option<u32>,
    },
    /// Let something go wrong on a node for a while: a drill.
    Fault {
        /// The node.
        node: NodeId,
        /// What.
        fault: Fault,
        /// For how long, in seconds.
        secs: u32,
    },
    /// End everything that goes wrong by drills, on every node.
    Heal,
    /// Move one shard's leadership, losing nothing: refused when it can't be.
    Switchover {
        /// The shard.
        shard: ShardId,
        /// To whom; `None`: the best candidate.
        to: Option<NodeId>,
    },
    /// Have another voter elected although the leader does not answer.
    Failover {
        /// The shard.
        shard: ShardId,
        /// To whom; `None`: the best candidate.
        to: Option<NodeId>,
    },
    /// Give all of a node's replicas away, or stop doing so.
    Drain {
        /// The node.
        node: NodeId,
        /// Whether to stop.
        undo: bool,
    },
    /// Remove a node that is gone for good or drained.
    Evict {
        /// The node.
        node: NodeId,
    },
    /// Back all shards and the configuration up.
    Backup {
        /// The archive's folder.
        archive: String,
    },
    /// Build shards from a backup beside, then swap.
    Restore {
        /// The archive's folder.
        archive: String,
        /// The backup's id.
        backup: String,
    },
    /// Keep what a restore has put in place, and drop what it replaced.
    RestoreAccept,
    /// Put back what a restore has replaced.
    RestoreUndo,
    /// Give a dead node's data up for good, so that it may join again with an empty folder.
    Reinit {
        /// The node.
        node: NodeId,
    },
    /// Create a keyspace.
    KeyspaceCreate(KeyspaceSpec),
    /// Keep a keyspace otherwise.
    KeyspaceSet {
        /// Which.
        keyspace: KeyspaceId,
        /// How.
        change: KeyspaceChange,
    },
    /// Drop a keyspace with all that is in it.
    KeyspaceDrop {
        /// Which.
        keyspace: KeyspaceId,
    },
    /// Declare something of recovery.
    Recover(RecoveryChange),
    /// Hand all of a node's leaderships over, losing nothing.
    NodeSwitchover {
        /// The node.
        node: NodeId,
    },
    /// Give a shard one more copy.
    ReplicaAdd {
        /// The shard.
        shard: ShardId,
        /// Where.
        node: NodeId,
    },
    /// Put what is left of shards in their place that have lost their majority for good.
    RecoverQuorum {
        /// Which.
        shards: Vec<ShardId>,
        /// The folder into which it is written first.
        archive: String,
    },
    /// Take one copy of a shard away.
    ReplicaRemove {
        /// The shard.
        shard: ShardId,
        /// Where.
        node: NodeId,
    },
}

/// What an act would do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preflight {
    /// The facts' revision that this was computed at; an act with an older one is refused.
    pub revision: u64,
    /// The act, in words.
    pub title: String,
    /// How hard it must be confirmed.
    pub harm: Harm,
    /// Shards that would lose their quorum.
    pub quorum_lost: Vec<ShardId>,
    /// Shards that would have no copy to spare.
    pub no_spare: Vec<ShardId>,
    /// Shards whose leader would move.
    pub leaders_moved: Vec<ShardId>,
    /// Acknowledged writes that would be dropped, when known.
    pub writes_dropped: Option<u64>,
    /// Bytes of copies that would be made elsewhere, roughly, when known.
    pub bytes_to_repair: Option<u64>,
    /// Anything else worth knowing, a sentence each.
    pub notes: Vec<String>,
    /// Why it can't be done at all.
    pub refused: Option<String>,
    /// What would do less harm.
    pub safer: Option<String>,
}

/// The rungs of the confirmation ladder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Harm {
    /// Nothing is lost: y is enough.
    #[default]
    None,
    /// Something is at risk: type the name.
    Risk,
    /// Something breaks: type `OVERRIDE` and the name.
    Break,
}

/// What came of an act.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// What was done, in words.
    pub what: String,
    /// How long it took, in microseconds.
    pub took_us: u64,
    /// A backup's id, if one was made.
    pub backup: Option<String>,
}
