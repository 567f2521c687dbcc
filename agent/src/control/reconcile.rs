//! Brings the facts up to what the shards' own logs say: roles and epochs. A controller that died
//! between a change and its record leaves nothing for anybody else to do.

use evenkeel_shared::view::{ClusterFacts, ReplicaRole, ShardFacts, SystemCommand};
use evenkeel_shared::wire::deadline::Deadline;
use futures::future::join_all;

use super::system::System;
use crate::decide::facts::{Observed, ShardObserved};

/// Records every role and epoch that has changed.
pub(super) async fn reconcile(
    system: &System,
    facts: &ClusterFacts,
    observed: &Observed,
    by: Deadline,
) {
    let changes = facts.shards.values().filter_map(|shard| {
        let seen = observed.shards.get(&shard.id).filter(|seen| seen.leader.is_some())?;
        Some(record(system, shard, seen, by))
    });
    join_all(changes).await;
}

async fn record(system: &System, shard: &ShardFacts, seen: &ShardObserved, by: Deadline) {
    for command in differences(shard, seen) {
        if let Err(error) = system.change(command, by).await {
            tracing::debug!(shard = %shard.id, %error, "facts not brought up yet");
            return;
        }
    }
}

fn differences(shard: &ShardFacts, seen: &ShardObserved) -> Vec<SystemCommand> {
    if seen.epoch < shard.epoch {
        return Vec::new();
    }
    let mut commands = Vec::new();
    for (replica, known) in &shard.replicas {
        if known.role == ReplicaRole::Lost {
            continue;
        }
        let role = if seen.voters.contains(replica) {
            ReplicaRole::Voter
        } else if seen.learners.contains(replica) {
            ReplicaRole::Learner
        } else {
            continue;
        };
        if role != known.role {
            commands.push(SystemCommand::SetReplicaRole {
                shard: shard.id,
                replica: *replica,
                role,
                epoch: seen.epoch,
            });
        }
    }
    if commands.is_empty() && seen.epoch > shard.epoch {
        commands.push(SystemCommand::SetEpoch { shard: shard.id, epoch: seen.epoch });
    }
    commands
}
