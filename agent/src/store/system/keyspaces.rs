//! Keyspaces: created empty, kept otherwise, dropped with all that is in them. A number is never
//! given out twice, but to the keyspace that a restore brings back.

use evenkeel_shared::command::SystemReply;
use evenkeel_shared::ids::KeyspaceId;
use evenkeel_shared::limits::{NAME_CHARS_MAX, REPLICAS_MAX, SHARDS_MAX};
use evenkeel_shared::view::{ClusterFacts, KeyspaceChange, KeyspaceFacts, KeyspaceSpec};

use super::Reply;
use super::nodes::is_plain_word;

/// The keyspace of clients that name none.
const DEFAULT: KeyspaceId = KeyspaceId(1);
/// How the cluster's own facts are called where keyspaces are named.
const RESERVED: &str = "system";

/// Creates a keyspace; its shards come when somebody has decided where they go.
pub(super) fn create(facts: &mut ClusterFacts, spec: &KeyspaceSpec) -> Reply {
    if !is_plain_word(&spec.name) || spec.name == RESERVED {
        return Err(format!(
            "a keyspace can't be named {:?}: 1 to {NAME_CHARS_MAX} letters, digits, '-', '_' or '.'",
            spec.name
        ));
    }
    if facts.keyspace_named(&spec.name).is_some() {
        return Err(format!("there is a keyspace {} already", spec.name));
    }
    if spec.shards == 0 || spec.shards > SHARDS_MAX {
        return Err(format!("a keyspace has 1 to {SHARDS_MAX} shards, not {}", spec.shards));
    }
    check_replicas(spec.policy.replicas)?;
    let highest = facts.keyspaces.keys().map(|id| id.0).max().unwrap_or(0);
    let highest = highest.max(facts.promises.highest);
    let id = spec.number.unwrap_or(KeyspaceId(highest + 1));
    if facts.keyspaces.contains_key(&id) || id.0 == 0 {
        return Err(format!("{id} is another one already"));
    }
    let KeyspaceSpec { name, shards, policy, promise, .. } = spec.clone();
    facts.keyspaces.insert(id, KeyspaceFacts { id, name, shards, policy });
    facts.promises.highest = highest.max(id.0);
    facts.promises.of.insert(id, promise);
    Ok(SystemReply::Keyspace(id))
}

/// Keeps a keyspace otherwise from now on.
pub(super) fn set(facts: &mut ClusterFacts, id: KeyspaceId, change: &KeyspaceChange) -> Reply {
    let known = facts.keyspaces.get_mut(&id).ok_or_else(|| format!("there is no {id}"))?;
    if let Some(replicas) = change.replicas {
        check_replicas(replicas)?;
        known.policy.replicas = replicas;
    }
    known.policy.sync = change.sync.unwrap_or(known.policy.sync);
    known.policy.grace_ms = change.grace_ms.unwrap_or(known.policy.grace_ms);
    let mut promise = facts.promise(id);
    promise.read = change.read.unwrap_or(promise.read);
    promise.zones = change.zones.unwrap_or(promise.zones);
    if promise != facts.promise(id) {
        facts.promises.of.insert(id, promise);
    }
    Ok(SystemReply::Done)
}

/// Drops a keyspace with its shards.
pub(super) fn remove(facts: &mut ClusterFacts, id: KeyspaceId) -> Reply {
    if !facts.keyspaces.contains_key(&id) {
        return Err(format!("there is no {id}"));
    }
    if id == DEFAULT {
        return Err("the default keyspace stays: clients that name none use it".to_owned());
    }
    if let Some(intent) = facts.intents.values().next() {
        return Err(format!("{} is not over: accept or undo it first", intent.id));
    }
    facts.shards.retain(|shard, known| shard.is_system() || known.keyspace != id);
    facts.keyspaces.remove(&id);
    facts.promises.highest = facts.promises.highest.max(id.0);
    facts.promises.of.remove(&id);
    super::recovery::forget_what_is_gone(facts);
    Ok(SystemReply::Done)
}

fn check_replicas(replicas: u8) -> Result<(), String> {
    if replicas == 0 || replicas > REPLICAS_MAX {
        return Err(format!("a shard has 1 to {REPLICAS_MAX} replicas, not {replicas}"));
    }
    Ok(())
}
