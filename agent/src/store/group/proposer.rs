//! One proposer a shard: gathers operations into entries, stamps them, and queues them in one step
//! (safety rule 19).
//!
//! While a few entries are on their way, what arrives waits and shares the next one. A planned
//! move can hold proposals for a moment.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use evenkeel_shared::command::{Applied, Batch, Command, Operation, OperationResult, WriteAction};
use evenkeel_shared::error::StoreError;
use evenkeel_shared::ids::{ReplicaId, ShardId};
use evenkeel_shared::limits::{BATCH_BYTES_MAX, BATCH_OPERATIONS_MAX, PROPOSALS_QUEUED_MAX};
use evenkeel_shared::version::Hlc;
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use openraft::errors::ClientWriteError;
use openraft::impls::ProgressResponder;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::env::Env;
use crate::store::machine::Machine;
use crate::store::raft::Raft;

/// Entries on their way at once: enough to keep the log busy, few enough for batches to form.
const PIPELINE: usize = 4;

type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

enum Proposal {
    Operation(Box<Operation>, Reply<OperationResult>),
    Command(Box<Command>, Reply<Applied>),
}

/// Whether proposals pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// They do.
    Open,
    /// They wait: leadership is about to move.
    Held,
}

/// The queue in front of one shard.
pub struct Proposer {
    shard: ShardId,
    queue: mpsc::Sender<Proposal>,
    gate: Arc<watch::Sender<Gate>>,
    /// Since when entries are under way without one being answered, in microseconds; 0: none are.
    waiting_since_us: Arc<AtomicU64>,
}

impl Proposer {
    /// Starts the proposer's task; it ends with the token.
    pub fn start(
        raft: Raft,
        machine: Machine,
        env: Env,
        shard: ShardId,
        tasks: &CancellationToken,
    ) -> Self {
        let (queue, proposals) = mpsc::channel(PROPOSALS_QUEUED_MAX);
        let (gate, gate_seen) = watch::channel(Gate::Open);
        let waiting_since_us = Arc::new(AtomicU64::new(0));
        let worker = Worker {
            raft,
            machine,
            env,
            shard,
            last: Hlc::default(),
            in_flight: FuturesUnordered::new(),
            waiting: None,
            waiting_since_us: waiting_since_us.clone(),
        };
        tokio::spawn(worker.run(proposals, gate_seen, tasks.clone()));
        Self { shard, queue, gate: Arc::new(gate), waiting_since_us }
    }

    /// Proposes one operation.
    pub async fn operation(&self, operation: Operation) -> Result<OperationResult, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.enqueue(Proposal::Operation(Box::new(operation), reply))?;
        answer.await.unwrap_or_else(|_| Err(self.abandoned()))
    }

    /// Proposes one command as an entry of its own; its HLC is set here.
    pub async fn command(&self, command: Command) -> Result<Applied, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.enqueue(Proposal::Command(Box::new(command), reply))?;
        answer.await.unwrap_or_else(|_| Err(self.abandoned()))
    }

    /// Holds proposals back, or lets them pass again.
    pub fn set_gate(&self, gate: Gate) {
        self.gate.send_replace(gate);
    }

    /// Since when entries are under way without one being answered.
    pub fn waiting_since(&self) -> Option<Duration> {
        let since = self.waiting_since_us.load(Ordering::Relaxed);
        (since > 0).then(|| Duration::from_micros(since))
    }

    fn enqueue(&self, proposal: Proposal) -> Result<(), StoreError> {
        self.queue.try_send(proposal).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => {
                StoreError::Busy { what: format!("the proposal queue of {}", self.shard) }
            }
            mpsc::error::TrySendError::Closed(_) => {
                StoreError::Unavailable { why: format!("{} is closing here", self.shard) }
            }
        })
    }

    fn abandoned(&self) -> StoreError {
        StoreError::Unknown { why: format!("{} closed while the write was under way", self.shard) }
    }
}

struct Worker {
    raft: Raft,
    machine: Machine,
    env: Env,
    shard: ShardId,
    last: Hlc,
    in_flight: FuturesUnordered<BoxFuture<'static, ()>>,
    /// Read from the queue, but it did not fit the entry before.
    waiting: Option<Proposal>,
    waiting_since_us: Arc<AtomicU64>,
}

/// Operations that share an entry, with those who wait for them.
type Gathered = (Vec<Operation>, Vec<Reply<OperationResult>>);

impl Worker {
    async fn run(
        mut self,
        mut proposals: mpsc::Receiver<Proposal>,
        mut gate: watch::Receiver<Gate>,
        ended: CancellationToken,
    ) {
        loop {
            let open = *gate.borrow_and_update() == Gate::Open;
            let room = open && self.in_flight.len() < PIPELINE;
            if room && let Some(proposal) = self.waiting.take() {
                self.propose(proposal, &mut proposals).await;
                continue;
            }
            tokio::select! {
                biased;
                () = ended.cancelled() => return,
                Some(()) = self.in_flight.next(), if !self.in_flight.is_empty() => {
                    self.note_progress();
                }
                changed = gate.changed() => if changed.is_err() { return },
                next = proposals.recv(), if room => match next {
                    Some(proposal) => self.propose(proposal, &mut proposals).await,
                    None => return,
                },
            }
        }
    }

