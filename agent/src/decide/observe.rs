//! Folds what was heard of each node into one picture of the cluster: node states by the majority
//! of observers that could say, leaders by claims, lag against the leader.
//!
//! Invariant: a node is DOWN only by a majority of the living observers, and a claim counts only
//! from a node that is not held dead; what was not heard stays `None`.

use std::collections::{BTreeMap, BTreeSet};

use evenkeel_shared::heartbeat::{Claim, RaftRole, ReplicaStatus};
use evenkeel_shared::ids::{NodeId, ReplicaId, ShardId};
use evenkeel_shared::view::{ClusterFacts, NodeFacts, Observer, ReplicaRole, ShardFacts};

mod links;
mod state;
mod still;

use super::detector::VerdictState;
use super::facts::{Heard, NodeObserved, Observed, ReplicaObserved, ShardObserved, members};

/// A list of replicas comes once a second: of whoever is heard, but has sent none for so long, it is not
/// known how its copies are. Shorter than what a copy must stand still for, which an old list looks like.
const LIST_MAX_AGE_MS: u64 = 3_000;

/// What was heard of every node. The observer's own entry is among them, alive and heard 0 ms ago:
/// it is one of those that could say.
pub type HeardNodes = BTreeMap<NodeId, Heard>;

/// The cluster as it looks now; `before` is the picture before, for since when each state holds.
pub fn observe(
    facts: &ClusterFacts,
    heard: &HeardNodes,
    before: &Observed,
    now_unix_ms: u64,
) -> Observed {
    let mut observed = Observed { at_unix_ms: now_unix_ms, ..Observed::default() };
    let policy = facts.recovery.policy();
    for node in facts.nodes.values() {
        let mut seen = node_observed(facts, node, heard, now_unix_ms);
        let known = before.nodes.get(&node.id);
        let same = known.filter(|known| known.state == seen.state);
        seen.since_unix_ms = same.map_or(now_unix_ms, |known| known.since_unix_ms);
        state::note_steadiness(&mut seen, known, &policy, now_unix_ms);
        observed.nodes.insert(node.id, seen);
    }
    let passed = still::passed(now_unix_ms, before.at_unix_ms);
    let mut by_shard = by_shard(heard);
    for shard in facts.shards.values() {
        let heard = by_shard.remove(&shard.id).unwrap_or_default();
        let mut seen = shard_observed(shard, &heard);
        if let Some(known) = before.shards.get(&shard.id) {
            still::note(&mut seen, known, passed);
        }
        observed.shards.insert(shard.id, seen);
    }
    links::note_unheard(&mut observed, heard, before, passed);
    links::note_unfed(&mut observed, before, passed);
    observed
}

/// What was heard of one shard.
#[derive(Default)]
struct HeardOfShard<'a> {
    /// What its replicas on nodes that can be relied on say of themselves.
    statuses: BTreeMap<ReplicaId, &'a ReplicaStatus>,
    /// The longest log that any of them has told of, the dead among them.
    longest: Option<u64>,
    /// The claim of the highest term among nodes that are not held dead.
    claim: Option<(NodeId, Claim)>,
}

/// What was heard, by shard: looked through once, however many shards there are.
fn by_shard(heard: &HeardNodes) -> BTreeMap<ShardId, HeardOfShard<'_>> {
    let mut shards: BTreeMap<ShardId, HeardOfShard<'_>> = BTreeMap::new();
    for (node, seen) in heard {
        for status in &seen.replicas {
            let known = shards.entry(status.shard).or_default();
            known.longest = known.longest.max(Some(status.last));
            if speaks(seen) && seen.listed_ms.is_some_and(|ms| ms < LIST_MAX_AGE_MS) {
                known.statuses.insert(status.replica, status);
            }
        }
        let claims = seen.claims.iter().filter(|_| seen.verdict != VerdictState::Dead);
        for claim in claims {
            let known = &mut shards.entry(claim.shard).or_default().claim;
            let rank = |(node, claim): (NodeId, Claim)| (claim.term, claim.committed, node);
            if known.is_none_or(|known| rank((*node, *claim)) >= rank(known)) {
                *known = Some((*node, *claim));
            }
        }
    }
    shards
}

