//! Carrying out one step of a plan, with no choices left.

use evenkeel_shared::error::StoreError;
use evenkeel_shared::event::{EventKind, Severity};
use evenkeel_shared::ids::ReplicaId;
use evenkeel_shared::service::peer::LeaderOrder;
use evenkeel_shared::view::{ClusterFacts, SystemCommand};
use evenkeel_shared::wire::deadline::Deadline;

use super::operator::Operator;
use super::system::System;
use crate::decide::course::Undone;
use crate::decide::facts::{Observed, name};
use crate::decide::plan::{Step, StepKind};

/// Does one step and writes down what came of it.
pub(super) async fn act(
    operator: &Operator,
    facts: &ClusterFacts,
    observed: &Observed,
    step: &Step,
    by: Deadline,
) -> Result<(), Undone> {
    operator.course().begin(operator.env.clock.unix_ms(), step);
    let begun = operator.env.clock.now();
    let outcome = carry_out(&operator.system, observed, step, by).await;
    let undone = |error: &StoreError| Undone { why: error.to_string(), timed_out: by.is_over() };
    let done = outcome.as_ref().copied().map_err(undone);
    operator.course().end(operator.env.clock.unix_ms(), step, done.clone());
    let took = operator.env.clock.now().saturating_sub(begun);
    let what = format!("{}: {}", step.shard, describe(facts, &step.kind));
    let mut line = match &outcome {
        Ok(()) => {
            let alarm = matches!(step.kind, StepKind::Lose { .. });
            let severity = if alarm { Severity::Alarm } else { Severity::Info };
            operator.journal.line(EventKind::Placement, severity, what)
        }
        Err(error) => {
            // It is decided anew in the next round, on what is true then.
            tracing::debug!(%error, step = what, "step not done");
            return done;
        }
    };
    line.shard = Some(step.shard);
    line.why.clone_from(&step.cause);
    line.took_us = u64::try_from(took.as_micros()).ok();
    operator.journal.write(line);
    done
}

async fn carry_out(
    system: &System,
    observed: &Observed,
    step: &Step,
    by: Deadline,
) -> Result<(), StoreError> {
    let shard = step.shard;
    match &step.kind {
        StepKind::AddReplica { node } => {
            let (node, epoch) = (*node, step.epoch);
            system.change(SystemCommand::AddReplica { shard, node, epoch }, by).await?;
        }
        StepKind::AddLearner { replica } => {
            system.lead(shard, LeaderOrder::AddLearner(*replica), by).await?;
        }
        StepKind::Promote { replicas, replaces } => {
            change_voters(system, observed, step, (replicas, replaces), by).await?;
        }
        StepKind::Demote { replicas } => {
            change_voters(system, observed, step, (&[], replicas), by).await?;
        }
        StepKind::Remove { replica } => {
            let replica = *replica;
            system.lead(shard, LeaderOrder::RemoveLearner(replica), by).await?;
            let epoch = observed.shards.get(&shard).map_or(step.epoch, |seen| seen.epoch);
            let command = SystemCommand::RemoveReplica { shard, replica, epoch };
            system.change(command, by).await?;
        }
        StepKind::Lose { replica } => {
            let replica = *replica;
            system.change(SystemCommand::LoseReplica { shard, replica }, by).await?;
        }
        StepKind::TransferLeader { to, .. } => {
            system.lead(shard, LeaderOrder::Transfer(*to), by).await?;
        }
    }
    Ok(())
}

async fn change_voters(
    system: &System,
    observed: &Observed,
    step: &Step,
    (come, go): (&[ReplicaId], &[ReplicaId]),
    by: Deadline,
) -> Result<(), StoreError> {
    let Some(seen) = observed.shards.get(&step.shard) else { return Ok(()) };
    let from: Vec<ReplicaId> = seen.voters.iter().copied().collect();
    let stay = from.iter().filter(|voter| !go.contains(voter));
    let to: Vec<ReplicaId> = stay.chain(come).copied().collect();
    system.lead(step.shard, LeaderOrder::ChangeVoters { from, to }, by).await?;
    Ok(())
}

/// The step with nodes by their names.
pub(super) fn describe(facts: &ClusterFacts, kind: &StepKind) -> String {
    let node = |replica: &ReplicaId| name(facts, replica.node());
    let voters = |all: &[ReplicaId]| {
        if all.len() == 1 { "becomes a voter" } else { "become voters" }
    };
    let nodes = |all: &[ReplicaId]| all.iter().map(node).collect::<Vec<_>>().join(", ");
    match kind {
        StepKind::AddReplica { node } => format!("a replica for {}", name(facts, *node)),
        StepKind::AddLearner { replica } => format!("{} learns", node(replica)),
        StepKind::Promote { replicas, replaces } if replaces.is_empty() => {
            format!("{} {}", nodes(replicas), voters(replicas))
        }
        StepKind::Promote { replicas, replaces } => {
            let (come, go) = (nodes(replicas), nodes(replaces));
            format!("{come} {} in the place of {go}", voters(replicas))
        }
        StepKind::Demote { replicas } => {
            let verb = if replicas.len() == 1 { "stops" } else { "stop" };
            format!("{} {verb} voting", nodes(replicas))
        }
        StepKind::Remove { replica } => format!("{} lets its replica go", node(replica)),
        StepKind::Lose { replica } => {
            format!("replica {replica} on {} is given up and rebuilt", node(replica))
        }
        StepKind::TransferLeader { from, to } => {
            format!("leadership from {} to {}", node(from), node(to))
        }
    }
}
