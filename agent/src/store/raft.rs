//! openraft's types, fixed for this store. Nothing outside `store` names them.

use evenkeel_shared::command::{Applied, Command};
use evenkeel_shared::ids::ReplicaId;

openraft::declare_raft_types!(
    /// `leader_id_std` (at most one leader a term) is part of the disk format.
    pub TypeConfig:
        D = Command,
        R = Applied,
        NodeId = ReplicaId,
        Node = openraft::EmptyNode,
        LeaderId = openraft::impls::leader_id_std::LeaderId<Self::Term, Self::NodeId>,
);

/// One log entry.
pub type Entry = <TypeConfig as openraft::RaftTypeConfig>::Entry;
/// Term, leader and index of an entry.
pub type LogId = openraft::alias::LogIdOf<TypeConfig>;
/// A vote: term, candidate, and whether a quorum granted it.
pub type Vote = openraft::alias::VoteOf<TypeConfig>;
/// A membership with the log id that set it.
pub type StoredMembership = openraft::alias::StoredMembershipOf<TypeConfig>;
/// What a snapshot covers.
pub type SnapshotMeta = openraft::alias::SnapshotMetaOf<TypeConfig>;
/// A running Raft group.
pub type Raft = openraft::Raft<TypeConfig, super::machine::Machine>;
/// What a Raft group says of itself.
pub type Metrics = openraft::RaftMetrics<TypeConfig>;
/// The same as it changes.
pub type MetricsWatch = openraft::alias::WatchReceiverOf<TypeConfig, Metrics>;
