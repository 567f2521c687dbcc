//! What the controller would do now, as one agent computes it.

use serde::{Deserialize, Serialize};

use crate::ids::{NodeId, ShardId};
use crate::view::{RecoveryPolicy, Scheduled};

/// The plan at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanView {
    /// The facts' revision.
    pub revision: u64,
    /// Who carries it out.
    pub controller: Option<NodeId>,
    /// The version of the policy behind it.
    pub version: u32,
    /// The policy.
    pub policy: RecoveryPolicy,
    /// What is due, what waits for a word, what an operator does not want: in that order.
    pub steps: Vec<StepView>,
    /// What has ended of late, the latest first; known to the controller alone.
    pub ended: Vec<StepView>,
    /// Shards for which nothing is done, and why.
    pub declined: Vec<(ShardId, String)>,
    /// What is to be done later.
    pub scheduled: Vec<Scheduled>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepView {
    /// What operators call it.
    pub name: String,
    /// The shard.
    pub shard: ShardId,
    /// What is done, in words.
    pub what: String,
    /// Why.
    pub cause: String,
    /// Bytes that it moves, as far as known.
    pub price_bytes: u64,
    /// What takes it back.
    pub inverse: String,
    /// Which rule of the policy it follows, if any.
    pub rule: Option<String>,
    /// How it stands.
    pub status: StepStatus,
    /// Since when, in milliseconds since 1970.
    pub since_unix_ms: u64,
    /// How often it was begun.
    pub tries: u32,
    /// What has kept it from being done.
    pub trouble: Option<String>,
}

/// How a step stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StepStatus {
    /// The controller does it as soon as it can.
    Created,
    /// It is being done.
    Started,
    /// It is done.
    Success,
    /// It is not due any more.
    Cancelled,
    /// Another step of the shard is due instead.
    Replaced,
    /// It was not done in time.
    Timeout,
    /// It waits for `plan apply`.
    Advised,
    /// An operator has said no.
    Held,
}
