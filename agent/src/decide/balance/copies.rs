//! Which copies to move: out of crowded zones first, then from whoever holds most to whoever holds
//! least.
//!
//! Invariant: a copy moves only to where it is better placed, and the order of all others is kept.

use std::collections::{BTreeMap, BTreeSet};

use evenkeel_shared::ids::{KeyspaceId, NodeId, ReplicaId, ShardId};
use evenkeel_shared::view::{ClusterFacts, ShardFacts, ZoneRule};

use super::gain;
use crate::decide::by_node::ByNode;
use crate::decide::facts::{Observed, ShardObserved, name};
use crate::decide::placement::{Candidate, candidates, share};
use crate::decide::plan::{Step, StepKind};

/// How much better a place is: fewer copies in one zone, then evener shares.
type Rank = (usize, u64);

/// One copy that could move.
#[derive(Clone, Copy)]
struct Move<'a> {
    rank: Rank,
    shard: ShardId,
    seen: &'a ShardObserved,
    from: NodeId,
    to: NodeId,
}

/// A node that takes copies.
#[derive(Clone, Copy)]
struct Held {
    node: NodeId,
    /// By its number.
    zone: usize,
    holds: u32,
    capacity: u32,
}

/// Where everything is, and how much each node holds.
struct Holdings<'a> {
    facts: &'a ClusterFacts,
    rules: BTreeMap<KeyspaceId, ZoneRule>,
    /// Every node's zone, by a number.
    zones: ByNode<usize>,
    /// The zones of those that take copies.
    open: BTreeSet<usize>,
    /// Those that take copies, whoever holds least first.
    held: Vec<Held>,
    /// The most that a copy on a node could gain by evenness; `None`: it stays.
    gains: ByNode<Option<u64>>,
}

/// The copies that would be moved, at most so many; none of the shards in `moved`.
pub(super) fn moves(
    facts: &ClusterFacts,
    observed: &Observed,
    free: &[(&ShardFacts, &ShardObserved)],
    mut moved: BTreeSet<ShardId>,
    most: usize,
) -> Vec<Step> {
    let mut holdings = Holdings::new(facts, observed);
    let mut steps: Vec<Step> = Vec::new();
    while steps.len() < most {
        let Some(best) = holdings.best(free, &moved) else { break };
        let cause = holdings.cause(&best);
        let kind = StepKind::AddReplica { node: best.to };
        let mut step = Step::new(best.shard, best.seen.epoch, kind, cause);
        step.price_bytes = best.seen.copy_bytes().unwrap_or(0);
        steps.push(step);
        moved.insert(best.shard);
        holdings.take(&best);
    }
    steps
}

impl<'a> Holdings<'a> {
    fn new(facts: &'a ClusterFacts, observed: &Observed) -> Self {
        let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
        let zones = facts.nodes.values().map(|node| {
            let next = numbers.len();
            (node.id, *numbers.entry(node.zone.as_str()).or_insert(next))
        });
        let zones: ByNode<usize> = zones.collect();
        let held = candidates(facts, observed).into_iter().filter_map(|candidate| {
            let Candidate { node, capacity, holds, .. } = candidate;
            Some(Held { node, zone: *zones.get(node)?, holds, capacity })
        });
        let held: Vec<Held> = held.collect();
        let open = held.iter().map(|node| node.zone).collect();
        let rules = facts.keyspaces.keys().map(|id| (*id, facts.promise(*id).zones)).collect();
        let gains = ByNode::from_iter([]);
        let mut holdings = Self { facts, rules, zones, open, held, gains };
        holdings.order();
        holdings
    }

    /// Puts whoever holds least first, and says anew what may be gained.
    fn order(&mut self) {
        self.held.sort_by_key(|node| (share(node.holds + 1, node.capacity), node.node));
        let least = self.held.first().map(|node| (node.holds, node.capacity));
        let gain = |node: &Held| gain((node.holds, node.capacity), least?);
        self.gains = self.held.iter().map(|node| (node.node, gain(node))).collect();
    }

