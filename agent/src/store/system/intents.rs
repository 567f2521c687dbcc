//! Multi-step changes: how a restore goes forward and back, one committed step at a time.
//!
//! The map changes hands exactly at the swap: once the old shards are sealed, and on the way back
//! once the new ones are (safety rule 16).

use std::collections::BTreeSet;

use evenkeel_shared::command::SystemReply;
use evenkeel_shared::ids::{IntentId, ShardId};
use evenkeel_shared::version::Hlc;
use evenkeel_shared::view::{ClusterFacts, Intent, IntentKind, IntentPhase, ShardPhase};

use super::shards::check_overlap;
use super::{Reply, shard_mut};

type Pairs = [(Option<ShardId>, ShardId)];

/// Accepts an intent, unless another of its kind is not over.
pub(super) fn begin(facts: &mut ClusterFacts, kind: &IntentKind, cause: &str, now: Hlc) -> Reply {
    if let Some(other) = facts.intents.values().next() {
        return Err(format!("{} ({}) is not over: accept or undo it first", other.id, other.cause));
    }
    let IntentKind::Restore { pairs, .. } = kind;
    check_pairs(facts, pairs)?;
    let id = IntentId(facts.next.intent);
    facts.next.intent += 1;
    let intent = Intent {
        id,
        kind: kind.clone(),
        phase: IntentPhase::Building,
        cause: cause.to_owned(),
        started: now,
    };
    facts.intents.insert(id, intent);
    Ok(SystemReply::Intent(id))
}

fn check_pairs(facts: &mut ClusterFacts, pairs: &Pairs) -> Result<(), String> {
    if pairs.is_empty() {
        return Err("a restore needs shards".to_owned());
    }
    let (mut olds, mut news) = (BTreeSet::new(), BTreeSet::new());
    for (old, new) in pairs {
        let keyspace = expect_phase(facts, *new, ShardPhase::Beside)?;
        if let Some(old) = old
            && expect_phase(facts, *old, ShardPhase::Serving)? != keyspace
        {
            return Err(format!("{old} and {new} belong to different keyspaces"));
        }
        // Where a backup has fewer shards than there are, one new shard replaces several.
        let known = !news.insert(*new);
        let twice = old.map_or(known.then_some(*new), |old| (!olds.insert(old)).then_some(old));
        let system = old.iter().chain([new]).copied().find(|shard| shard.is_system());
        if let Some(shard) = twice.or(system) {
            return Err(format!("{shard} can't be part of this restore (twice)"));
        }
    }
    Ok(())
}

fn expect_phase(
    facts: &mut ClusterFacts,
    shard: ShardId,
    phase: ShardPhase,
) -> Result<evenkeel_shared::ids::KeyspaceId, String> {
    let known = shard_mut(facts, shard)?;
    if known.phase != phase {
        return Err(format!("{shard} is {:?}, not {phase:?}", known.phase));
    }
    Ok(known.keyspace)
}

/// Takes an intent one step further.
pub(super) fn advance(
    facts: &mut ClusterFacts,
    id: IntentId,
    from: &IntentPhase,
    to: &IntentPhase,
) -> Reply {
    let intent = facts.intents.get(&id).ok_or_else(|| format!("there is no {id}"))?;
    if intent.phase != *from {
        return Err(format!("{id} is {:?}, not {from:?}", intent.phase));
    }
    let IntentKind::Restore { pairs, .. } = intent.kind.clone();
    match (from, to) {
        (IntentPhase::Sealing, IntentPhase::Opening) => {
            let phases = Phases { old: ShardPhase::Retired, new: ShardPhase::Serving };
            swap(facts, &pairs, phases)?;
        }
        (IntentPhase::UndoSealing, IntentPhase::UndoOpening) => {
            let phases = Phases { old: ShardPhase::Serving, new: ShardPhase::Retired };
            swap(facts, &pairs, phases)?;
        }
        (IntentPhase::Building, IntentPhase::Sealing | IntentPhase::Failed(_))
        | (IntentPhase::Sealing, IntentPhase::Failed(_))
        | (IntentPhase::Opening, IntentPhase::Complete)
        | (IntentPhase::Complete, IntentPhase::UndoSealing) => {}
        _ => return Err(format!("{id} can't go from {from:?} to {to:?}")),
    }
    if let Some(intent) = facts.intents.get_mut(&id) {
        intent.phase = to.clone();
    }
    Ok(SystemReply::Done)
}

/// What becomes of both sides of a swap.
#[derive(Clone, Copy)]
struct Phases {
    old: ShardPhase,
    new: ShardPhase,
}

fn swap(facts: &mut ClusterFacts, pairs: &Pairs, phases: Phases) -> Result<(), String> {
    for (old, new) in pairs {
        if let Some(old) = old {
            shard_mut(facts, *old)?.phase = phases.old;
        }
        shard_mut(facts, *new)?.phase = phases.new;
    }
    let keyspaces: BTreeSet<_> = facts.shards.values().map(|shard| shard.keyspace).collect();
    for keyspace in keyspaces {
        check_overlap(facts, keyspace, |shard| shard.phase == ShardPhase::Serving)?;
    }
    Ok(())
}

/// Ends an intent that stands still, and drops the shards that it leaves behind.
pub(super) fn end(facts: &mut ClusterFacts, id: IntentId, drop: &[ShardId]) -> Reply {
    let intent = facts.intents.get(&id).ok_or_else(|| format!("there is no {id}"))?;
    let IntentKind::Restore { pairs, .. } = &intent.kind;
    match intent.phase {
        IntentPhase::Complete | IntentPhase::UndoOpening | IntentPhase::Failed(_) => {}
        _ => return Err(format!("{id} is {:?}: it can't end there", intent.phase)),
    }
    let ours: BTreeSet<ShardId> =
        pairs.iter().flat_map(|(old, new)| old.iter().copied().chain([*new])).collect();
    for shard in drop {
        if !ours.contains(shard) {
            return Err(format!("{shard} is no part of {id}"));
        }
        if shard_mut(facts, *shard)?.phase == ShardPhase::Serving {
            return Err(format!("{shard} is serving: it can't be dropped"));
        }
        facts.shards.remove(shard);
    }
    facts.intents.remove(&id);
    Ok(SystemReply::Done)
}
