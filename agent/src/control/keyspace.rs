//! Keyspaces: created and waited for, kept otherwise, dropped; and brought back by a restore.

use std::collections::BTreeSet;
use std::time::Duration;

use evenkeel_shared::backup::Manifest;
use evenkeel_shared::command::SystemReply;
use evenkeel_shared::error::StoreError;
use evenkeel_shared::ids::KeyspaceId;
use evenkeel_shared::view::{
    ClusterFacts, KeyspaceChange, KeyspaceSpec, Promises, ShardPhase, SystemCommand,
};
use evenkeel_shared::wire::deadline::Deadline;

use super::leader::unreadable;
use super::operator::Operator;
use crate::backup::Archive;

/// Between two looks at whether new shards are led.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Creates a keyspace, and waits until all of its shards are led.
pub(super) async fn create(
    operator: &Operator,
    spec: &KeyspaceSpec,
    by: Deadline,
) -> Result<String, StoreError> {
    let command = SystemCommand::CreateKeyspace(spec.clone());
    let id = match operator.system.change(command, by).await? {
        SystemReply::Keyspace(id) => id,
        other => return Err(StoreError::Unknown { why: format!("created with {other:?}") }),
    };
    wait_for_shards(operator, id, spec.shards, by).await?;
    Ok(format!("keyspace {} is created: {} shards", spec.name, spec.shards))
}

async fn wait_for_shards(
    operator: &Operator,
    id: KeyspaceId,
    shards: u16,
    by: Deadline,
) -> Result<(), StoreError> {
    loop {
        let (facts, observed) = operator.observer.observe();
        let own = facts
            .shards
            .values()
            .filter(|shard| shard.keyspace == id && shard.phase == ShardPhase::Serving);
        let led = own.filter(|shard| {
            observed.shards.get(&shard.id).is_some_and(|seen| seen.leader.is_some())
        });
        let led = led.count();
        if led >= usize::from(shards) {
            return Ok(());
        }
        if by.remaining() <= LOOK_AGAIN {
            let why = format!(
                "{led} of {shards} shards are led so far; the controller goes on placing them: \
                 see `evenkeel events`"
            );
            return Err(StoreError::Unknown { why });
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Keeps a keyspace otherwise from now on; repair moves copies where that is needed.
pub(super) async fn set(
    operator: &Operator,
    keyspace: KeyspaceId,
    change: &KeyspaceChange,
    by: Deadline,
) -> Result<String, StoreError> {
    let command = SystemCommand::SetKeyspace { keyspace, change: *change };
    operator.system.change(command, by).await?;
    let moves = change.replicas.is_some() || change.zones.is_some();
    let then = if moves { "; copies are moved as needed" } else { "" };
    Ok(format!("keyspace {} is changed{then}", name(operator, keyspace)))
}

/// Drops a keyspace with its shards.
pub(super) async fn remove(
    operator: &Operator,
    keyspace: KeyspaceId,
    by: Deadline,
) -> Result<String, StoreError> {
    let name = name(operator, keyspace);
    operator.system.change(SystemCommand::DropKeyspace { keyspace }, by).await?;
    Ok(format!("keyspace {name} is dropped"))
}

fn name(operator: &Operator, keyspace: KeyspaceId) -> String {
    let facts = operator.system.facts();
    let known = facts.keyspaces.get(&keyspace);
    known.map_or_else(|| keyspace.to_string(), |known| known.name.clone())
}

/// What a backup keeps of the cluster besides data. What keyspaces promise and what is declared of
/// recovery came later, and stand behind the facts.
pub(super) fn configuration(facts: &ClusterFacts) -> Result<Vec<u8>, postcard::Error> {
    let mut bytes = postcard::to_stdvec(facts)?;
    bytes.extend(postcard::to_stdvec(&facts.promises)?);
    bytes.extend(postcard::to_stdvec(&facts.recovery)?);
    Ok(bytes)
}

fn read_configuration(bytes: &[u8]) -> Result<ClusterFacts, StoreError> {
    let damaged = |error: postcard::Error| StoreError::Refused {
        why: format!("the backup's configuration can't be read: {error}"),
    };
    let (mut facts, rest) = postcard::take_from_bytes::<ClusterFacts>(bytes).map_err(damaged)?;
    if !rest.is_empty() {
        let (promises, rest) = postcard::take_from_bytes::<Promises>(rest).map_err(damaged)?;
        facts.promises = promises;
        if !rest.is_empty() {
            facts.recovery = postcard::from_bytes(rest).map_err(damaged)?;
        }
    }
    Ok(facts)
}

/// Creates the keyspaces that a backup holds and this cluster lacks, as they were. They get empty
/// shards like any other, which the restore then replaces.
pub(super) async fn bring_back(
    operator: &Operator,
    archive: &str,
    manifest: &Manifest,
    by: Deadline,
) -> Result<(), StoreError> {
    let facts = operator.system.facts();
    let held: BTreeSet<KeyspaceId> = manifest.shards.iter().map(|image| image.keyspace).collect();
    let missing: Vec<KeyspaceId> =
        held.into_iter().filter(|id| !facts.keyspaces.contains_key(id)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let archive = Archive::open(archive).map_err(unreadable)?;
    let bytes = archive.get_chunk(&manifest.configuration).await.map_err(unreadable)?;
    let then = read_configuration(&bytes)?;
    for id in missing {
        let known = then.keyspaces.get(&id).ok_or_else(|| StoreError::Refused {
            why: format!("the backup's configuration doesn't know its own {id}"),
        })?;
        let spec = KeyspaceSpec {
            name: known.name.clone(),
            shards: known.shards,
            policy: known.policy.clone(),
            promise: then.promise(id),
            number: Some(id),
        };
        create(operator, &spec, by).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use evenkeel_shared::ids::ClusterId;
    use evenkeel_shared::view::{FailoverMode, Promise, ReadDefault, ZoneRule};

    use super::*;

    #[test]
    fn a_configuration_is_read_as_it_was_written_with_and_without_promises() {
        let mut facts = ClusterFacts { cluster: ClusterId(7), ..ClusterFacts::default() };
        let old = postcard::to_stdvec(&facts).unwrap();
        assert_eq!(read_configuration(&old).unwrap(), facts);
        let promise = Promise { read: ReadDefault::Bounded(500), zones: ZoneRule::Strict };
        facts.promises.of.insert(KeyspaceId(2), promise);
        facts.recovery.modes.cluster = FailoverMode::Manual;
        let new = configuration(&facts).unwrap();
        assert_eq!(read_configuration(&new).unwrap(), facts);
        assert!(read_configuration(&new[..new.len() - 1]).is_err());
    }
}
