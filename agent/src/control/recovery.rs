//! What operators declare of recovery, and what they have done to leaderships and copies.

use std::time::Duration;

use evenkeel_shared::error::{AdminError, StoreError};
use evenkeel_shared::explain::Explanation;
use evenkeel_shared::ids::{NodeId, ShardId};
use evenkeel_shared::service::peer::{LeaderOrder, LeaderReply};
use evenkeel_shared::view::{
    ClusterFacts, Maintenance, RecoveryChange, ReplicaRole, SystemCommand,
};
use evenkeel_shared::wire::deadline::Deadline;
use futures::stream::{self, StreamExt};

use super::operator::{LOOK_AGAIN, Operator};
use super::step;
use crate::decide::blast;
use crate::decide::explain::explain;
use crate::decide::facts::wanted;
use crate::decide::plan::{Step, StepKind};

/// How long a node that was switched over leads nothing: long enough to restart it.
const HOLD: Duration = Duration::from_secs(120);
/// Leaderships of one node handed over at once: each holds a shard's writes for a moment.
const AT_ONCE: usize = 4;

impl Operator {
    /// Writes down what was declared.
    pub(super) async fn recover(
        &self,
        change: &RecoveryChange,
        actor: &str,
        by: Deadline,
    ) -> Result<String, StoreError> {
        self.system.change(SystemCommand::Recover(change.clone()), by).await?;
        Ok(match change {
            RecoveryChange::SetPolicy { replaces, .. } => {
                format!("version {} of the recovery policy holds", replaces + 1)
            }
            RecoveryChange::SetMode { keyspace, mode } => {
                let facts = self.system.facts();
                let named = keyspace.and_then(|id| facts.keyspaces.get(&id));
                let whose = named.map_or("the cluster".to_owned(), |named| named.name.clone());
                format!("failover of {whose} is {mode}")
            }
            RecoveryChange::SetCopies { shard, .. } => format!("copies of {shard} are set"),
            RecoveryChange::Maintain { node, maintenance } => {
                let name = self.name(*node);
                match maintenance {
                    Some(_) => format!("{name} is in maintenance, asked by {actor}"),
                    None => format!("maintenance of {name} is over"),
                }
            }
            RecoveryChange::Report(report) => {
                format!("{} is reported: {}", self.name(report.node), report.reason)
            }
            RecoveryChange::Withdraw { node } => {
                format!("nothing is reported of {} any more", self.name(*node))
            }
            RecoveryChange::Decide { step, decision } => match decision {
                Some(word) if word.go => format!("{step} will be done"),
                Some(_) => format!("{step} is held"),
                None => format!("{step} is left to the policy"),
            },
            RecoveryChange::Schedule(_) => {
                let scheduled = &self.system.facts().recovery.scheduled;
                let id = scheduled.last().map_or(0, |last| last.id);
                format!("scheduled as number {id}")
            }
            RecoveryChange::Unschedule { id } => format!("number {id} is cancelled"),
        })
    }

