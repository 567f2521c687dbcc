//! The machine as openraft knows it: applies committed entries, gives and takes snapshots.
//!
//! Every responder is answered, and only after the commit that holds its entry (safety rule 20).

use std::io;
use std::ops::Bound;
use std::sync::Arc;

use evenkeel_shared::command::Applied;
use futures::{Stream, StreamExt};
use openraft::storage::{EntryResponder, RaftStateMachine};
use openraft::{OptionalSend, RaftSnapshotBuilder};

use super::apply::{Applier, hlc_of};
use super::snapshot::Outgoing;
use super::state::State;
use super::{Core, Inner, Machine, MachineError, MachinePhase, SnapshotData, rows};
use crate::store::engine::{Changes, RowRange, Tree};
use crate::store::raft::{Entry, LogId, SnapshotMeta, StoredMembership, TypeConfig};

type Snapshot = openraft::alias::SnapshotOf<TypeConfig, SnapshotData>;

/// Entries in one blocking job: enough to amortise it, few enough to hold in memory.
const ENTRIES_PER_JOB_MAX: usize = 1_024;
/// Bytes of pending rows at which a commit is made before the job's end.
const COMMIT_BYTES: usize = 4 << 20;
/// Ended records removed after one job, and for each of its operations: so a busy shard keeps up.
const SWEPT_PER_JOB: usize = 256;
const SWEPT_PER_OPERATION: usize = 2;

impl Inner {
    /// Applies entries in order; what it returns has been committed.
    pub(super) fn apply(&self, entries: Vec<Entry>) -> Result<Vec<Applied>, MachineError> {
        let mut core = self.core()?;
        let applied = self.apply_locked(&mut core, entries);
        if applied.is_err() {
            self.stop();
        }
        self.noted(applied)
    }

    fn apply_locked(
        &self,
        core: &mut Core,
        entries: Vec<Entry>,
    ) -> Result<Vec<Applied>, MachineError> {
        let tree = self.tree();
        let mut answers = Vec::with_capacity(entries.len());
        let mut entries = entries.into_iter().peekable();
        while entries.peek().is_some() {
            let Core { state, cuts } = &mut *core;
            let mut applier = Applier::new(state, &*tree);
            while let Some(entry) = entries.peek() {
                if cuts.ends_before(hlc_of(entry, applier.hlc())) {
                    break;
                }
                answers.push(applier.entry(entries.next().expect("it was peeked at"))?);
                if applier.pending_bytes() >= COMMIT_BYTES {
                    break;
                }
            }
            let outcome = applier.finish();
            tree.commit(outcome.changes)?;
            self.publish(state, outcome.events);
            if let Some(entry) = entries.peek() {
                cuts.take(hlc_of(entry, state.meta.hlc), &tree.view());
            }
        }
        let operations = |answer: &Applied| match answer {
            Applied::Batch(results) => results.len(),
            Applied::Nothing | Applied::System(_) => 0,
        };
        let operations: usize = answers.iter().map(operations).sum();
        sweep(&mut core.state, &*tree, SWEPT_PER_JOB + SWEPT_PER_OPERATION * operations)?;
        Ok(answers)
    }
}

/// Removes some of the records that have ended. Nobody can see it: reads, conditions and hashes
/// leave them out already, so replicas need not agree on when.
fn sweep(state: &mut State, tree: &dyn Tree, limit: usize) -> Result<(), MachineError> {
    let now = state.meta.hlc;
    let Some(first) = state.expiry_first.filter(|first| *first <= now) else { return Ok(()) };
    if state.meta.phase != MachinePhase::Open {
        return Ok(());
    }
    // From the first one on: what was swept before it still lies in the engine as tombstones.
    let from = Bound::Included(rows::expiry_key(first, &[rows::DATA]));
    let mut changes = Changes::new();
    let mut left = None;
    for (swept, row) in
        tree.view().range(RowRange::prefix_from(&[rows::EXPIRIES], from)).enumerate()
    {
        let (key, _) = row?;
        let (expires, data_key) = rows::decode_expiry(&key)?;
        if expires > now || swept >= limit {
            left = Some(expires);
            break;
        }
        changes.insert(key, None);
        changes.insert(data_key, None);
    }
    tree.commit(changes)?;
    state.expiry_first = left;
    Ok(())
}

fn io_error(error: MachineError) -> io::Error {
    io::Error::other(error)
}

impl RaftStateMachine<TypeConfig> for Machine {
    type SnapshotData = SnapshotData;
    type SnapshotBuilder = Self;

    async fn applied_state(&mut self) -> io::Result<(Option<LogId>, StoredMembership)> {
        let inner = Arc::clone(&self.inner);
        let read = move || {
            let core = inner.core()?;
            Ok((core.state.meta.applied, core.state.meta.membership.clone()))
        };
        self.inner.work.run(read).await.map_err(io_error)
    }

    async fn apply<S>(&mut self, entries: S) -> io::Result<()>
    where
        S: Stream<Item = Result<EntryResponder<TypeConfig>, io::Error>> + Unpin + OptionalSend,
    {
        let mut chunks = entries.ready_chunks(ENTRIES_PER_JOB_MAX);
        while let Some(chunk) = chunks.next().await {
            let mut entries = Vec::with_capacity(chunk.len());
            let mut responders = Vec::with_capacity(chunk.len());
            for item in chunk {
                let (entry, responder) = item?;
                entries.push(entry);
                responders.push(responder);
            }
            let inner = Arc::clone(&self.inner);
            let apply = move || inner.apply(entries);
            let answers = self.inner.work.run_brief(apply).await.map_err(io_error)?;
            for (responder, answer) in responders.into_iter().zip(answers) {
                if let Some(responder) = responder {
                    responder.send(answer);
                }
            }
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> Self {
        self.clone()
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta,
        snapshot: SnapshotData,
    ) -> io::Result<()> {
        if snapshot.meta().map_err(io_error)? != *meta {
            return Err(io::Error::other("the snapshot's rows are not what its meta says"));
        }
        let SnapshotData::Incoming(staged) = snapshot else {
            return Err(io::Error::other("an outgoing snapshot is never installed"));
        };
        let inner = Arc::clone(&self.inner);
        let installed = self.inner.work.run(move || inner.install(*staged)).await;
        self.inner.noted(installed).map_err(io_error)
    }

    async fn get_current_snapshot(&mut self) -> io::Result<Option<Snapshot>> {
        let outgoing = self.outgoing();
        let meta = outgoing.meta().map_err(io_error)?;
        let snapshot = SnapshotData::Outgoing(outgoing);
        Ok(meta.last_log_id.is_some().then_some(Snapshot { meta, snapshot }))
    }
}

impl RaftSnapshotBuilder<TypeConfig> for Machine {
    type SnapshotData = SnapshotData;

    /// Makes what is applied durable, so that the log up to it may be purged. The view is taken
    /// first: whatever it shows was committed before the sync.
    async fn build_snapshot(&mut self) -> io::Result<Snapshot> {
        let inner = Arc::clone(&self.inner);
        let build = move || -> Result<Snapshot, MachineError> {
            let outgoing = Outgoing::new(inner.tree().view());
            inner.engine.sync()?;
            let meta = outgoing.meta()?;
            Ok(Snapshot { meta, snapshot: SnapshotData::Outgoing(outgoing) })
        };
        let built = self.inner.work.run(build).await;
        self.inner.noted(built).map_err(io_error)
    }
}
