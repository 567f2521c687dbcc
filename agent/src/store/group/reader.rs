//! Linearizable reads: `ReadIndex` rounds, one for all who wait when it starts.

use std::sync::Arc;
use std::time::Duration;

use evenkeel_shared::error::StoreError;
use evenkeel_shared::ids::{ReplicaId, ShardId};
use evenkeel_shared::limits::PROPOSALS_QUEUED_MAX;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use openraft::ReadPolicy;
use openraft::errors::{LinearizableReadError, RaftError};
use openraft::raft::linearizable_read::LinearizerOption;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::queue::shut;
use super::waits::Waits;
use crate::env::clock::Clock;
use crate::store::raft::{Raft, TypeConfig};

/// How long a round waits for a quorum: a cut-off leader answers within this.
const ROUND_WAIT: Duration = Duration::from_millis(800);
/// Rounds under way at once; whoever comes later shares the next, which is why one is enough.
const ROUNDS_IN_FLIGHT: usize = 1;

type Waiter = oneshot::Sender<Result<(), StoreError>>;

/// Lets readers pass once a quorum has confirmed the leader after they came.
pub(super) struct ReadGate {
    shard: ShardId,
    waiters: mpsc::Sender<Waiter>,
    /// For the oldest round under way.
    waits: Waits,
}

impl ReadGate {
    pub(super) fn start(
        raft: Raft,
        shard: ShardId,
        clock: Arc<dyn Clock>,
        tasks: &CancellationToken,
    ) -> Self {
        let (waiters, queue) = mpsc::channel(PROPOSALS_QUEUED_MAX);
        let waits = Waits::default();
        let rounds = Rounds { raft, shard, clock, begun: Vec::new(), waits: waits.clone() };
        tokio::spawn(rounds.run(queue, tasks.clone()));
        Self { shard, waiters, waits }
    }

    /// How long the oldest round is under way.
    pub(super) fn waits(&self) -> &Waits {
        &self.waits
    }

    pub(super) async fn pass(&self) -> Result<(), StoreError> {
        let (waiter, answer) = oneshot::channel();
        self.waiters.try_send(waiter).map_err(|_| StoreError::Busy {
            what: format!("the read queue of {} is full", self.shard),
        })?;
        answer.await.unwrap_or_else(|_| {
            Err(StoreError::Unavailable { why: format!("{} is closing here", self.shard) })
        })
    }
}

struct Rounds {
    raft: Raft,
    shard: ShardId,
    clock: Arc<dyn Clock>,
    /// When each round under way began, in order.
    begun: Vec<Duration>,
    waits: Waits,
}

impl Rounds {
    async fn run(mut self, mut queue: mpsc::Receiver<Waiter>, ended: CancellationToken) {
        let mut rounds = FuturesUnordered::new();
        loop {
            tokio::select! {
                biased;
                () = ended.cancelled() => return shut(queue).await,
                Some(begun) = rounds.next(), if !rounds.is_empty() => {
                    if let Some(at) = self.begun.iter().position(|other| *other == begun) {
                        self.begun.remove(at);
                    }
                    self.waits.set(self.begun.first().copied());
                }
                first = queue.recv(), if rounds.len() < ROUNDS_IN_FLIGHT => {
                    let Some(first) = first else { return };
                    let mut waiters = vec![first];
                    while let Ok(next) = queue.try_recv() {
                        waiters.push(next);
                    }
                    let begun = self.clock.now();
                    self.begun.push(begun);
                    self.waits.set(self.begun.first().copied());
                    let done = round(self.raft.clone(), self.shard, waiters);
                    rounds.push(async move {
                        done.await;
                        begun
                    });
                }
            }
        }
    }
}

async fn round(raft: Raft, shard: ShardId, waiters: Vec<Waiter>) {
    let option = LinearizerOption::from(ReadPolicy::ReadIndex).with_wait_timeout(ROUND_WAIT);
    let outcome = match raft.ensure_linearizable(option).await {
        Ok(_) => Ok(()),
        Err(error) => Err(refusal(shard, &error)),
    };
    for waiter in waiters {
        // The caller may have stopped waiting.
        let _ = waiter.send(outcome.clone());
    }
}

fn refusal(
    shard: ShardId,
    error: &RaftError<TypeConfig, LinearizableReadError<TypeConfig>>,
) -> StoreError {
    match error {
        RaftError::APIError(LinearizableReadError::ForwardToLeader(to)) => {
            StoreError::NotLeader { shard, leader: to.leader_id.map(ReplicaId::node) }
        }
        RaftError::APIError(LinearizableReadError::QuorumNotEnough(_)) => {
            StoreError::NoQuorum { shard }
        }
        RaftError::Fatal(error) => StoreError::Unavailable { why: format!("{shard}: {error}") },
    }
}