    /// The move that gains most; of equals, the first.
    fn best(
        &self,
        free: &[(&ShardFacts, &'a ShardObserved)],
        moved: &BTreeSet<ShardId>,
    ) -> Option<Move<'a>> {
        let mut best: Option<Move<'a>> = None;
        let even = self.gains.values().all(Option::is_none);
        for (shard, seen) in free.iter().copied() {
            let rule = self.rules.get(&shard.keyspace).copied().unwrap_or_default();
            if (even && !self.is_crowded(rule, seen)) || moved.contains(&shard.id) {
                continue;
            }
            for voter in &seen.voters {
                let from = voter.node();
                // Whoever takes nothing gives nothing either: repair sees to it.
                let Some(most) = self.gains.get(from).copied() else { continue };
                let bound = (self.apart_at_most(rule, seen, *voter), most.unwrap_or(0));
                let beaten = best.as_ref().is_some_and(|best| best.rank >= bound);
                if bound == (0, 0) || beaten {
                    continue;
                }
                let Some((rank, to)) = self.better_place(seen, *voter, rule) else { continue };
                if best.as_ref().is_none_or(|best| rank > best.rank) {
                    best = Some(Move { rank, shard: shard.id, seen, from, to });
                }
            }
        }
        best
    }

    /// Whether two copies of a shard share a zone, and zones count.
    fn is_crowded(&self, rule: ZoneRule, seen: &ShardObserved) -> bool {
        let mut voters = seen.voters.iter();
        rule != ZoneRule::Ignore
            && voters.any(|voter| self.beside(seen, *voter, self.zone(*voter)) > 0)
    }

    /// How many of a shard's other copies lie in a zone.
    fn beside(&self, seen: &ShardObserved, voter: ReplicaId, zone: Option<usize>) -> usize {
        let others = seen.voters.iter().filter(|other| **other != voter);
        others.filter(|other| self.zone(**other) == zone).count()
    }

    fn zone(&self, replica: ReplicaId) -> Option<usize> {
        self.zones.get(replica.node()).copied()
    }

    /// By how much a copy could be less crowded anywhere.
    fn apart_at_most(&self, rule: ZoneRule, seen: &ShardObserved, voter: ReplicaId) -> usize {
        if rule == ZoneRule::Ignore {
            return 0;
        }
        let crowded = self.beside(seen, voter, self.zone(voter));
        if crowded == 0 {
            return 0;
        }
        let least = self.open.iter().map(|zone| self.beside(seen, voter, Some(*zone))).min();
        crowded.saturating_sub(least.unwrap_or(crowded))
    }

    /// The node where a copy would be better placed, and how much.
    fn better_place(
        &self,
        seen: &ShardObserved,
        voter: ReplicaId,
        rule: ZoneRule,
    ) -> Option<(Rank, NodeId)> {
        let crowding = |zone: Option<usize>| match rule {
            ZoneRule::Ignore => 0,
            ZoneRule::Spread | ZoneRule::Strict => self.beside(seen, voter, zone),
        };
        let crowded = crowding(self.zone(voter));
        let giver = self.held.iter().find(|node| node.node == voter.node())?;
        let evener =
            |taker: &Held| gain((giver.holds, giver.capacity), (taker.holds, taker.capacity));
        let is_free = |taker: &Held| seen.voters.iter().all(|other| other.node() != taker.node);
        if crowded == 0 {
            // Whoever has least comes first, and no place can be more apart.
            let evened = self.held.iter().map_while(|taker| Some((evener(taker)?, taker)));
            let mut apart = evened.filter(|(_, taker)| crowding(Some(taker.zone)) == 0);
            let (even, taker) = apart.find(|(_, taker)| is_free(taker))?;
            return Some(((0, even), taker.node));
        }
        let rank = |taker: &Held| {
            let apart = crowded.checked_sub(crowding(Some(taker.zone)))?;
            let even = evener(taker);
            (apart > 0 || even.is_some()).then_some((apart, even.unwrap_or(0)))
        };
        let free = self.held.iter().filter(|taker| is_free(taker));
        let ranked = free.filter_map(|taker| Some((rank(taker)?, taker.node)));
        ranked.max_by_key(|(rank, node)| (*rank, std::cmp::Reverse(*node)))
    }

    fn take(&mut self, chosen: &Move<'_>) {
        for node in &mut self.held {
            if node.node == chosen.to {
                node.holds += 1;
            } else if node.node == chosen.from {
                node.holds = node.holds.saturating_sub(1);
            }
        }
        self.order();
    }

    fn cause(&self, chosen: &Move<'_>) -> String {
        let Move { rank: (apart, _), seen, from, to, .. } = *chosen;
        let holds = |id| self.held.iter().find(|node| node.node == id).map_or(0, |node| node.holds);
        let (giver, taker) = (name(self.facts, from), name(self.facts, to));
        if apart > 0 {
            let zone =
                |node: NodeId| self.facts.nodes.get(&node).map_or("", |node| node.zone.as_str());
            let there = seen.voters.iter().filter(|voter| zone(voter.node()) == zone(from)).count();
            return format!("{there} copies in zone {}, none on {taker}", zone(from));
        }
        format!("{giver} holds {} copies, {taker} {}", holds(from), holds(to))
    }
}
