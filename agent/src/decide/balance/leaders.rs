//! Which leaderships to move: from whom to whom directly, or by way of others where no shard has
//! a copy on both.
//!
//! Invariant: only the ends of a chain change their number of leaderships, and they stay in order.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use evenkeel_shared::ids::{NodeId, ReplicaId, ShardId};
use evenkeel_shared::view::{ClusterFacts, ShardFacts};

use super::gain;
use crate::decide::facts::{Observed, ShardObserved, name, takes_more};
use crate::decide::plan::{Step, StepKind};

/// One leadership that could move.
#[derive(Clone, Copy)]
struct Hop<'a> {
    shard: ShardId,
    seen: &'a ShardObserved,
    from: ReplicaId,
    to: ReplicaId,
}

/// How many shards each node leads, and how many it should.
struct Shares<'a> {
    facts: &'a ClusterFacts,
    led: BTreeMap<NodeId, u32>,
}

/// The transfers that would even the leaderships, at most so many.
pub(super) fn transfers(
    facts: &ClusterFacts,
    observed: &Observed,
    free: &[(&ShardFacts, &ShardObserved)],
    most: usize,
) -> Vec<Step> {
    let mut shares = Shares::new(facts, observed);
    let hops = hops(facts, observed, free);
    let mut steps: Vec<Step> = Vec::new();
    let mut moved = BTreeSet::new();
    while steps.len() < most {
        let still = hops.iter().filter(|hop| !moved.contains(&hop.shard));
        let gains =
            still.filter_map(|hop| Some((shares.gain(hop.from.node(), hop.to.node())?, hop)));
        // Of equals, the first.
        let best = gains.reduce(|best, next| if next.0 > best.0 { next } else { best });
        let Some((_, hop)) = best else { break };
        steps.push(shares.step(*hop, &[*hop]));
        shares.take(hop);
        moved.insert(hop.shard);
    }
    if steps.is_empty()
        && let Some(chain) = chain(&shares, &hops)
        && chain.len() <= most
    {
        steps.extend(chain.iter().map(|hop| shares.step(*hop, &chain)));
    }
    steps
}

fn hops<'a>(
    facts: &ClusterFacts,
    observed: &Observed,
    free: &[(&ShardFacts, &'a ShardObserved)],
) -> Vec<Hop<'a>> {
    let takes =
        |node: NodeId| facts.nodes.get(&node).is_some_and(|node| takes_more(node, observed));
    let of_shard = |(shard, seen): &(&ShardFacts, &'a ShardObserved)| {
        let (shard, seen) = (shard.id, *seen);
        let voters = seen.voters.iter().filter(move |to| takes(to.node()) && seen.caught_up(**to));
        let hop = move |(from, to): (ReplicaId, &ReplicaId)| Hop { shard, seen, from, to: *to };
        let pairs = voters.filter_map(move |to| Some((seen.leader?, to)));
        pairs.filter(|(from, to)| from != *to).map(hop).collect::<Vec<_>>()
    };
    free.iter().flat_map(of_shard).collect()
}

/// The shortest way from a node that leads much to one that leads little.
fn chain<'a>(shares: &Shares<'_>, hops: &[Hop<'a>]) -> Option<Vec<Hop<'a>>> {
    let mut from_node: BTreeMap<NodeId, Vec<&Hop<'a>>> = BTreeMap::new();
    for hop in hops {
        from_node.entry(hop.from.node()).or_default().push(hop);
    }
    let takers: BTreeSet<NodeId> = hops.iter().map(|hop| hop.to.node()).collect();
    let mut givers: Vec<(u64, NodeId)> = from_node
        .keys()
        .filter_map(|giver| {
            let gains = takers.iter().filter_map(|taker| shares.gain(*giver, *taker));
            Some((gains.max()?, *giver))
        })
        .collect();
    givers.sort_by_key(|(gain, giver)| (std::cmp::Reverse(*gain), *giver));
    givers.into_iter().find_map(|(_, giver)| shortest(shares, &from_node, giver))
}

fn shortest<'a>(
    shares: &Shares<'_>,
    from_node: &BTreeMap<NodeId, Vec<&Hop<'a>>>,
    giver: NodeId,
) -> Option<Vec<Hop<'a>>> {
    let mut came_by: BTreeMap<NodeId, Hop<'a>> = BTreeMap::new();
    let mut queue = VecDeque::from([giver]);
    while let Some(node) = queue.pop_front() {
        for hop in from_node.get(&node).into_iter().flatten() {
            let to = hop.to.node();
            if to == giver || came_by.contains_key(&to) {
                continue;
            }
            came_by.insert(to, **hop);
            if shares.gain(giver, to).is_some() {
                let mut chain = Vec::new();
                let mut end = to;
                while let Some(hop) = came_by.get(&end) {
                    chain.push(*hop);
                    end = hop.from.node();
                }
                chain.reverse();
                return Some(chain);
            }
            queue.push_back(to);
        }
    }
    None
}

impl<'a> Shares<'a> {
    fn new(facts: &'a ClusterFacts, observed: &Observed) -> Self {
        let mut led: BTreeMap<NodeId, u32> = BTreeMap::new();
        let data = observed.shards.iter().filter(|(shard, _)| !shard.is_system());
        for leader in data.filter_map(|(_, seen)| seen.leader) {
            *led.entry(leader.node()).or_default() += 1;
        }
        Self { facts, led }
    }

    fn of(&self, node: NodeId) -> (u32, u32) {
        let led = self.led.get(&node).copied().unwrap_or(0);
        (led, self.facts.nodes.get(&node).map_or(1, |node| node.capacity))
    }

    fn gain(&self, from: NodeId, to: NodeId) -> Option<u64> {
        gain(self.of(from), self.of(to))
    }

    fn take(&mut self, hop: &Hop<'_>) {
        *self.led.entry(hop.from.node()).or_default() -= 1;
        *self.led.entry(hop.to.node()).or_default() += 1;
    }

    /// One hop of a chain as a step; the cause is that of the whole.
    fn step(&self, hop: Hop<'_>, chain: &[Hop<'_>]) -> Step {
        let ends = chain.first().zip(chain.last());
        let (giver, taker) = ends.map_or((hop.from, hop.to), |(first, last)| (first.from, last.to));
        let (much, little) = (self.of(giver.node()).0, self.of(taker.node()).0);
        let named = |replica: ReplicaId| name(self.facts, replica.node());
        let mut cause = format!("{} leads {much} shards, {} {little}", named(giver), named(taker));
        if chain.len() > 1 {
            cause.push_str(", and no shard has a copy on both");
        }
        let kind = StepKind::TransferLeader { from: hop.from, to: hop.to };
        Step::new(hop.shard, hop.seen.epoch, kind, cause)
    }
}
