//! How the cluster is to be recovered, as operators have declared it: policies, who may start a
//! failover, what is taken out of the controller's hands. Kept in the system shard, in a row of its
//! own. On disk: variants are only appended, and more of it takes another row.

mod changes;
mod policy;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::{KeyspaceId, NodeId, ShardId};

pub use policy::{Flapping, KeyspaceCare, RecoveryPolicy, Rule, Rules};

/// All that operators have declared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recovery {
    /// Versions of the policy, newest last; none: the built-in one holds.
    pub policies: Vec<PolicyVersion>,
    /// Who may start a failover.
    pub modes: Modes,
    /// Shards that should have another number of copies than their keyspace says.
    pub copies: BTreeMap<ShardId, u8>,
    /// Nodes that are being worked on.
    pub maintenance: BTreeMap<NodeId, Maintenance>,
    /// What people and other systems say of nodes.
    pub reports: Vec<FaultReport>,
    /// What operators have said to steps of the plan, by the step's name.
    pub decisions: BTreeMap<String, Decision>,
    /// What is to be done later.
    pub scheduled: Vec<Scheduled>,
    /// The next number of a scheduled act; none is given out twice.
    pub next: u64,
}

impl Recovery {
    /// The policy that holds.
    pub fn policy(&self) -> RecoveryPolicy {
        self.policies.last().map(|version| version.policy.clone()).unwrap_or_default()
    }

    /// Its version; 0 is the built-in one.
    pub fn version(&self) -> u32 {
        self.policies.last().map_or(0, |version| version.version)
    }

    /// Whether a node is in maintenance at that time.
    pub fn maintains(&self, node: NodeId, unix_ms: u64) -> Option<&Maintenance> {
        self.maintenance.get(&node).filter(|held| unix_ms < held.until_unix_ms)
    }

    /// What is reported of a node at that time.
    pub fn reports_on(&self, node: NodeId, unix_ms: u64) -> impl Iterator<Item = &FaultReport> {
        let holds =
            move |report: &&FaultReport| report.node == node && unix_ms < report.until_unix_ms;
        self.reports.iter().filter(holds)
    }
}

/// One change of what is declared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RecoveryChange {
    /// Another policy, in the place of the one of this version.
    SetPolicy {
        /// Refused when another one holds by now.
        replaces: u32,
        /// The new one; its version is given out.
        new: Box<PolicyVersion>,
    },
    /// Who may start a failover.
    SetMode {
        /// Of which keyspace; `None`: of all.
        keyspace: Option<KeyspaceId>,
        /// Who.
        mode: FailoverMode,
    },
    /// How many copies a shard should have; `None`: as its keyspace says.
    SetCopies {
        /// The shard.
        shard: ShardId,
        /// How many.
        copies: Option<u8>,
    },
    /// A node is worked on, or no more.
    Maintain {
        /// The node.
        node: NodeId,
        /// Until when, and why.
        maintenance: Option<Maintenance>,
    },
    /// Somebody says something of a node; of each source the last word counts.
    Report(FaultReport),
    /// What was reported of a node does not hold any more.
    Withdraw {
        /// The node.
        node: NodeId,
    },
    /// An operator's word on a step of the plan; `None` takes it back.
    Decide {
        /// The step's name.
        step: String,
        /// The word.
        decision: Option<Decision>,
    },
    /// Something is to be done later; its number is given out.
    Schedule(Scheduled),
    /// It is not, or has been done.
    Unschedule {
        /// Its number.
        id: u64,
    },
}

/// One version of the policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyVersion {
    /// Counts from 1.
    pub version: u32,
    /// What it says.
    pub policy: RecoveryPolicy,
    /// As it was written.
    pub text: String,
    /// Who set it.
    pub by: String,
    /// Why, in words.
    pub why: String,
    /// When, on the proposer's wall clock.
    pub unix_ms: u64,
}

/// Who may start a failover, for the cluster and for keyspaces.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Modes {
    /// Of all keyspaces.
    pub cluster: FailoverMode,
    /// Of those that want it otherwise.
    pub keyspaces: BTreeMap<KeyspaceId, FailoverMode>,
}

impl Modes {
    /// What holds for a keyspace at that time: whichever of the two is stricter.
    pub fn of(&self, keyspace: KeyspaceId, unix_ms: u64) -> FailoverMode {
        let own = self.keyspaces.get(&keyspace).copied().unwrap_or_default();
        [self.cluster, own]
            .into_iter()
            .find(|mode| !mode.elects(unix_ms))
            .unwrap_or(FailoverMode::Automatic)
    }
}

/// Who starts a failover.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum FailoverMode {
    /// The agents.
    #[default]
    Automatic,
    /// Operators.
    Manual,
    /// Operators, until then; the agents again afterwards.
    Paused {
        /// On each agent's own wall clock.
        until_unix_ms: u64,
    },
}

impl FailoverMode {
    /// Whether agents start failovers at that time.
    pub fn elects(self, unix_ms: u64) -> bool {
        match self {
            Self::Automatic => true,
            Self::Manual => false,
            Self::Paused { until_unix_ms } => unix_ms >= until_unix_ms,
        }
    }
}

impl fmt::Display for FailoverMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Automatic => "automatic",
            Self::Manual => "manual",
            Self::Paused { .. } => "paused",
        })
    }
}

/// A node that is being worked on: it leads nothing, and its copies are not replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Maintenance {
    /// Then it is over, whatever becomes of whoever asked for it.
    pub until_unix_ms: u64,
    /// Who asked.
    pub by: String,
    /// Why, in words.
    pub why: String,
}

/// What somebody says of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultReport {
    /// The node.
    pub node: NodeId,
    /// Who says so: of each source the last word counts.
    pub source: String,
    /// What, in words.
    pub reason: String,
    /// How much the source's word weighs; from 100 on the node counts as SLOW.
    pub weight: u16,
    /// When it was said, on the receiving agent's wall clock.
    pub unix_ms: u64,
    /// Then it counts no more.
    pub until_unix_ms: u64,
}

/// What an operator says to a step of the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Do it, or leave it.
    pub go: bool,
    /// Who said so.
    pub by: String,
    /// Then it counts no more.
    pub until_unix_ms: u64,
}

/// Something that is to be done later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scheduled {
    /// Its number.
    pub id: u64,
    /// What.
    pub what: Later,
    /// Not before then, on the controller's wall clock.
    pub at_unix_ms: u64,
    /// Who asked.
    pub by: String,
}

/// What can be done later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Later {
    /// Hand one shard's leadership over.
    Switchover {
        /// The shard.
        shard: ShardId,
        /// To whom; `None`: the best candidate.
        to: Option<NodeId>,
    },
    /// Hand all leaderships of a node over.
    NodeSwitchover {
        /// The node.
        node: NodeId,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stricter_of_cluster_and_keyspace_holds_and_a_pause_ends_by_itself() {
        let space = KeyspaceId(1);
        let mut modes = Modes::default();
        assert_eq!(modes.of(space, 50), FailoverMode::Automatic);
        modes.keyspaces.insert(space, FailoverMode::Manual);
        assert_eq!(modes.of(space, 50), FailoverMode::Manual);
        assert_eq!(modes.of(KeyspaceId(2), 50), FailoverMode::Automatic);
        modes.cluster = FailoverMode::Paused { until_unix_ms: 60 };
        assert_eq!(modes.of(KeyspaceId(2), 59), modes.cluster);
        assert_eq!(modes.of(KeyspaceId(2), 60), FailoverMode::Automatic);
        assert_eq!(modes.of(space, 60), FailoverMode::Manual);
    }
}
