//! What the controller does about what it sees: rules, budgets, graces. On disk, as all of recovery.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::limits::{GRACE_MAX_MS, POLICY_BYTES_MAX, REPAIR_STEPS_MAX};
use crate::view::facts::ClusterFacts;

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

#[cfg(test)]
mod tests {
    use super::*;

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
