//! What consoles and scripts are shown: facts and observation as one `ClusterView`.
//!
//! Invariant: the headline is the worst of what it counts, and a figure that nobody has reported
//! is `None`, never 0 (law 2).

#[cfg(test)]
mod tests;

use evenkeel_shared::dossier::Score;
use evenkeel_shared::ids::{NodeId, ReplicaId};
use evenkeel_shared::view::{
    ClusterFacts, ClusterView, Health, HealthCounts, KeyspaceFacts, KeyspaceView, NodeFacts,
    NodeState, NodeView, ReplicaRole, ReplicaState, ReplicaView, ShardFacts, ShardHealth,
    ShardPhase, ShardView,
};

use super::facts::{Observed, ShardObserved, wanted};

/// The present, as this observer sees it.
pub fn view(facts: &ClusterFacts, observed: &Observed, observer: NodeId) -> ClusterView {
    let shown = facts.shards.values().filter(|shard| shard.phase != ShardPhase::Retired);
    let (system, shards): (Vec<ShardView>, Vec<ShardView>) = shown
        .filter_map(|shard| shard_view(facts, observed, shard))
        .partition(|shard| shard.id.is_system());
    let system = system.into_iter().next();
    let nodes: Vec<NodeView> =
        facts.nodes.values().map(|node| node_view(facts, observed, node)).collect();
    let counts = counts(&nodes, &shards);
    let keyspaces = facts.keyspaces.values().map(|known| keyspace_view(facts, known, &shards));
    ClusterView {
        keyspaces: keyspaces.collect(),
        cluster: facts.cluster,
        revision: facts.revision,
        observer,
        taken_unix_ms: observed.at_unix_ms,
        health: health(&counts, &nodes, system.as_ref()),
        counts,
        controller: system.as_ref().and_then(|system| system.leader),
        nodes,
        shards,
        system,
        intents: facts.intents.values().cloned().collect(),
        backups: facts.backups.clone(),
        score: Score::default(),
        modes: facts.recovery.modes.clone(),
        policy_version: facts.recovery.version(),
        scheduled: u32::try_from(facts.recovery.scheduled.len()).unwrap_or(u32::MAX),
    }
}

/// How a shard is, and why nothing better can be said.
pub fn shard_health(
    facts: &ClusterFacts,
    observed: &Observed,
    shard: &ShardFacts,
    seen: &ShardObserved,
) -> ShardHealth {
    // A word against a leader that a majority backs makes nothing unavailable.
    if seen.leader.is_none() || seen.answering(observed) < seen.quorum() {
        return ShardHealth::Unavailable;
    }
    let whole = |voter: &&ReplicaId| seen.is_well(observed, **voter) && seen.caught_up(**voter);
    let complete = seen.voters.iter().filter(whole).count();
    let all = complete >= wanted(facts, shard) && complete == seen.voters.len();
    if all { ShardHealth::Ok } else { ShardHealth::UnderReplicated }
}

fn keyspace_view(
    facts: &ClusterFacts,
    known: &KeyspaceFacts,
    shards: &[ShardView],
) -> KeyspaceView {
    let own = || shards.iter().filter(|shard| shard.keyspace == known.id);
    KeyspaceView {
        id: known.id,
        name: known.name.clone(),
        shards: known.shards,
        policy: known.policy.clone(),
        promise: facts.promise(known.id),
        counts: counts(&[], own()),
        ops_s: own().map(|shard| shard.ops_s).sum(),
        log_bytes: own().map(|shard| shard.log_bytes).sum(),
    }
}

fn counts<'a>(nodes: &[NodeView], shards: impl IntoIterator<Item = &'a ShardView>) -> HealthCounts {
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let serving: Vec<&ShardView> =
        shards.into_iter().filter(|shard| shard.phase == ShardPhase::Serving).collect();
    let serving = || serving.iter();
    let of = |health| number(serving().filter(|shard| shard.health == health).count());
    HealthCounts {
        nodes_total: number(nodes.len()),
        nodes_up: number(nodes.iter().filter(|node| node.state == NodeState::Up).count()),
        shards_total: number(serving().count()),
        shards_ok: of(ShardHealth::Ok),
        shards_under_replicated: of(ShardHealth::UnderReplicated),
        shards_unavailable: of(ShardHealth::Unavailable),
    }
}

/// Unavailable if some shard can't be written; degraded if anything is short of well. A node that
/// an operator drains, or works on, is as it is wanted.
fn health(counts: &HealthCounts, nodes: &[NodeView], system: Option<&ShardView>) -> Health {
    if counts.shards_unavailable > 0 {
        return Health::Unavailable;
    }
    let intended = |node: &NodeView| {
        let as_wanted = [NodeState::Up, NodeState::Draining, NodeState::Drained, NodeState::Maint];
        as_wanted.contains(&node.state)
    };
    let system_ok = system.is_some_and(|system| system.health == ShardHealth::Ok);
    let all = counts.shards_ok == counts.shards_total && nodes.iter().all(intended) && system_ok;
    if all { Health::Ok } else { Health::Degraded }
}

