//! What may be done so that nodes carry even shares: leaderships first, then copies.
//!
//! Invariant: a plan is made only if giver and taker stay in order after it (a difference of two or
//! more, relative to capacity), so that nothing is ever taken back by the next one.

mod leaders;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use evenkeel_shared::ids::{NodeId, ShardId};
use evenkeel_shared::view::{ClusterFacts, ShardFacts, ShardPhase, ZoneRule};

use super::facts::{Observed, ShardObserved, name, wanted};
use super::placement::{Candidate, crowding, share};
use super::plan::{Step, StepKind};
use super::repair::candidates;

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
    let serving = |shard: &&ShardFacts| {
        shard.phase == ShardPhase::Serving && !shard.id.is_system() && !busy.contains(&shard.id)
    };
    let free: Vec<(&ShardFacts, &ShardObserved)> = facts
        .shards
        .values()
        .filter(serving)
        .filter_map(|shard| Some((shard, observed.shards.get(&shard.id)?)))
        .filter(|(shard, seen)| settled(facts, observed, shard, seen))
        .collect();
    let mut steps = leaders::transfers(facts, observed, &free, settings.transfers_max);
    let moving = moving(facts);
    if moving < settings.moves_max {
        let moved: BTreeSet<ShardId> = steps.iter().map(|step| step.shard).collect();
        let rest: Vec<_> =
            free.into_iter().filter(|(shard, _)| !moved.contains(&shard.id)).collect();
        steps.extend(copies(facts, observed, &rest, settings.moves_max - moving));
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
    let well = seen.voters.iter().all(|voter| seen.counts(observed, *voter));
    seen.leader.is_some() && complete && exact && well
}

/// Shards that have a copy more than voters already: a move is under way.
fn moving(facts: &ClusterFacts) -> usize {
    let data = facts.shards.values().filter(|shard| !shard.id.is_system());
    data.filter(|shard| shard.replicas.len() > wanted(facts, shard)).count()
}

fn copies(
    facts: &ClusterFacts,
    observed: &Observed,
    free: &[(&ShardFacts, &ShardObserved)],
    most: usize,
) -> Vec<Step> {
    let mut held = candidates(facts, observed);
    let mut steps: Vec<Step> = Vec::new();
    while steps.len() < most {
        held.sort_by_key(|node| (share(node.holds + 1, node.capacity), node.node));
        let moved: BTreeSet<ShardId> = steps.iter().map(|step| step.shard).collect();
        let rest = free.iter().filter(|(shard, _)| !moved.contains(&shard.id));
        let moves = rest.flat_map(|(shard, seen)| {
            seen.voters.iter().filter_map(|voter| {
                let rule = facts.promise(shard.keyspace).zones;
                let (rank, to) = better_place(facts, &held, seen, (voter.node(), rule))?;
                Some((rank, (shard.id, seen.epoch, voter.node(), to)))
            })
        });
        let best = moves.max_by_key(|(rank, key)| (*rank, std::cmp::Reverse(*key)));
        let Some((rank, (shard, epoch, from, to))) = best else { break };
        let cause = cause(facts, observed, &held, (shard, from, to), rank);
        let mut step = Step::new(shard, epoch, StepKind::AddReplica { node: to }, cause);
        step.price_bytes =
            observed.shards.get(&shard).and_then(ShardObserved::copy_bytes).unwrap_or(0);
        steps.push(step);
        for node in &mut held {
            if node.node == to {
                node.holds += 1;
            } else if node.node == from {
                node.holds = node.holds.saturating_sub(1);
            }
        }
    }
    steps
}

/// How much better a place is: fewer copies in one zone, then evener shares.
type Rank = (usize, u64);

/// The node where a copy would be better placed, and how much; `held` is sorted, whoever has least
/// first.
fn better_place(
    facts: &ClusterFacts,
    held: &[Candidate],
    seen: &ShardObserved,
    (from, rule): (NodeId, ZoneRule),
) -> Option<(Rank, NodeId)> {
    let zone = |node: NodeId| facts.nodes.get(&node).map_or("", |node| node.zone.as_str());
    let others: Vec<&str> = seen
        .voters
        .iter()
        .filter(|voter| voter.node() != from)
        .map(|voter| zone(voter.node()))
        .collect();
    let crowded = crowding(rule, &others, zone(from));
    let giver = held.iter().find(|node| node.node == from)?;
    let evener =
        |taker: &Candidate| gain((giver.holds, giver.capacity), (taker.holds, taker.capacity));
    if crowded == 0 && held.first().and_then(evener).is_none() {
        // Most copies: nobody is worse off, and no zone has two.
        return None;
    }
    let free = held.iter().filter(|node| seen.voters.iter().all(|voter| voter.node() != node.node));
    let rank = |taker: &Candidate| {
        let apart = crowded.checked_sub(crowding(rule, &others, &taker.zone))?;
        let even = evener(taker);
        (apart > 0 || even.is_some()).then_some((apart, even.unwrap_or(0)))
    };
    let mut ranked = free.filter_map(|taker| Some((rank(taker)?, taker.node)));
    if crowded == 0 {
        // Whoever has least comes first, and no place can be more apart.
        return ranked.next();
    }
    ranked.max_by_key(|(rank, node)| (*rank, std::cmp::Reverse(*node)))
}

fn cause(
    facts: &ClusterFacts,
    observed: &Observed,
    held: &[Candidate],
    (shard, from, to): (ShardId, NodeId, NodeId),
    (apart, _): Rank,
) -> String {
    let holds = |id| held.iter().find(|node| node.node == id).map_or(0, |node| node.holds);
    let (giver, taker) = (name(facts, from), name(facts, to));
    if apart > 0 {
        let zone = |node: NodeId| facts.nodes.get(&node).map_or("", |node| node.zone.as_str());
        let voters = observed.shards.get(&shard).into_iter().flat_map(|seen| &seen.voters);
        let there = voters.filter(|voter| zone(voter.node()) == zone(from)).count();
        return format!("{there} copies in zone {}, none on {taker}", zone(from));
    }
    format!("{giver} holds {} copies, {taker} {}", holds(from), holds(to))
}

/// How much evener two shares become when one moves from the first to the second; `None` unless
/// the giver still has at least as much afterwards.
fn gain((much, large): (u32, u32), (little, small): (u32, u32)) -> Option<u64> {
    let before = share(much.checked_sub(1)?, large);
    before.checked_sub(share(little + 1, small)).map(|gap| gap + 1)
}