    fn note_progress(&self) {
        let since = if self.in_flight.is_empty() {
            0
        } else {
            u64::try_from(self.env.clock.now().as_micros()).unwrap_or(u64::MAX).max(1)
        };
        self.waiting_since_us.store(since, Ordering::Relaxed);
    }

    async fn propose(&mut self, first: Proposal, queue: &mut mpsc::Receiver<Proposal>) {
        let was_idle = self.in_flight.is_empty();
        match first {
            Proposal::Command(command, reply) => {
                let command = with_hlc(*command, self.stamp());
                let entry = Self::write(self.raft.clone(), self.shard, command).await;
                self.in_flight.push(Box::pin(async move {
                    // The caller may have stopped waiting.
                    let _ = reply.send(entry.await);
                }));
            }
            Proposal::Operation(operation, reply) => {
                let (operations, replies) = self.gather(*operation, reply, queue);
                let batch = Batch { hlc: self.stamp(), operations };
                #[cfg(feature = "planted-bugs")]
                let early = super::early::Acknowledgement::of(self.shard, &batch, &self.machine);
                let entry = Self::write(self.raft.clone(), self.shard, Command::Batch(batch)).await;
                #[cfg(feature = "planted-bugs")]
                let replies = early.give(&self.raft, &self.machine, replies).await;
                self.in_flight.push(Box::pin(async move { answer_all(entry.await, replies) }));
            }
        }
        if was_idle {
            self.note_progress();
        }
    }

    /// Takes what is waiting already, up to what one entry may hold. No key stands in it twice: all
    /// operations of an entry write one version, and a version must name one value of its key.
    fn gather(
        &mut self,
        first: Operation,
        reply: Reply<OperationResult>,
        queue: &mut mpsc::Receiver<Proposal>,
    ) -> Gathered {
        let mut bytes = size(&first);
        let mut keys = BTreeSet::from([first.key.clone()]);
        let (mut operations, mut replies) = (vec![first], vec![reply]);
        while operations.len() < BATCH_OPERATIONS_MAX {
            match queue.try_recv() {
                Ok(Proposal::Operation(next, reply))
                    if bytes + size(&next) <= BATCH_BYTES_MAX && keys.insert(next.key.clone()) =>
                {
                    bytes += size(&next);
                    operations.push(*next);
                    replies.push(reply);
                }
                Ok(other) => {
                    self.waiting = Some(other);
                    break;
                }
                Err(_) => break,
            }
        }
        (operations, replies)
    }

    /// The next time of this shard: above the clock, everything applied, and everything stamped.
    fn stamp(&mut self) -> Hlc {
        let wall = Hlc::from_unix_ms(self.env.clock.unix_ms());
        self.last = wall.max(self.machine.status().hlc.next()).max(self.last.next());
        self.last
    }

    /// Queues an entry; the future that comes back ends when it is applied.
    async fn write(
        raft: Raft,
        shard: ShardId,
        command: Command,
    ) -> BoxFuture<'static, Result<Applied, StoreError>> {
        let (responder, answer) = ProgressResponder::complete_only();
        if let Err(error) = raft.client_write_ff(command, Some(responder)).await {
            let why = format!("{shard}: {error}");
            return Box::pin(async move { Err(StoreError::Unavailable { why }) });
        }
        Box::pin(async move {
            match answer.await {
                Ok(Ok(response)) => Ok(response.data),
                Ok(Err(error)) => Err(refusal(shard, &error)),
                Err(_) => {
                    Err(StoreError::Unknown { why: format!("{shard} ended during the write") })
                }
            }
        })
    }
}

fn refusal(shard: ShardId, error: &ClientWriteError<crate::store::raft::TypeConfig>) -> StoreError {
    match error {
        ClientWriteError::ForwardToLeader(to) => {
            StoreError::NotLeader { shard, leader: to.leader_id.map(ReplicaId::node) }
        }
        // Another leader's log took its place here, and it may still be committed elsewhere.
        other => StoreError::Unknown { why: format!("{shard}: {other}") },
    }
}

fn answer_all(outcome: Result<Applied, StoreError>, replies: Vec<Reply<OperationResult>>) {
    match outcome {
        Ok(Applied::Batch(results)) => {
            for (reply, result) in replies.into_iter().zip(results) {
                // The caller may have stopped waiting.
                let _ = reply.send(Ok(result));
            }
        }
        other => {
            let error = other.err().unwrap_or_else(|| StoreError::Unknown {
                why: "a batch was answered with something else".to_owned(),
            });
            for reply in replies {
                let _ = reply.send(Err(error.clone()));
            }
        }
    }
}

fn size(operation: &Operation) -> usize {
    let value = match &operation.action {
        WriteAction::Put { value, .. } | WriteAction::CompareAndSet { value, .. } => value.len(),
        WriteAction::Delete | WriteAction::Add { .. } => 0,
    };
    operation.key.len() + value + 64
}

fn with_hlc(mut command: Command, now: Hlc) -> Command {
    match &mut command {
        Command::Batch(batch) => batch.hlc = now,
        // A barrier says itself how far time must have come.
        Command::Barrier { hlc } => *hlc = now.max(*hlc),
        Command::System { hlc, .. }
        | Command::Own { hlc, .. }
        | Command::Seal { hlc, .. }
        | Command::Open { hlc, .. }
        | Command::Ingest { hlc, .. } => *hlc = now,
    }
    command
}