    /// Hands every leadership of a node over, and keeps the node from getting any for a while.
    pub(super) async fn node_switchover(
        &self,
        node: NodeId,
        actor: &str,
        by: Deadline,
    ) -> Result<String, StoreError> {
        let hold_ms = u64::try_from(HOLD.as_millis()).unwrap_or(u64::MAX);
        let maintenance = Some(Maintenance {
            until_unix_ms: self.env.clock.unix_ms().saturating_add(hold_ms),
            by: actor.to_owned(),
            why: "switched over".to_owned(),
        });
        // Else balance would bring them back at once.
        let change = RecoveryChange::Maintain { node, maintenance };
        self.system.change(SystemCommand::Recover(change), by).await?;
        let (mut moved, mut longest, mut last) = (0, 0, None);
        loop {
            let (facts, observed) = self.observer.observe();
            let leads = observed.shards.values().filter_map(|seen| seen.leader);
            let left = leads.filter(|leader| leader.node() == node).count();
            if left == 0 {
                break;
            }
            if by.is_over() {
                let name = self.name(node);
                let last = last.unwrap_or_else(|| "nobody can take them over".to_owned());
                // The controller goes on with them: the node is in maintenance.
                let why = format!("{left} leaderships of {name} not moved yet: {last}");
                return Err(StoreError::Unavailable { why });
            }
            let moves = blast::switchovers(&facts, &observed, node);
            let orders = stream::iter(moves).map(async |(shard, to)| {
                let outcome = self.system.lead(shard, LeaderOrder::Transfer(to), by).await;
                outcome.map_err(|error| format!("{shard}: {error}"))
            });
            let outcomes: Vec<Result<LeaderReply, String>> =
                orders.buffer_unordered(AT_ONCE).collect().await;
            for outcome in outcomes {
                match outcome {
                    Ok(LeaderReply::Transferred(held_us)) => {
                        moved += 1;
                        longest = longest.max(held_us);
                    }
                    Ok(_) => {}
                    // The controller may have moved it elsewhere meanwhile: that does as well.
                    Err(error) => last = Some(error),
                }
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Ok(format!(
            "{moved} leaderships of {} handed over, writes were held for {} ms at most",
            self.name(node),
            longest / 1_000
        ))
    }

    /// Gives a shard one more copy than its keyspace says; it is fed and promoted by repair.
    pub(super) async fn replica_add(
        &self,
        shard: ShardId,
        node: NodeId,
        by: Deadline,
    ) -> Result<String, StoreError> {
        let facts = self.system.facts();
        let known = known(&facts, shard)?;
        let copies = u8::try_from(wanted(&facts, known) + 1).unwrap_or(u8::MAX);
        let epoch = known.epoch;
        self.system.change(SystemCommand::AddReplica { shard, node, epoch }, by).await?;
        self.set_copies(shard, Some(copies), by).await?;
        let there = self.wait_for(by, |facts| {
            let known = facts.shards.get(&shard);
            known.is_some_and(|known| {
                let voter = ReplicaRole::Voter;
                known.replicas.iter().any(|(copy, it)| copy.node() == node && it.role == voter)
            })
        });
        if there.await {
            return Ok(format!("{} holds a copy of {shard}: {copies} copies", self.name(node)));
        }
        let why = format!("{} is still being filled: see `shards`", self.name(node));
        Err(StoreError::Unknown { why })
    }

    /// Takes one copy of a shard away; the leader hands over first, if it is that one.
    pub(super) async fn replica_remove(
        &self,
        shard: ShardId,
        node: NodeId,
        by: Deadline,
    ) -> Result<String, StoreError> {
        let facts = self.system.facts();
        let held = known(&facts, shard)?;
        let votes = |role| role == ReplicaRole::Voter;
        let voters = held.replicas.values().filter(|replica| votes(replica.role)).count();
        let copy = held.replicas.iter().find(|(copy, _)| copy.node() == node);
        let gone = || StoreError::Refused { why: format!("{} holds none", self.name(node)) };
        let (copy, role) = copy.map(|(copy, held)| (*copy, held.role)).ok_or_else(gone)?;
        let copies = if votes(role) { voters - 1 } else { voters };
        self.set_copies(shard, u8::try_from(copies).ok(), by).await?;
        loop {
            let (facts, observed) = self.observer.observe();
            let Some(seen) = observed.shards.get(&shard) else { return Err(gone()) };
            let kind = if !known(&facts, shard)?.replicas.contains_key(&copy) {
                return Ok(format!(
                    "{} let its copy of {shard} go: {copies} copies",
                    self.name(node)
                ));
            } else if seen.leader == Some(copy) {
                self.candidate(shard, None)
                    .ok()
                    .map(|to| StepKind::TransferLeader { from: copy, to })
            } else if seen.voters.contains(&copy) {
                Some(StepKind::Demote { replicas: vec![copy] })
            } else {
                Some(StepKind::Remove { replica: copy })
            };
            if let Some(kind) = kind {
                let step =
                    Step::new(shard, seen.epoch, kind, "an operator asked for it".to_owned());
                // What was not done is decided anew, on what is true then.
                let _ = step::act(self, &facts, &observed, &step, by).await;
            }
            if by.is_over() {
                let why = format!("the copy on {} has not gone yet: ask again", self.name(node));
                return Err(StoreError::Unknown { why });
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    async fn set_copies(
        &self,
        shard: ShardId,
        copies: Option<u8>,
        by: Deadline,
    ) -> Result<(), StoreError> {
        // What its keyspace says needs no exception.
        let facts = self.system.facts();
        let keyspace = facts.shards.get(&shard).map(|known| known.keyspace);
        let usual = keyspace.and_then(|id| facts.keyspaces.get(&id)).map(|it| it.policy.replicas);
        let copies = copies.filter(|copies| Some(*copies) != usual);
        let change = RecoveryChange::SetCopies { shard, copies };
        self.system.change(SystemCommand::Recover(change), by).await?;
        Ok(())
    }

    async fn wait_for(
        &self,
        by: Deadline,
        holds: impl FnMut(&std::sync::Arc<ClusterFacts>) -> bool,
    ) -> bool {
        let mut facts = self.system.facts.clone();
        let reached = tokio::time::timeout(by.remaining(), facts.wait_for(holds)).await;
        matches!(reached, Ok(Ok(_)))
    }

    /// Who would lead a shard next and why, and how its last failover went.
    pub fn explain(&self, shard: ShardId) -> Result<Explanation, AdminError> {
        let (facts, observed) = self.observer.observe();
        let journal = self.observer.all_events();
        let said = explain(&facts, &observed, shard, &journal);
        said.ok_or_else(|| AdminError::NotFound { what: format!("shard {shard}") })
    }
}

fn known(
    facts: &ClusterFacts,
    shard: ShardId,
) -> Result<&evenkeel_shared::view::ShardFacts, StoreError> {
    facts.shards.get(&shard).ok_or_else(|| StoreError::Refused { why: format!("no {shard}") })
}
