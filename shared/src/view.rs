//! The cluster's own facts: what the system shard holds, how it changes, and the view of them that
//! agents compute for consoles and scripts.

mod facts;
mod observed;
mod recovery;
mod system;
mod words;

pub use facts::{
    Admission, BackupRecord, ClusterFacts, Intent, IntentKind, IntentPhase, JoinRequest,
    KeyspaceChange, KeyspaceFacts, KeyspaceSpec, NextNumbers, NodeAddresses, NodeFacts, NodeIntent,
    Policy, Promise, Promises, ReadDefault, ReplicaFacts, ReplicaRole, ShardFacts, ShardPhase,
    SyncPolicy, ZoneRule,
};
pub use observed::{
    ClusterView, Health, HealthCounts, KeyspaceView, NodeState, NodeView, Observer, ReplicaState,
    ReplicaView, ShardHealth, ShardView,
};
pub use recovery::{
    Decision, FailoverMode, FaultReport, Flapping, KeyspaceCare, Later, Maintenance, Modes,
    PolicyVersion, Recovery, RecoveryChange, RecoveryPolicy, Rule, Rules, Scheduled,
};
pub use system::SystemCommand;
