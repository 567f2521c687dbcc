//! How the cluster is to be recovered, as operators have declared it: policies, who may start a
//! failover, what is taken out of the controller's hands. Kept in the system shard, in a row of its
//! own. On disk: variants are only appended, and more of it takes another row.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::facts::ClusterFacts;
use crate::ids::{KeyspaceId, NodeId, ShardId};
use crate::limits::{GRACE_MAX_MS, POLICY_BYTES_MAX, REPAIR_STEPS_MAX};

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

/// What the controller does about what it sees.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecoveryPolicy {
    /// Steps of repair under way at once.
    pub steps: u16,
    /// Bytes a second that repair may move; 0: no bound.
    pub bytes_s: u64,
    /// Repair waits while writes of some node take longer than this at the 99th percentile, in
    /// microseconds; 0: it never does.
    pub p99_us: u32,
    /// How long a node that votes in the system shard may be DOWN before it is replaced there.
    pub system_grace_ms: u64,
    /// What to do about what.
    pub rules: Rules,
    /// When a node counts as flapping.
    pub flapping: Flapping,
    /// What one keyspace wants otherwise, by its name.
    pub keyspaces: BTreeMap<String, KeyspaceCare>,
}

impl Default for RecoveryPolicy {
    fn default() -> Self {
        Self {
            steps: 8,
            bytes_s: 0,
            p99_us: 0,
            system_grace_ms: 30_000,
            rules: Rules::default(),
            flapping: Flapping::default(),
            keyspaces: BTreeMap::new(),
        }
    }
}

/// What to do about each kind of trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// A node that is DOWN for longer than the grace: its copies are built anew elsewhere.
    pub down: Rule,
    /// All nodes of a zone are DOWN for longer than the grace.
    pub zone_lost: Rule,
    /// A node that is SLOW: its leaderships go elsewhere.
    pub slow: Rule,
    /// A node that some hear and others don't: its leaderships go elsewhere.
    pub suspect: Rule,
    /// A node whose disk is nearly full: its leaderships go elsewhere.
    pub disk_low: Rule,
    /// A node that goes and comes: it gets nothing new until it has been steady for a while.
    pub flapping: Rule,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            down: Rule::Act,
            zone_lost: Rule::Act,
            slow: Rule::Act,
            suspect: Rule::Advise,
            disk_low: Rule::Act,
            flapping: Rule::Act,
        }
    }
}

/// How far the controller goes by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rule {
    /// It says what it sees.
    Observe,
    /// It says what it would do, and waits for an operator's word.
    Advise,
    /// It does it.
    Act,
}

/// When a node counts as flapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flapping {
    /// So many times down,
    pub downs: u16,
    /// within this time,
    pub within_ms: u64,
    /// and it must be up for so long; twice as long with each time more.
    pub hold_ms: u64,
}

impl Default for Flapping {
    fn default() -> Self {
        Self { downs: 3, within_ms: 600_000, hold_ms: 30_000 }
    }
}

/// What one keyspace wants otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyspaceCare {
    /// How long a node may be DOWN before its copies are built anew; as the keyspace's own.
    pub grace_ms: Option<u64>,
    /// What to do then.
    pub down: Option<Rule>,
}

impl RecoveryPolicy {
    /// What is wrong with it in a cluster that has these keyspaces, if anything is.
    pub fn check(&self, facts: &ClusterFacts) -> Result<(), String> {
        if self.steps == 0 || self.steps > REPAIR_STEPS_MAX {
            return Err(format!("repair.steps is {}, not 1 to {REPAIR_STEPS_MAX}", self.steps));
        }
        let graces = self.keyspaces.iter().filter_map(|(name, care)| Some((name, care.grace_ms?)));
        let system = ("system".to_owned(), self.system_grace_ms);
        for (name, grace_ms) in graces.chain([(&system.0, system.1)]) {
            if grace_ms > GRACE_MAX_MS {
                return Err(format!("the grace of {name} is longer than {GRACE_MAX_MS} ms"));
            }
        }
        let Flapping { downs, within_ms, hold_ms } = self.flapping;
        if downs == 0 || within_ms == 0 || within_ms > GRACE_MAX_MS || hold_ms > GRACE_MAX_MS {
            return Err("flapping needs downs and within above zero, and at most a week".to_owned());
        }
        match self.keyspaces.keys().find(|name| facts.keyspace_named(name).is_none()) {
            Some(name) => Err(format!("there is no keyspace {name}")),
            None => Ok(()),
        }
    }

    /// Whether the text of a version can be kept.
    pub fn check_text(text: &str) -> Result<(), String> {
        if text.len() > POLICY_BYTES_MAX {
            let length = text.len();
            return Err(format!("the policy has {length} bytes, at most {POLICY_BYTES_MAX} fit"));
        }
        Ok(())
    }
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

    #[test]
    fn a_policy_must_fit_the_cluster() {
        let facts = ClusterFacts::default();
        let policy = RecoveryPolicy::default();
        assert_eq!(policy.check(&facts), Ok(()));
        let mut other = policy.clone();
        other.keyspaces.insert("orders".to_owned(), KeyspaceCare::default());
        assert_eq!(other.check(&facts), Err("there is no keyspace orders".to_owned()));
        assert!(RecoveryPolicy { steps: 0, ..policy.clone() }.check(&facts).is_err());
        assert!(RecoveryPolicy { system_grace_ms: u64::MAX, ..policy }.check(&facts).is_err());
    }
}
