//! One proposer a shard: gathers operations into entries, stamps them, and queues them in one step
//! (safety rule 19).
//!
//! While an entry is on its way, what arrives waits and shares the next one. A planned move can
//! hold proposals for a moment.

mod crowd;
mod everywhere;
mod waiters;
mod write;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use evenkeel_shared::command::{Applied, Batch, Command, Operation, RequestId, WriteAction};
use evenkeel_shared::error::StoreError;
use evenkeel_shared::ids::{ReplicaId, ShardId};
use evenkeel_shared::limits::{BATCH_BYTES_MAX, BATCH_OPERATIONS_MAX, PROPOSALS_QUEUED_MAX};
use evenkeel_shared::version::{Hlc, Version};
use evenkeel_shared::view::SyncPolicy;
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use openraft::async_runtime::WatchReceiver;
use openraft::errors::ClientWriteError;
use openraft::impls::ProgressResponder;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::queue::shut;
use super::waits::Waits;
use crate::env::Env;
use crate::store::machine::Machine;
use crate::store::raft::{Metrics, Raft};
use crate::store::wal::Notices;
pub use crowd::Queued;
use crowd::{Crowd, Place};
use waiters::Settling;
pub(super) use waiters::Waiters;
pub use write::{Write, Written};
use write::{keys_of, size};

/// Entries on their way at once while their callers are answered by the leader's own disk. Others
/// go one by one: what arrives meanwhile shares the next entry, and an entry costs far more than
/// an operation (docs/benchmarks.md).
const EARLY_IN_FLIGHT: usize = 4;

type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

enum Proposal {
    Write(Write, Reply<Written>, Place),
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
    /// For entries under way, since the last one was answered.
    waits: Waits,
    crowd: Arc<Crowd>,
}

impl Proposer {
    /// Starts the proposer's task; it ends with the token.
    pub fn start(
        raft: Raft,
        machine: Machine,
        env: Env,
        notices: Notices,
        queued: Queued,
        tasks: &CancellationToken,
    ) -> Self {
        let shard = machine.id().shard;
        let (queue, proposals) = mpsc::channel(PROPOSALS_QUEUED_MAX);
        let (gate, gate_seen) = watch::channel(Gate::Open);
        let waits = Waits::default();
        let crowd = Crowd::new(shard, queued);
        let worker = Worker {
            raft,
            machine,
            env,
            shard,
            notices,
            last: Hlc::default(),
            in_flight: FuturesUnordered::new(),
            commands_in_flight: 0,
            answers_early: false,
            settling: FuturesUnordered::new(),
            waiting: None,
            waits: waits.clone(),
            crowd: crowd.clone(),
        };
        tokio::spawn(worker.run(proposals, gate_seen, tasks.clone()));
        Self { shard, queue, gate: Arc::new(gate), waits, crowd }
    }

