//! One step of the controller: a change that can be made by itself, with its reason.
//!
//! Invariant: a step carries the epoch that it was made for, so that a stale one is refused (law 6).

use std::fmt;

use evenkeel_shared::ids::{Epoch, NodeId, ReplicaId, ShardId};
use evenkeel_shared::view::{ClusterFacts, RecoveryPolicy, Rule};

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
    /// Which rule of the policy it follows; `None`: it is always done.
    pub rule: Option<RuleName>,
}

/// Which rule of the policy a step follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RuleName {
    /// A node is DOWN.
    Down,
    /// A whole zone is.
    ZoneLost,
    /// A node is SLOW.
    Slow,
    /// Some hear a node, and others don't.
    Suspect,
    /// A disk is nearly full.
    DiskLow,
}

impl fmt::Display for RuleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Down => "down",
            Self::ZoneLost => "zone_lost",
            Self::Slow => "slow",
            Self::Suspect => "suspect",
            Self::DiskLow => "disk_low",
        })
    }
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
    pub fn new(shard: ShardId, epoch: Epoch, kind: StepKind, cause: String) -> Self {
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
        Self { shard, epoch, kind, cause, price_bytes: 0, inverse, rule: None }
    }

    /// A name that an operator can type: `s3.add.4`, with nodes by their numbers.
    pub fn name(&self) -> String {
        let nodes = |all: &[ReplicaId]| {
            let nodes = all.iter().map(|replica| replica.node().0.to_string());
            nodes.collect::<Vec<_>>().join(".")
        };
        let what = match &self.kind {
            StepKind::AddReplica { node } => format!("add.{}", node.0),
            StepKind::AddLearner { replica } => format!("feed.{}", replica.node().0),
            StepKind::Promote { replicas, .. } => format!("promote.{}", nodes(replicas)),
            StepKind::Demote { replicas } => format!("demote.{}", nodes(replicas)),
            StepKind::Remove { replica } => format!("remove.{}", replica.node().0),
            StepKind::Lose { replica } => format!("lose.{}", replica.node().0),
            StepKind::TransferLeader { to, .. } => format!("lead.{}", to.node().0),
        };
        format!("{}.{what}", self.shard)
    }
}

/// What the controller would do, and what it would not, with the reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// In the order in which they matter.
    pub steps: Vec<Step>,
    /// Steps that wait for an operator's word, since the policy says so.
    pub advised: Vec<Step>,
    /// Steps that an operator does not want.
    pub held: Vec<Step>,
    /// Shards for which nothing can be done now, and why.
    pub declined: Vec<(ShardId, String)>,
}

impl Plan {
    /// Sorts steps by what the policy and operators say to them at that time.
    pub fn sort(&mut self, steps: impl IntoIterator<Item = Step>, facts: &ClusterFacts, now: u64) {
        let recovery = &facts.recovery;
        let policy = recovery.policy();
        for step in steps {
            let word = recovery.decisions.get(&step.name());
            let word = word.filter(|word| now < word.until_unix_ms).map(|word| word.go);
            match (word, rule_of(facts, &policy, &step)) {
                (Some(false), _) => self.held.push(step),
                (Some(true), _) | (None, Rule::Act) => self.steps.push(step),
                (None, Rule::Advise) => self.advised.push(step),
                (None, Rule::Observe) => {
                    let why =
                        format!("{}: the policy only observes \"{}\"", step.cause, name(&step));
                    self.declined.push((step.shard, why));
                }
            }
        }
    }
}

fn name(step: &Step) -> String {
    step.rule.map_or_else(String::new, |rule| rule.to_string())
}

/// What the policy says to a step.
pub(super) fn rule_of(facts: &ClusterFacts, policy: &RecoveryPolicy, step: &Step) -> Rule {
    let rules = &policy.rules;
    let Some(rule) = step.rule else { return Rule::Act };
    match rule {
        RuleName::Down => {
            let keyspace = facts.shards.get(&step.shard).map(|shard| shard.keyspace);
            let named = keyspace.and_then(|keyspace| facts.keyspaces.get(&keyspace));
            let own = named.and_then(|named| policy.keyspaces.get(&named.name)?.down);
            own.unwrap_or(rules.down)
        }
        RuleName::ZoneLost => rules.zone_lost,
        RuleName::Slow => rules.slow,
        RuleName::Suspect => rules.suspect,
        RuleName::DiskLow => rules.disk_low,
    }
}

fn list(replicas: &[ReplicaId]) -> String {
    replicas.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
