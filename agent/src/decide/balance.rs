//! What may be done so that nodes carry even shares: leaderships first, then copies.
//!
//! Invariant: a plan is made only if giver and taker stay in order after it (a difference of two or
//! more, relative to capacity), so that nothing is ever taken back by the next one.

mod copies;
mod leaders;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use evenkeel_shared::ids::{ReplicaId, ShardId};
use evenkeel_shared::view::{ClusterFacts, ShardFacts, ShardPhase};

use super::facts::{Observed, ShardObserved, wanted};
use super::placement::share;
use super::plan::Step;
use super::rest::{Pair, Shards};

/// How much balance may do at once.
#[derive(Clone, Copy, Debug)]
pub struct BalanceSettings {
    /// Leaderships moved in one plan: each holds a shard's writes for a moment.
    pub transfers_max: usize,
    /// Copies moved at the same time: each costs disk and network.
    pub moves_max: usize,
}

impl Default for BalanceSettings {
    fn default() -> Self {
        Self { transfers_max: 4, moves_max: 2 }
    }
}

/// The steps that would even the shares; none for the shards in `busy`, which repair is at.
pub fn balance(
    facts: &ClusterFacts,
    observed: &Observed,
    busy: &BTreeSet<ShardId>,
    settings: &BalanceSettings,
) -> Vec<Step> {
    balance_of(&Shards::new(facts, observed), facts, observed, busy, settings)
}

/// The same for shards that have been looked at already.
pub fn balance_of(
    shards: &Shards<'_>,
    facts: &ClusterFacts,
    observed: &Observed,
    busy: &BTreeSet<ShardId>,
    settings: &BalanceSettings,
) -> Vec<Step> {
    let serving = |(shard, _): &Pair<'_>| {
        shard.phase == ShardPhase::Serving && !shard.id.is_system() && !busy.contains(&shard.id)
    };
    let settled = |(shard, seen): &&Pair<'_>| settled(facts, observed, shard, seen);
    let restless = shards.restless.iter().filter(settled);
    let mut free: Vec<Pair<'_>> =
        shards.at_rest.iter().chain(restless).copied().filter(serving).collect();
    free.sort_by_key(|(shard, _)| shard.id);
    let mut steps = leaders::transfers(facts, observed, &free, settings.transfers_max);
    let moving = moving(facts);
    if moving < settings.moves_max {
        let moved: BTreeSet<ShardId> = steps.iter().map(|step| step.shard).collect();
        steps.extend(copies::moves(facts, observed, &free, moved, settings.moves_max - moving));
    }
    steps
}

/// Whether a shard has all that it should, so that evening it out puts nothing at risk.
fn settled(
    facts: &ClusterFacts,
    observed: &Observed,
    shard: &ShardFacts,
    seen: &ShardObserved,
) -> bool {
    let complete = seen.voters.len() == wanted(facts, shard) && seen.learners.is_empty();
    let exact = shard.replicas.keys().eq(seen.voters.iter());
    let well = |voter: &ReplicaId| seen.is_well(observed, *voter) && seen.is_fed(*voter);
    seen.leader.is_some() && complete && exact && seen.voters.iter().all(well)
}

/// Shards that have a copy more than voters already: a move is under way.
fn moving(facts: &ClusterFacts) -> usize {
    let data = facts.shards.values().filter(|shard| !shard.id.is_system());
    data.filter(|shard| shard.replicas.len() > wanted(facts, shard)).count()
}

/// How much evener two shares become when one moves from the first to the second; `None` unless
/// the giver still has at least as much afterwards.
fn gain((much, large): (u32, u32), (little, small): (u32, u32)) -> Option<u64> {
    let before = share(much.checked_sub(1)?, large);
    before.checked_sub(share(little + 1, small)).map(|gap| gap + 1)
}