    /// Proposes operations that share an entry with each other, and with others that wait.
    pub async fn write(&self, write: Write) -> Result<Written, StoreError> {
        let (reply, answer) = oneshot::channel();
        let bytes = write.operations.iter().map(size).sum();
        let place = self.crowd.admit(write.operations.len(), bytes)?;
        self.enqueue(Proposal::Write(write, reply, place))?;
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

    /// How long entries are under way without one being answered.
    pub(super) fn waits(&self) -> &Waits {
        &self.waits
    }

    fn enqueue(&self, proposal: Proposal) -> Result<(), StoreError> {
        self.queue.try_send(proposal).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => {
                StoreError::Busy { what: format!("the proposal queue of {} is full", self.shard) }
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
    notices: Notices,
    last: Hlc,
    in_flight: FuturesUnordered<BoxFuture<'static, Ended>>,
    commands_in_flight: usize,
    /// Whether the last entry's callers are answered by this disk, before it is committed.
    answers_early: bool,
    /// Entries that are committed and applied, and whose callers wait for all voters' disks.
    settling: FuturesUnordered<BoxFuture<'static, ()>>,
    /// Read from the queue, but it did not fit the entry before.
    waiting: Option<Proposal>,
    waits: Waits,
    crowd: Arc<Crowd>,
}

/// What an entry leaves behind when it is answered.
enum Ended {
    Command,
    /// When it was proposed, and who is left.
    Batch(Duration, Option<Settling>),
}

impl Worker {
    async fn run(
        mut self,
        mut proposals: mpsc::Receiver<Proposal>,
        mut gate: watch::Receiver<Gate>,
        ended: CancellationToken,
    ) {
        loop {
            let open = *gate.borrow_and_update() == Gate::Open;
            let most = if self.answers_early { EARLY_IN_FLIGHT } else { 1 };
            let room = open && self.in_flight.len() < most;
            if room && let Some(proposal) = self.waiting.take() {
                self.propose(proposal, &mut proposals).await;
                continue;
            }
            tokio::select! {
                biased;
                () = ended.cancelled() => return shut(proposals).await,
                Some(ended) = self.in_flight.next(), if !self.in_flight.is_empty() => {
                    self.end(ended);
                }
                Some(()) = self.settling.next(), if !self.settling.is_empty() => {}
                changed = gate.changed() => if changed.is_err() { return },
                next = proposals.recv(), if room => match next {
                    Some(proposal) => self.propose(proposal, &mut proposals).await,
                    None => return,
                },
            }
        }
    }

    fn end(&mut self, ended: Ended) {
        match ended {
            Ended::Command => self.commands_in_flight -= 1,
            Ended::Batch(began, left) => {
                self.crowd.entry_took(self.env.clock.now().saturating_sub(began));
                let Some(settling) = left else { return self.note_progress() };
                self.settling.push(Box::pin(everywhere::settle(self.raft.clone(), settling)));
            }
        }
        self.note_progress();
    }

    fn note_progress(&self) {
        self.waits.set((!self.in_flight.is_empty()).then(|| self.env.clock.now()));
    }

    async fn propose(&mut self, first: Proposal, queue: &mut mpsc::Receiver<Proposal>) {
        let was_idle = self.in_flight.is_empty();
        match first {
            Proposal::Command(command, reply) => {
                let command = with_hlc(*command, self.stamp());
                let entry = Self::write(self.raft.clone(), self.shard, command).await;
                self.commands_in_flight += 1;
                self.in_flight.push(Box::pin(async move {
                    // The caller may have stopped waiting.
                    let _ = reply.send(entry.await.map(|(applied, _)| applied));
                    Ended::Command
                }));
            }
            Proposal::Write(write, reply, place) => {
                let began = self.env.clock.now();
                drop(place);
                let (operations, mut waiters) = self.gather(write, reply, queue);
                self.raise(&operations, &mut waiters).await;
                let hlc = self.stamp();
                let batch = Batch { hlc, operations };
                let synced = self.ask_for_sync(&batch, &waiters);
                self.answers_early = synced.is_some();
                #[cfg(feature = "planted-bugs")]
                let early = super::early::Acknowledgement::of(self.shard, &batch, &self.machine);
                let entry = Self::write(self.raft.clone(), self.shard, Command::Batch(batch)).await;
                #[cfg(feature = "planted-bugs")]
                let waiters = early.give(&self.raft, &self.machine, waiters).await;
                self.in_flight.push(Box::pin(async move {
                    Ended::Batch(began, waiters.answer(entry, synced).await)
                }));
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
        first: Write,
        reply: Reply<Written>,
        queue: &mut mpsc::Receiver<Proposal>,
    ) -> (Vec<Operation>, Waiters) {
        let mut bytes: usize = first.operations.iter().map(size).sum();
        let mut keys: BTreeSet<_> = first.operations.iter().flat_map(keys_of).cloned().collect();
        let mut waiters = Waiters::default();
        let mut operations = waiters.add(first, reply);
        while operations.len() < BATCH_OPERATIONS_MAX {
            let next = queue.try_recv();
            let Ok(Proposal::Write(next, reply, place)) = next else {
                self.waiting = next.ok();
                break;
            };
            let more: usize = next.operations.iter().map(size).sum();
            let fits = bytes + more <= BATCH_BYTES_MAX
                && operations.len() + next.operations.len() <= BATCH_OPERATIONS_MAX
                && next.operations.iter().flat_map(keys_of).all(|key| !keys.contains(key));
            if !fits {
                self.waiting = Some(Proposal::Write(next, reply, place));
                break;
            }
            drop(place);
            bytes += more;
            keys.extend(next.operations.iter().flat_map(keys_of).cloned());
            operations.extend(waiters.add(next, reply));
        }
        (operations, waiters)
    }

    /// Raises to a quorum whatever the leader's disk can't be enough for: an operation that answers
    /// with what it found, and one that may yet be refused, or be found done, when it is applied.
    async fn raise(&mut self, operations: &[Operation], waiters: &mut Waiters) {
        if !waiters.all().iter().any(|waiter| waiter.sync == SyncPolicy::Leader) {
            return;
        }
        let status = self.machine.status();
        let term = self.raft.metrics().borrow_watched().current_term;
        // Everything of earlier terms is applied: none of it can seal the shard any more.
        let settled = status.applied.is_some_and(|(applied, _)| applied == term)
            && self.commands_in_flight == 0
            && status.is_open();
        let asked: Vec<RequestId> = operations.iter().map(|one| one.request).collect();
        let ahead = (EARLY_IN_FLIGHT + 1) * BATCH_OPERATIONS_MAX;
        let new = if settled { self.machine.surely_new(asked, ahead).await } else { Vec::new() };
        let may = |operation: &Operation, new: &bool| {
            let plain = matches!(
                operation.action,
                WriteAction::Put { .. } | WriteAction::PutBlind { .. } | WriteAction::Delete
            );
            plain && *new && status.owns(operation.slot)
        };
        let may: Vec<bool> = operations.iter().zip(&new).map(|(one, new)| may(one, new)).collect();
        for waiter in waiters.all_mut() {
            let enough = may.get(waiter.range()).is_some_and(|may| may.iter().all(|may| *may));
            if waiter.sync == SyncPolicy::Leader && !enough {
                waiter.sync = SyncPolicy::Quorum;
            }
        }
    }

    /// Asks the log to tell when the entry is on this disk, if anybody waits for that.
    fn ask_for_sync(&self, batch: &Batch, waiters: &Waiters) -> Option<waiters::OwnSync> {
        let first = batch.operations.first()?.request;
        let wanted = waiters.all().iter().any(|waiter| waiter.sync == SyncPolicy::Leader);
        let epoch = self.machine.status().epoch;
        wanted.then(|| waiters::OwnSync {
            place: self.notices.ask(first),
            first,
            notices: self.notices.clone(),
            version: Version { shard: self.shard, epoch, term: 0, index: 0 },
        })
    }

    /// The next time of this shard: above the clock, everything applied, and everything stamped.
    fn stamp(&mut self) -> Hlc {
        let wall = Hlc::from_unix_ms(self.env.clock.unix_ms());
        self.last = wall.max(self.machine.status().hlc.next()).max(self.last.next());
        self.last
    }

    /// Queues an entry; the future that comes back ends when it is applied.
    async fn write(raft: Raft, shard: ShardId, command: Command) -> waiters::EntryAnswer {
        let (responder, answer) = ProgressResponder::complete_only();
        if let Err(error) = raft.client_write_ff(command, Some(responder)).await {
            let why = format!("{shard}: {error}");
            return Box::pin(async move { Err(StoreError::Unavailable { why }) });
        }
        Box::pin(async move {
            match answer.await {
                Ok(Ok(response)) => {
                    let log_id = response.log_id;
                    Ok((response.data, (log_id.committed_leader_id().term, log_id.index)))
                }
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
