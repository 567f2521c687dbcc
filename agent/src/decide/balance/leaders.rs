//! Which leaderships to move: from whom to whom directly, or by way of others where no shard has
//! a copy on both.
//!
//! Invariant: only the ends of a chain change their number of leaderships, and they stay in order.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use evenkeel_shared::ids::{NodeId, ReplicaId, ShardId};
use evenkeel_shared::view::{ClusterFacts, ShardFacts};

use super::gain;
use crate::decide::by_node::ByNode;
use crate::decide::facts::{Observed, ShardObserved, name, takes_more};
use crate::decide::placement::share;
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
    observed: &'a Observed,
    /// Leaderships and capacity of each node.
    of: ByNode<(u32, u32)>,
    /// Who may be given any.
    takers: ByNode<NodeId>,
}

/// The transfers that would even the leaderships, at most so many.
pub(super) fn transfers(
    facts: &ClusterFacts,
    observed: &Observed,
    free: &[(&ShardFacts, &ShardObserved)],
    most: usize,
) -> Vec<Step> {
    let mut shares = Shares::new(facts, observed);
    if shares.are_even() {
        return Vec::new();
    }
    let gains = |from, to| shares.gain(from, to).is_some();
    let direct = hops(&shares, free, gains);
    let mut steps: Vec<Step> = Vec::new();
    let mut moved = BTreeSet::new();
    while steps.len() < most {
        let still = direct.iter().filter(|hop| !moved.contains(&hop.shard));
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
        && let Some(chain) = chain(&shares, &hops(&shares, free, |_, _| true))
        && chain.len() <= most
    {
        steps.extend(chain.iter().map(|hop| shares.step(*hop, &chain)));
    }
    steps
}

/// Every way in which a leadership could move, of those that are worth it.
fn hops<'a>(
    shares: &Shares<'_>,
    free: &[(&ShardFacts, &'a ShardObserved)],
    worth: impl Fn(NodeId, NodeId) -> bool,
) -> Vec<Hop<'a>> {
    let mut hops = Vec::new();
    for (shard, seen) in free.iter().copied() {
        let Some(from) = seen.leader else { continue };
        let heirs = seen.voters.iter().copied().filter(|to| {
            *to != from
                && worth(from.node(), to.node())
                && shares.takers.get(to.node()).is_some()
                && seen.caught_up(*to)
                && seen.is_linked(shares.observed, *to)
        });
        hops.extend(heirs.map(|to| Hop { shard: shard.id, seen, from, to }));
    }
    hops
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
    fn new(facts: &'a ClusterFacts, observed: &'a Observed) -> Self {
        let mut of: ByNode<(u32, u32)> =
            facts.nodes.values().map(|node| (node.id, (0, node.capacity))).collect();
        let data = observed.shards.iter().filter(|(shard, _)| !shard.is_system());
        for leader in data.filter_map(|(_, seen)| seen.leader) {
            of.get_or(leader.node(), (0, 1)).0 += 1;
        }
        let takers = facts.nodes.values().filter(|node| takes_more(node, observed));
        Self { facts, observed, of, takers: takers.map(|node| (node.id, node.id)).collect() }
    }

    fn of(&self, node: NodeId) -> (u32, u32) {
        self.of.get(node).copied().unwrap_or((0, 1))
    }

    fn gain(&self, from: NodeId, to: NodeId) -> Option<u64> {
        gain(self.of(from), self.of(to))
    }

    /// Whether nobody leads so much more than another that giving one away keeps their order.
    fn are_even(&self) -> bool {
        let takers = self.takers.values().map(|node| self.of(*node));
        let least = takers.min_by_key(|(led, capacity)| share(led + 1, *capacity));
        least.is_none_or(|least| self.of.values().all(|much| gain(*much, least).is_none()))
    }

    fn take(&mut self, hop: &Hop<'_>) {
        self.of.get_or(hop.from.node(), (1, 1)).0 -= 1;
        self.of.get_or(hop.to.node(), (0, 1)).0 += 1;
    }

    /// One hop of a chain as a step; the cause is that of the whole.
    fn step(&self, hop: Hop<'_>, chain: &[Hop<'_>]) -> Step {
        let ends = chain.first().zip(chain.last());
        let (giver, taker) = ends.map_or((hop.from, hop.to), |(first, last)| (first.from, last.to));
        let (much, little) = (self.of(giver.node()).0, self.of(taker.node()).0);
        let named = |replica: ReplicaId| name(self.facts, replica.node());
        let mut cause = format!("{} leads {much} shards, {} {little}", named(giver), named(taker));
        if chain.len() > 1 {
            cause.push_str(", and no shard can go there directly");
        }
        let kind = StepKind::TransferLeader { from: hop.from, to: hop.to };
        Step::new(hop.shard, hop.seen.epoch, kind, cause)
    }
}
