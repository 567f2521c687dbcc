//! Everything that the controller has to do, by one rule.

use std::collections::BTreeSet;

use evenkeel_shared::ids::ShardId;
use evenkeel_shared::view::{ClusterFacts, RecoveryPolicy};

use super::balance::{BalanceSettings, balance_of};
use super::facts::Observed;
use super::plan::Plan;
use super::repair::{RepairSettings, repair_of};
use super::rest::Shards;

/// Everything that is due, by what the policy and operators say; evening out comes when nothing else
/// is to be done.
pub fn plan_now(facts: &ClusterFacts, observed: &Observed, policy: &RecoveryPolicy) -> Plan {
    let shards = Shards::new(facts, observed);
    let mut plan = repair_of(&shards, facts, observed, &RepairSettings::of(policy));
    if plan.steps.is_empty() {
        let waiting = plan.advised.iter().chain(&plan.held);
        let busy: BTreeSet<ShardId> = waiting.map(|step| step.shard).collect();
        let even = balance_of(&shards, facts, observed, &busy, &BalanceSettings::default());
        plan.sort(even, facts, observed.at_unix_ms);
    }
    plan
}