fn node_observed(
    facts: &ClusterFacts,
    node: &NodeFacts,
    heard: &HeardNodes,
    now_unix_ms: u64,
) -> NodeObserved {
    let (observers, against) = observers(node.id, heard);
    let seen = heard.get(&node.id);
    let (state, why) = state::state(facts, node, (seen, observers, &against), now_unix_ms);
    NodeObserved {
        state,
        since_unix_ms: 0,
        why,
        observers,
        heard: seen.is_some_and(speaks),
        incarnation: seen.and_then(|seen| seen.incarnation),
        phi: seen.and_then(|seen| seen.phi),
        heard_ms: seen.and_then(|seen| seen.heard_ms),
        round_trip_us: seen.and_then(|seen| seen.round_trip_us),
        load: seen.and_then(|seen| seen.load.clone()),
        downs: Vec::new(),
        unsteady_until: None,
    }
}

/// Who could say something of a node (the living others), and who of them hold it dead.
fn observers(node: NodeId, heard: &HeardNodes) -> (Observer, Vec<NodeId>) {
    let others = heard.iter().filter(|(other, seen)| **other != node && speaks(seen));
    let against = others.clone().filter(|(_, seen)| seen.dead.contains(&node));
    let against: Vec<NodeId> = against.map(|(other, _)| *other).collect();
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    (Observer { asked: number(others.count()), against: number(against.len()) }, against)
}

/// Whether what a node said last can be relied on.
fn speaks(seen: &Heard) -> bool {
    seen.heard_ms.is_some() && seen.verdict == VerdictState::Alive
}

/// What was heard last, in words.
fn speaks_of(seen: Option<&Heard>) -> String {
    let drill = seen.and_then(|seen| seen.load.as_ref()?.drill.as_ref());
    seen.map_or("not heard of".to_owned(), |seen| match drill {
        Some(drill) => format!("{}; drill: {drill}", seen.why),
        None => seen.why.clone(),
    })
}

fn shard_observed(shard: &ShardFacts, heard: &HeardOfShard<'_>) -> ShardObserved {
    let HeardOfShard { statuses, longest, claim } = heard;
    let lost = members(shard, ReplicaRole::Lost);
    let stopped = |status: &ReplicaStatus| status.role == RaftRole::Stopped;
    let damaged = statuses.iter().filter(|(_, it)| it.damaged.is_some() || stopped(it));
    let unfit: BTreeSet<ReplicaId> = lost.into_iter().chain(damaged.map(|(id, _)| *id)).collect();
    let leader = claim.and_then(|(node, _)| {
        let on_node = |replica: &ReplicaId| replica.node() == node && !unfit.contains(replica);
        let known = statuses.keys().copied().find(on_node);
        known.or_else(|| shard.replicas.keys().copied().find(on_node))
    });
    let status = leader.and_then(|leader| statuses.get(&leader));
    let highest = statuses.values().map(|status| status.term).max();
    let set = |list: &[ReplicaId]| list.iter().copied().collect::<BTreeSet<_>>();
    // A replica that is behind does not know the membership; the leader, or else the facts, do.
    let voters = status.map(|status| set(&status.voters));
    let learners = status.map(|status| set(&status.learners));
    let last = status.map(|status| status.last);
    ShardObserved {
        leader,
        term: claim.map(|(_, claim)| claim.term).or(highest).unwrap_or(0),
        epoch: status.map_or(shard.epoch, |status| status.epoch),
        voters: voters.unwrap_or_else(|| {
            // A lost one may still vote in the shard's own log: only its leader could tell.
            let mut all = members(shard, ReplicaRole::Voter);
            all.extend(members(shard, ReplicaRole::Lost));
            all
        }),
        learners: learners.unwrap_or_else(|| members(shard, ReplicaRole::Learner)),
        committed: claim.map(|(_, claim)| claim.committed),
        replicas: statuses.iter().map(|(id, seen)| (*id, replica_observed(seen, last))).collect(),
        last: last.or(*longest),
        ops_s: status.map(|status| status.ops_s),
        log_bytes: status.map(|status| status.log_bytes),
        data_bytes: status.map(|status| status.data_bytes),
        unfit,
    }
}

fn replica_observed(status: &ReplicaStatus, leader_last: Option<u64>) -> ReplicaObserved {
    let lag = leader_last.map(|last| last.saturating_sub(status.last));
    let (last, filling) = (status.last, status.filling);
    let damaged = status.damaged.clone();
    ReplicaObserved { last, lag, filling, damaged, ..ReplicaObserved::default() }
}
