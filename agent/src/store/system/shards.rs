//! Shards and their replicas, as they are wanted. Ids are given out here and never reused; a step
//! that was planned at another epoch is refused (law 6).

use std::collections::{BTreeMap, BTreeSet};

use evenkeel_shared::command::SystemReply;
use evenkeel_shared::ids::{Epoch, History, KeyspaceId, NodeId, ReplicaId, ShardId};
use evenkeel_shared::key::{SLOTS, SlotRange};
use evenkeel_shared::limits::{REPLICAS_MAX, SHARDS_MAX};
use evenkeel_shared::view::{ClusterFacts, ReplicaFacts, ReplicaRole, ShardFacts, ShardPhase};

use super::{Reply, add_learner, new_replica, node_mut, shard_mut};

/// What new shards have in common.
#[derive(Clone, Copy, Debug)]
pub(super) struct NewShards {
    /// Whose keys they hold.
    pub(super) keyspace: KeyspaceId,
    /// Their history.
    pub(super) history: History,
    /// Serving at once, or beside.
    pub(super) phase: ShardPhase,
}

/// Makes shards, in the order given.
pub(super) fn create(
    facts: &mut ClusterFacts,
    wanted: NewShards,
    shards: &[(Vec<SlotRange>, Vec<NodeId>)],
) -> Reply {
    let NewShards { keyspace, history, phase } = wanted;
    if !facts.keyspaces.contains_key(&keyspace) {
        return Err(format!("there is no {keyspace}"));
    }
    if phase == ShardPhase::Retired {
        return Err("a new shard can't be retired".to_owned());
    }
    let living = |shard: &&ShardFacts| shard.keyspace == keyspace && shard.phase == phase;
    if facts.shards.values().filter(living).count() + shards.len() > usize::from(SHARDS_MAX) {
        return Err(format!("{keyspace} would have more than {SHARDS_MAX} shards"));
    }
    let mut created = BTreeSet::new();
    for (slots, nodes) in shards {
        check_slots(slots)?;
        check_nodes(facts, nodes)?;
        let id = ShardId(facts.next.shard);
        facts.next.shard += 1;
        let first_voters: Vec<ReplicaId> =
            nodes.iter().map(|node| new_replica(facts, *node)).collect();
        let voter = ReplicaFacts { role: ReplicaRole::Voter };
        let replicas: BTreeMap<_, _> = first_voters.iter().map(|id| (*id, voter)).collect();
        let slots = slots.clone();
        let epoch = Epoch::default();
        let shard =
            ShardFacts { id, keyspace, history, slots, first_voters, replicas, epoch, phase };
        facts.shards.insert(id, shard);
        created.insert(id);
    }
    // Restores that lie beside may overlap each other; within one set, nothing may.
    let of_set = |shard: &ShardFacts| phase == ShardPhase::Serving || created.contains(&shard.id);
    check_overlap(facts, keyspace, |shard| shard.phase == phase && of_set(shard))?;
    Ok(SystemReply::Done)
}

fn check_slots(slots: &[SlotRange]) -> Result<(), String> {
    if slots.is_empty() {
        return Err("a shard needs slots".to_owned());
    }
    match slots.iter().find(|SlotRange(first, last)| first > last || *last >= SLOTS) {
        Some(SlotRange(first, last)) => Err(format!("{first}-{last} is not a range of slots")),
        None => Ok(()),
    }
}

fn check_nodes(facts: &mut ClusterFacts, nodes: &[NodeId]) -> Result<(), String> {
    if nodes.is_empty() || nodes.len() > usize::from(REPLICAS_MAX) {
        return Err(format!("a shard needs 1 to {REPLICAS_MAX} replicas, not {}", nodes.len()));
    }
    let mut seen = BTreeSet::new();
    for node in nodes {
        node_mut(facts, *node)?;
        if !seen.insert(*node) {
            return Err(format!("{node} is named twice for one shard"));
        }
    }
    Ok(())
}