fn node_view(facts: &ClusterFacts, observed: &Observed, node: &NodeFacts) -> NodeView {
    let seen = observed.nodes.get(&node.id).cloned().unwrap_or_default();
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let led = observed.shards.iter().filter(|(shard, seen)| {
        !shard.is_system() && seen.leader.is_some_and(|leader| leader.node() == node.id)
    });
    let held = facts.shards.values().filter(|shard| {
        !shard.id.is_system() && shard.replicas.keys().any(|copy| copy.node() == node.id)
    });
    NodeView {
        id: node.id,
        name: node.name.clone(),
        zone: node.zone.clone(),
        capacity: node.capacity,
        addresses: node.addresses.clone(),
        state: seen.state,
        since_unix_ms: seen.since_unix_ms,
        why: seen.why,
        observers: seen.observers,
        incarnation: seen.incarnation,
        phi: seen.phi,
        heard_ms: seen.heard_ms,
        round_trip_us: seen.round_trip_us,
        leaders: number(led.count()),
        replicas: number(held.count()),
        load: seen.load,
        drills: node.drills,
    }
}

fn shard_view(facts: &ClusterFacts, observed: &Observed, shard: &ShardFacts) -> Option<ShardView> {
    let seen = observed.shards.get(&shard.id)?;
    let keyspace = facts.keyspaces.get(&shard.keyspace);
    let name = keyspace.map_or("system".to_owned(), |keyspace| keyspace.name.clone());
    let mut ids: Vec<ReplicaId> = shard.replicas.keys().copied().collect();
    ids.extend(
        seen.voters.iter().chain(&seen.learners).filter(|id| !shard.replicas.contains_key(id)),
    );
    ids.sort();
    ids.dedup();
    Some(ShardView {
        id: shard.id,
        keyspace: shard.keyspace,
        keyspace_name: if shard.id.is_system() { "system".to_owned() } else { name },
        slots: shard.slots.clone(),
        phase: shard.phase,
        leader: seen.leader.map(ReplicaId::node),
        term: seen.term,
        epoch: seen.epoch,
        committed: seen.committed,
        health: shard_health(facts, observed, shard, seen),
        wanted: u8::try_from(wanted(facts, shard)).unwrap_or(u8::MAX),
        replicas: ids.into_iter().map(|id| replica_view(observed, shard, seen, id)).collect(),
        ops_s: seen.ops_s,
        log_bytes: seen.log_bytes,
        data_bytes: seen.data_bytes,
    })
}

fn replica_view(
    observed: &Observed,
    shard: &ShardFacts,
    seen: &ShardObserved,
    id: ReplicaId,
) -> ReplicaView {
    let voter = seen.voters.contains(&id);
    let heard = seen.replicas.get(&id);
    let state = observed.state(id.node());
    let leaves = !shard.replicas.contains_key(&id)
        || matches!(state, NodeState::Draining | NodeState::Drained) && !shard.id.is_system();
    let state = if seen.unfit.contains(&id) {
        ReplicaState::Damaged
    } else if state == NodeState::Down {
        ReplicaState::Lost
    } else if heard.is_none() || !observed.answers(id.node()) {
        ReplicaState::Unknown
    } else if seen.leader == Some(id) {
        ReplicaState::Leader
    } else if leaves {
        ReplicaState::Leaving
    } else if heard.is_some_and(|heard| heard.filling) || !voter && !shard.id.is_system() {
        ReplicaState::Filling
    } else {
        ReplicaState::Follower
    };
    let role = if voter { ReplicaRole::Voter } else { ReplicaRole::Learner };
    let given_up = || {
        let lost = shard.replicas.get(&id).is_some_and(|held| held.role == ReplicaRole::Lost);
        let words = if lost { "given up" } else { "stopped" };
        seen.unfit.contains(&id).then(|| words.to_owned())
    };
    let still = || {
        let (last, ms) = heard.and_then(|heard| Some((heard.last, heard.stands_still()?)))?;
        Some(format!("has got nothing since entry {last} for {} s", ms / 1_000))
    };
    let why = heard.and_then(|heard| heard.damaged.clone()).or_else(given_up).or_else(still);
    let lag = heard.and_then(|heard| heard.lag).filter(|_| state != ReplicaState::Damaged);
    ReplicaView { id, node: id.node(), role, state, lag, why }
}
