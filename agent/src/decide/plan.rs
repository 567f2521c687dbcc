//! One step of the controller: a change that can be made by itself, with its reason.
//!
//! Invariant: a step carries the epoch that it was made for, so that a stale one is refused (law 6).

use std::fmt;

use evenkeel_shared::ids::{Epoch, NodeId, ReplicaId, ShardId};

/// One change of one shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The shard.
    pub shard: ShardId,
    /// Refused unless the shard still has this epoch.
    pub epoch: Epoch,
    /// What to do.
    pub kind: StepKind,
    /// Why, in words.
    pub cause: String,
    /// Bytes that it moves, as far as known.
    pub price_bytes: u64,
    /// What takes it back, in words.
    pub inverse: String,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepKind {
    /// Have the system shard give out a new replica on this node, as learner.
    AddReplica {
        /// Where.
        node: NodeId,
    },
    /// Have the leader feed a replica that the system shard has given out.
    AddLearner {
        /// Which.
        replica: ReplicaId,
    },
    /// Make learners voters; those that they replace become learners in the same change.
    Promote {
        /// Which learners.
        replicas: Vec<ReplicaId>,
        /// Which voters go; empty when the shard grows.
        replaces: Vec<ReplicaId>,
    },
    /// Make voters learners.
    Demote {
        /// Which.
        replicas: Vec<ReplicaId>,
    },
    /// Let a learner go, and have its node delete it.
    Remove {
        /// Which.
        replica: ReplicaId,
    },
    /// Give a replica up whose data is damaged: it never comes back as itself.
    Lose {
        /// Which.
        replica: ReplicaId,
    },
    /// Hand leadership on.
    TransferLeader {
        /// Who leads.
        from: ReplicaId,
        /// Who is to lead.
        to: ReplicaId,
    },
}

impl fmt::Display for StepKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddReplica { node } => write!(f, "add a replica on {node}"),
            Self::AddLearner { replica } => write!(f, "add learner {replica}"),
            Self::Promote { replicas, replaces } if replaces.is_empty() => {
                write!(f, "promote {}", list(replicas))
            }
            Self::Promote { replicas, replaces } => {
                write!(f, "promote {} in the place of {}", list(replicas), list(replaces))
            }
            Self::Demote { replicas } => write!(f, "demote {}", list(replicas)),
            Self::Remove { replica } => write!(f, "remove {replica}"),
            Self::Lose { replica } => write!(f, "give {replica} up"),
            Self::TransferLeader { from, to } => write!(f, "hand leadership from {from} to {to}"),
        }
    }
}

impl Step {
    /// A step with what takes it back.
    pub(super) fn new(shard: ShardId, epoch: Epoch, kind: StepKind, cause: String) -> Self {
        let inverse = match &kind {
            StepKind::AddReplica { node } => format!("remove the replica on {node}"),
            StepKind::AddLearner { replica } => format!("remove {replica}"),
            StepKind::Promote { replicas, replaces } if replaces.is_empty() => {
                format!("demote {}", list(replicas))
            }
            StepKind::Promote { replicas, replaces } => {
                format!("promote {} in the place of {}", list(replaces), list(replicas))
            }
            StepKind::Demote { replicas } => format!("promote {}", list(replicas)),
            StepKind::Remove { replica } => format!("add a replica on {}", replica.node()),
            StepKind::Lose { .. } => "nothing: a new replica takes its place".to_owned(),
            StepKind::TransferLeader { from, to } => {
                format!("hand leadership from {to} to {from}")
            }
        };
        Self { shard, epoch, kind, cause, price_bytes: 0, inverse }
    }
}

/// What the controller would do, and what it would not, with the reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// In the order in which they matter.
    pub steps: Vec<Step>,
    /// Shards for which nothing can be done now, and why.
    pub declined: Vec<(ShardId, String)>,
}

fn list(replicas: &[ReplicaId]) -> String {
    replicas.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