/// Refuses two shards, among those chosen of a keyspace, that hold the same slot.
pub(super) fn check_overlap(
    facts: &ClusterFacts,
    keyspace: KeyspaceId,
    chosen: impl Fn(&ShardFacts) -> bool,
) -> Result<(), String> {
    let chosen = facts
        .shards
        .values()
        .filter(|shard| !shard.id.is_system() && shard.keyspace == keyspace && chosen(shard));
    let ranges = chosen.flat_map(|shard| shard.slots.iter().map(|range| (*range, shard.id)));
    let mut ranges: Vec<_> = ranges.collect();
    ranges.sort_unstable();
    for pair in ranges.windows(2) {
        let ((SlotRange(_, last), one), (SlotRange(first, _), other)) = (pair[0], pair[1]);
        if first <= last {
            return Err(format!("{one} and {other} would both hold slot {first}"));
        }
    }
    Ok(())
}

/// Adds a learner on a node.
pub(super) fn add_replica(
    facts: &mut ClusterFacts,
    shard: ShardId,
    node: NodeId,
    epoch: Epoch,
) -> Reply {
    node_mut(facts, node)?;
    let known = shard_mut(facts, shard)?;
    if known.epoch != epoch {
        return Err(format!("{shard} is at {}, not at {epoch}", known.epoch));
    }
    let held = |(replica, held): &(&ReplicaId, &ReplicaFacts)| {
        replica.node() == node && held.role != ReplicaRole::Lost
    };
    if let Some((held, _)) = known.replicas.iter().find(held) {
        return Err(format!("{node} already holds replica {held} of {shard}"));
    }
    // One more than the bound: a replacement is filled before the replaced one goes. Every node
    // holds the system shard.
    if !shard.is_system() && known.replicas.len() > usize::from(REPLICAS_MAX) {
        return Err(format!("{shard} already has {} replicas", known.replicas.len()));
    }
    add_learner(facts, shard, node);
    Ok(SystemReply::Done)
}

/// Records a role that a replica has got in the shard's own log.
pub(super) fn set_role(
    facts: &mut ClusterFacts,
    shard: ShardId,
    replica: ReplicaId,
    role: ReplicaRole,
    epoch: Epoch,
) -> Reply {
    let known = shard_at(facts, shard, epoch)?;
    let Some(held) = known.replicas.get_mut(&replica) else {
        return Err(format!("{shard} has no replica {replica}"));
    };
    if held.role == ReplicaRole::Lost {
        return Err(format!("replica {replica} of {shard} is lost: it only goes"));
    }
    held.role = role;
    known.epoch = epoch;
    Ok(SystemReply::Done)
}

/// Records that a replica has left the shard's membership.
pub(super) fn remove_replica(
    facts: &mut ClusterFacts,
    shard: ShardId,
    replica: ReplicaId,
    epoch: Epoch,
) -> Reply {
    let known = shard_at(facts, shard, epoch)?;
    if !known.replicas.contains_key(&replica) {
        return Err(format!("{shard} has no replica {replica}"));
    }
    let voter =
        |(id, held): (&ReplicaId, &ReplicaFacts)| *id != replica && held.role == ReplicaRole::Voter;
    if !known.replicas.iter().any(voter) {
        return Err(format!("{replica} is the last voter of {shard}"));
    }
    known.replicas.remove(&replica);
    known.epoch = epoch;
    Ok(SystemReply::Done)
}

/// Gives a replica up. The last voter is never given up: its disk may be all that is left.
pub(super) fn lose(facts: &mut ClusterFacts, shard: ShardId, replica: ReplicaId) -> Reply {
    let known = shard_mut(facts, shard)?;
    let others =
        |(id, held): (&ReplicaId, &ReplicaFacts)| *id != replica && held.role == ReplicaRole::Voter;
    if !known.replicas.iter().any(others) {
        return Err(format!("{replica} is the last voter of {shard}"));
    }
    match known.replicas.get_mut(&replica) {
        Some(held) => held.role = ReplicaRole::Lost,
        None => return Err(format!("{shard} has no replica {replica}")),
    }
    Ok(SystemReply::Done)
}

/// Records the shard's epoch.
pub(super) fn set_epoch(facts: &mut ClusterFacts, shard: ShardId, epoch: Epoch) -> Reply {
    shard_at(facts, shard, epoch)?.epoch = epoch;
    Ok(SystemReply::Done)
}

/// The shard, unless it is already recorded at a later epoch.
fn shard_at(
    facts: &mut ClusterFacts,
    shard: ShardId,
    epoch: Epoch,
) -> Result<&mut ShardFacts, String> {
    let known = shard_mut(facts, shard)?;
    if epoch < known.epoch {
        return Err(format!("{shard} is already at {}, past {epoch}", known.epoch));
    }
    Ok(known)
}
