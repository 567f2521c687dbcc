//! Leaderships that operators move: handed over while the leader serves, or taken up by another
//! voter when it does not.
//!
//! Invariant: nothing here decides who leads. A voter that is told to stand needs its votes like any
//! other, and one with a longer log is told to stand in its place.

use std::time::Duration;

use evenkeel_shared::error::StoreError;
use evenkeel_shared::ids::{NodeId, ReplicaId, ShardId};
use evenkeel_shared::service::peer::{LeaderOrder, LeaderReply};
use evenkeel_shared::wire::deadline::Deadline;

use super::operator::{AUDIT_MAX, LOOK_AGAIN, Operator};
use crate::decide::explain::candidates;

/// How long somebody who was told to stand is waited for: several elections take less.
const LED_MAX: Duration = Duration::from_secs(5);

impl Operator {
    /// The leader hands its shard over.
    pub(super) async fn switchover(
        &self,
        shard: ShardId,
        to: Option<NodeId>,
        by: Deadline,
    ) -> Result<String, StoreError> {
        let target = self.candidate(shard, to)?;
        match self.system.lead(shard, LeaderOrder::Transfer(target), by).await? {
            LeaderReply::Transferred(held_us) => Ok(format!(
                "{shard} is led by {}, writes were held for {} ms",
                self.name(target.node()),
                held_us / 1_000
            )),
            other => Err(StoreError::Unknown { why: format!("{shard} answered {other:?}") }),
        }
    }

    /// A voter is told to stand, unless the leader can still hand over.
    pub(super) async fn failover(
        &self,
        shard: ShardId,
        to: Option<NodeId>,
        by: Deadline,
    ) -> Result<String, StoreError> {
        let target = self.candidate(shard, to)?;
        // Without a leader there is nobody to hand it over.
        let led = self.system.router.leader_of(shard).is_some();
        if led && let Ok(done) = self.switchover(shard, to, by.at_most(AUDIT_MAX)).await {
            return Ok(done);
        }
        let before = self.leader(shard);
        let stood = if target.node() == self.system.me {
            match self.system.replicas.get(shard) {
                Some(group) => {
                    self.observer.ordered_to_stand(shard);
                    group.elect().await;
                    true
                }
                None => false,
            }
        } else {
            self.system.orders.stand(target.node(), shard, by).await?
        };
        let name = self.name(target.node());
        if !stood {
            return Err(StoreError::Refused { why: format!("{name} can't stand for {shard}") });
        }
        let until = by.at_most(LED_MAX);
        loop {
            match self.leader(shard).filter(|now| before != Some(*now)) {
                Some((leader, _)) if leader == target => {
                    return Ok(format!("{shard} is led by {name}"));
                }
                Some((leader, _)) => {
                    let leader = self.name(leader.node());
                    return Ok(format!(
                        "{shard} is led by {leader}: {name} stood, and did not win"
                    ));
                }
                None if until.is_over() => {
                    let why = format!(
                        "{name} stands for {shard}, which nobody leads yet: see `shard explain {}`",
                        shard.0
                    );
                    return Err(StoreError::Unknown { why });
                }
                None => tokio::time::sleep(LOOK_AGAIN).await,
            }
        }
    }

    /// Who claims the shard and lives, with the term of the claim.
    fn leader(&self, shard: ShardId) -> Option<(ReplicaId, u64)> {
        let (_, observed) = self.observer.observe();
        let seen = observed.shards.get(&shard)?;
        let leader = seen.leader.filter(|leader| observed.answers(leader.node()))?;
        Some((leader, seen.term))
    }

    /// The named voter, if it can lead, or whoever would lead next.
    pub(super) fn candidate(
        &self,
        shard: ShardId,
        to: Option<NodeId>,
    ) -> Result<ReplicaId, StoreError> {
        let (facts, observed) = self.observer.observe();
        let refused = |why: String| StoreError::Refused { why };
        let known = facts.shards.get(&shard).zip(observed.shards.get(&shard));
        let (known, seen) = known.ok_or_else(|| refused(format!("no {shard}")))?;
        let (table, best) = candidates(&facts, &observed, (known, seen), None);
        let Some(to) = to else {
            return best
                .ok_or_else(|| refused(format!("{shard} has no other voter that can lead")));
        };
        let able = |voter: &&ReplicaId| {
            voter.node() == to && table.iter().any(|known| known.node == to && known.able)
        };
        let voter = seen.voters.iter().find(able).copied();
        voter.ok_or_else(|| refused(format!("{} can't lead {shard}", self.name(to))))
    }
}
