//! Changing the cluster's own facts, from any node: proposed at the system shard's leader.

use std::sync::Arc;
use std::time::Duration;

use evenkeel_shared::backup::ShardImage;
use evenkeel_shared::command::{Applied, Command, SystemReply};
use evenkeel_shared::error::StoreError;
use evenkeel_shared::ids::{NodeId, ReplicaId, ShardId};
use evenkeel_shared::service::peer::{ContentHash, LeaderOrder, LeaderReply, Survivor};
use evenkeel_shared::version::Hlc;
use evenkeel_shared::view::{ClusterFacts, SystemCommand};
use evenkeel_shared::wire::deadline::Deadline;
use tokio::sync::watch;

use super::leader::Leader;
use super::ports::Orders;
use crate::store::replicas::Replicas;
use crate::store::router::Router;

/// Between two looks at who leads.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Reaches the leader of any shard, this node's own replicas included.
pub struct System {
    /// This node.
    pub me: NodeId,
    /// Its replicas.
    pub replicas: Arc<Replicas>,
    /// Who leads what.
    pub router: Arc<Router>,
    /// Other nodes.
    pub orders: Arc<dyn Orders>,
    /// What this node does as leader.
    pub leader: Arc<Leader>,
    /// The cluster's facts as this node has applied them.
    pub facts: watch::Receiver<Arc<ClusterFacts>>,
}

impl System {
    /// The facts now.
    pub fn facts(&self) -> Arc<ClusterFacts> {
        self.facts.borrow().clone()
    }

    /// Changes the facts. A refusal says why; a lost leader is waited for until the deadline.
    pub async fn change(
        &self,
        command: SystemCommand,
        by: Deadline,
    ) -> Result<SystemReply, StoreError> {
        let command = Command::System { hlc: Hlc::default(), command: Box::new(command) };
        match self.propose(ShardId::SYSTEM, command, by).await? {
            Applied::System(outcome) => outcome.map_err(|why| StoreError::Refused { why }),
            other => Err(StoreError::Unknown { why: format!("answered with {other}") }),
        }
    }

    /// Proposes a command to a shard, wherever it is led. An unknown outcome is given back as
    /// such: the caller knows whether asking twice does harm.
    pub async fn propose(
        &self,
        shard: ShardId,
        command: Command,
        by: Deadline,
    ) -> Result<Applied, StoreError> {
        let reachable = || !self.router.is_cut_off_from(shard);
        loop {
            let outcome = match self.router.leader_of(shard) {
                Some(node) if node == self.me => {
                    within(by, shard, self.propose_here(shard, command.clone())).await
                }
                Some(node) => self.orders.propose(node, shard, command.clone(), by).await,
                None => Err(StoreError::NoQuorum { shard }),
            };
            match outcome {
                Err(error) if may_ask_again(&error) && !by.is_over() && reachable() => {
                    tokio::time::sleep(LOOK_AGAIN).await;
                }
                outcome => return outcome,
            }
        }
    }

    /// Proposes a command to a shard that this node leads.
    pub async fn propose_here(
        &self,
        shard: ShardId,
        command: Command,
    ) -> Result<Applied, StoreError> {
        match self.replicas.get(shard) {
            Some(group) => group.propose(command).await,
            None => Err(StoreError::NotLeader { shard, leader: None }),
        }
    }

    /// Has a shard's leader do one thing.
    pub async fn lead(
        &self,
        shard: ShardId,
        order: LeaderOrder,
        by: Deadline,
    ) -> Result<LeaderReply, StoreError> {
        let reachable = || !self.router.is_cut_off_from(shard);
        loop {
            let outcome = match self.router.leader_of(shard) {
                Some(node) if node == self.me => {
                    let (leader, order) = (self.leader.clone(), order.clone());
                    // A task of its own: what was begun is finished, whoever waits for it.
                    let done = tokio::spawn(async move { leader.perform(shard, order).await });
                    let ended = |error| StoreError::Unknown { why: format!("{shard}: {error}") };
                    within(by, shard, async { done.await.map_err(ended)? }).await
                }
                Some(node) => self.orders.lead(node, shard, order.clone(), by).await,
                None => Err(StoreError::NoQuorum { shard }),
            };
            match outcome {
                Err(error) if may_ask_again(&error) && !by.is_over() && reachable() => {
                    tokio::time::sleep(LOOK_AGAIN).await;
                }
                outcome => return outcome,
            }
        }
    }

    /// A replica's content hash.
    pub async fn content_hash(
        &self,
        node: NodeId,
        shard: ShardId,
        by: Deadline,
    ) -> Result<ContentHash, StoreError> {
        if node == self.me {
            return self.leader.content_hash(shard).await;
        }
        self.orders.content_hash(node, shard, by).await
    }
}

impl System {
    /// A replica's content hash at a cut that is yet to come.
    pub async fn content_at(
        &self,
        node: NodeId,
        shard: ShardId,
        cut: Hlc,
        by: Deadline,
    ) -> Result<ContentHash, StoreError> {
        if node == self.me {
            return within(by, shard, self.leader.content_at(shard, cut)).await;
        }
        self.orders.content_at(node, shard, cut, by).await
    }

    /// How far a node's replicas of these shards go.
    pub async fn survey(
        &self,
        node: NodeId,
        shards: Vec<ShardId>,
        by: Deadline,
    ) -> Result<Vec<Option<Survivor>>, StoreError> {
        if node == self.me {
            return Ok(self.leader.survey(&shards));
        }
        self.orders.survey(node, shards, by).await
    }

    /// Has a node write its replica of a shard, with all of its log, into an archive.
    pub async fn salvage(
        &self,
        node: NodeId,
        shard: ShardId,
        archive: String,
        by: Deadline,
    ) -> Result<ShardImage, StoreError> {
        if node == self.me {
            return self.leader.salvage(shard, &archive).await;
        }
        self.orders.salvage(node, shard, archive, by).await
    }

    /// Takes a replica out of service, on whichever node it is.
    pub async fn condemn(
        &self,
        shard: ShardId,
        replica: ReplicaId,
        why: String,
        by: Deadline,
    ) -> Result<bool, StoreError> {
        if replica.node() == self.me {
            return Ok(self.leader.condemn(shard, replica, why));
        }
        self.orders.condemn(shard, replica, why, by).await
    }
}

/// A leader that was cut off answers nobody, and Raft never gives a proposal up: we do (safety
/// rule 10).
async fn within<T>(
    by: Deadline,
    shard: ShardId,
    answer: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let late = |_| StoreError::Unknown { why: format!("{shard} did not answer in time") };
    tokio::time::timeout(by.remaining(), answer).await.map_err(late)?
}

/// Only what certainly did nothing is asked again here.
fn may_ask_again(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::NotLeader { .. } | StoreError::NoQuorum { .. } | StoreError::Busy { .. }
    )
}
