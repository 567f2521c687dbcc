//! The cluster's own facts: how each command of the system shard changes them, or why it may not.
//!
//! Pure. A refused command changes nothing; every refusal names what stands in the way.

mod intents;
mod keyspaces;
mod nodes;
mod recovery;
mod shards;

use evenkeel_shared::command::SystemReply;
use evenkeel_shared::ids::{NodeId, ReplicaId, ShardId};
use evenkeel_shared::version::Hlc;
use evenkeel_shared::view::{
    BackupRecord, ClusterFacts, NodeFacts, ReplicaFacts, ReplicaRole, ShardFacts, SystemCommand,
};

/// Backups that the catalogue names; older ones stay in their archive.
const BACKUPS_MAX: usize = 1_000;

/// What an entry brings besides its command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// The entry's time.
    pub hlc: Hlc,
}

type Reply = Result<SystemReply, String>;

/// Changes the facts, or says why not. Lines for the journal lie beside the facts: whoever applies
/// them gives out their ids.
pub fn apply(facts: &mut ClusterFacts, command: &SystemCommand, at: Context) -> Reply {
    let mut next = facts.clone();
    let reply = change(&mut next, command, at)?;
    if next != *facts {
        next.revision = facts.revision + 1;
        *facts = next;
    }
    Ok(reply)
}

fn change(facts: &mut ClusterFacts, command: &SystemCommand, at: Context) -> Reply {
    if let SystemCommand::Found(founded) = command {
        return found(facts, founded);
    }
    if !facts.shards.contains_key(&ShardId::SYSTEM) {
        return Err("the cluster has not been founded".to_owned());
    }
    match command {
        SystemCommand::Found(_) | SystemCommand::Journal(_) => Ok(SystemReply::Done),
        SystemCommand::Join(request) => nodes::join(facts, request),
        SystemCommand::SetNodeIntent { node, intent } => {
            node_mut(facts, *node)?.intent = *intent;
            Ok(SystemReply::Done)
        }
        SystemCommand::Leave { node } => nodes::leave(facts, *node),
        SystemCommand::CreateShards { keyspace, history, phase, shards } => {
            let wanted =
                shards::NewShards { keyspace: *keyspace, history: *history, phase: *phase };
            shards::create(facts, wanted, shards)
        }
        SystemCommand::AddReplica { shard, node, epoch } => {
            shards::add_replica(facts, *shard, *node, *epoch)
        }
        SystemCommand::SetReplicaRole { shard, replica, role, epoch } => {
            shards::set_role(facts, *shard, *replica, *role, *epoch)
        }
        SystemCommand::RemoveReplica { shard, replica, epoch } => {
            shards::remove_replica(facts, *shard, *replica, *epoch)
        }
        SystemCommand::SetEpoch { shard, epoch } => shards::set_epoch(facts, *shard, *epoch),
        SystemCommand::BeginIntent { kind, cause } => intents::begin(facts, kind, cause, at.hlc),
        SystemCommand::AdvanceIntent { intent, from, to } => {
            intents::advance(facts, *intent, from, to)
        }
        SystemCommand::EndIntent { intent, drop } => intents::end(facts, *intent, drop),
        SystemCommand::RecordBackup(record) => record_backup(facts, record),
        SystemCommand::LoseReplica { shard, replica } => shards::lose(facts, *shard, *replica),
        SystemCommand::Reinit { node } => nodes::reinit(facts, *node),
        SystemCommand::CreateKeyspace(spec) => keyspaces::create(facts, spec),
        SystemCommand::SetKeyspace { keyspace, change } => keyspaces::set(facts, *keyspace, change),
        SystemCommand::DropKeyspace { keyspace } => keyspaces::remove(facts, *keyspace),
        SystemCommand::Recover(wanted) => recovery::apply(facts, wanted, at.hlc.unix_ms()),
    }
}

fn found(facts: &mut ClusterFacts, founded: &ClusterFacts) -> Reply {
    if facts.shards.contains_key(&ShardId::SYSTEM) {
        return Err(format!("cluster {} has already been founded", facts.cluster));
    }
    if !founded.shards.contains_key(&ShardId::SYSTEM) {
        return Err("the system shard is missing from the new cluster's facts".to_owned());
    }
    founded.clone_into(facts);
    Ok(SystemReply::Done)
}

fn record_backup(facts: &mut ClusterFacts, record: &BackupRecord) -> Reply {
    let same = |other: &&BackupRecord| other.id == record.id && other.archive == record.archive;
    match facts.backups.iter().find(same) {
        Some(known) if known == record => return Ok(SystemReply::Done),
        Some(_) => {
            return Err(format!("{} already holds another backup {}", record.archive, record.id));
        }
        None => facts.backups.push(record.clone()),
    }
    if facts.backups.len() > BACKUPS_MAX {
        facts.backups.remove(0);
    }
    Ok(SystemReply::Done)
}

fn node_mut(facts: &mut ClusterFacts, node: NodeId) -> Result<&mut NodeFacts, String> {
    facts.nodes.get_mut(&node).ok_or_else(|| format!("{node} is not part of the cluster"))
}

fn shard_mut(facts: &mut ClusterFacts, shard: ShardId) -> Result<&mut ShardFacts, String> {
    facts.shards.get_mut(&shard).ok_or_else(|| format!("there is no shard {shard}"))
}

/// Gives out a replica id, never to be given out again (safety rule 13).
fn new_replica(facts: &mut ClusterFacts, node: NodeId) -> ReplicaId {
    let number = facts.next.replica;
    facts.next.replica += 1;
    ReplicaId::new(node, number)
}

/// Adds a learner to a shard that is known to exist.
fn add_learner(facts: &mut ClusterFacts, shard: ShardId, node: NodeId) -> ReplicaId {
    let replica = new_replica(facts, node);
    if let Some(shard) = facts.shards.get_mut(&shard) {
        shard.replicas.insert(replica, ReplicaFacts { role: ReplicaRole::Learner });
    }
    replica
}

#[cfg(test)]
mod tests;
