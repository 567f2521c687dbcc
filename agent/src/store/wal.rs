//! The write-ahead log: every replica's entries and votes of this node, in one file sequence with
//! one writer, one sync for whatever has gathered.
//!
//! Invariants (design §6, safety rules 1 to 4): nobody is told that a record is safe before its
//! batch was synced; damage in what was synced is never mistaken for a torn write, and quarantines
//! the replicas it touches; an error of the disk ends the log, nothing is ever tried again.
//!
//! A segment is a file of fixed size: header, table of chain values, batches. `record`, `batch`,
//! `sector` and `segment` are the format; `scan`, `replay` and `recover` read it back; `state` is
//! what memory knows; `writer`, `recycle` and `prepare` write; `replica` is openraft's view.

mod batch;
mod bytes;
mod front;
mod health;
mod notices;
mod prepare;
mod record;
mod recover;
mod recycle;
mod replay;
mod replica;
mod scan;
mod sector;
mod segment;
mod state;
mod survey;
#[cfg(test)]
mod tests;
mod writer;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use evenkeel_shared::ids::{History, ReplicaId, ShardId};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

use crate::env::Env;
use crate::env::fs::Disk;

pub use health::SyncHealth;
pub use notices::{Notices, Place};
pub use replica::ReplicaLog;

use health::Health;
use notices::Done;
use record::{Kind, Record};
use state::{Command, NewRecord, State};

/// Whose log it is: a shard, which of its histories, and which copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplicaKey {
    /// The shard.
    pub shard: ShardId,
    /// Its history.
    pub history: History,
    /// The copy.
    pub replica: ReplicaId,
}

impl std::fmt::Display for ReplicaKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {}", self.shard, self.history, self.replica)
    }
}

/// How the log is kept.
#[derive(Clone, Debug)]
pub struct WalConfig {
    /// Length of a segment file; all are prepared ahead and used again.
    pub segment_bytes: u64,
    /// When the segments take more than this in all, [`Wal::pressure`] names who pins them.
    pub bytes_max: u64,
    /// Entries kept in memory for readers, most recent first to stay.
    pub cache_bytes: usize,
    /// Records waiting for the writer, in bytes; beyond it whoever appends waits.
    pub queue_bytes_max: usize,
    /// How long the last batch may stay unconfirmed when nothing follows.
    pub confirm_after: Duration,
    /// Whether the writer yields between write and sync, so that a simulation can cut there.
    pub yield_before_sync: bool,
}

/// Segments of a small disk.
const SMALL_SEGMENT_BYTES: u64 = 4 << 20;

impl Default for WalConfig {
    fn default() -> Self {
        Self {
            segment_bytes: 16 << 20,
            bytes_max: 512 << 20,
            cache_bytes: 4 << 20,
            queue_bytes_max: 64 << 20,
            confirm_after: Duration::from_millis(10),
            yield_before_sync: false,
        }
    }
}

impl WalConfig {
    /// The same for the disk that the log lies on: on a small one it takes less. A log that is there
    /// already keeps the length of its segments.
    #[must_use]
    pub fn fitted(self, disk: &dyn Disk, folder: &Path) -> Self {
        let known = prepare::known_bytes(disk, folder);
        let holder = folder.parent().unwrap_or(folder);
        let total = disk.space(holder).map_or(u64::MAX, |space| space.total_bytes);
        let segment_bytes = known.unwrap_or_else(|| {
            // A segment must take a record of the largest value.
            self.segment_bytes.min((total / 256).max(SMALL_SEGMENT_BYTES))
        });
        Self { segment_bytes, bytes_max: self.bytes_max.min(total / 4), ..self }
    }

    /// A segment is a whole number of blocks, and at most 1 GiB.
    fn segment_bytes(&self) -> u64 {
        let block = sector::BLOCK_BYTES as u64;
        self.segment_bytes.clamp(8 * block, 1 << 30) / block * block
    }

    fn segment_blocks(&self) -> usize {
        usize::try_from(self.segment_bytes()).expect("at most 1 GiB") / sector::BLOCK_BYTES
    }

    /// The largest record: with tables and directories it must fit a segment.
    fn record_bytes_max(&self) -> usize {
        self.segment_blocks() * sector::BLOCK_DATA_BYTES / 2
    }

    /// Where a batch stops taking more.
    fn batch_bytes_max(&self) -> usize {
        (self.record_bytes_max() / 2).min(4 << 20)
    }
}

/// Why the log can't be opened or used.
#[derive(Debug, thiserror::Error)]
pub enum WalError {
    /// The disk refuses; the process should end.
    #[error("write-ahead log in {}", folder.display())]
    Disk {
        /// Where the log lies.
        folder: PathBuf,
        /// What the disk said.
        source: io::Error,
    },
    /// The log has given up: nothing more will be written in this process's life.
    #[error("write-ahead log has stopped: {reason}")]
    Stopped {
        /// The first error.
        reason: String,
    },
}

impl From<WalError> for io::Error {
    fn from(error: WalError) -> Self {
        Self::other(error)
    }
}

/// What a start found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Replicas with a log that can be trusted.
    pub sound: Vec<ReplicaKey>,
    /// Replicas whose records are damaged or missing, each with the reason. They answer every
    /// call with an error until they are forgotten.
    pub quarantined: Vec<(ReplicaKey, String)>,
    /// Whether an unfinished batch was dropped: a power cut during a write.
    pub torn_tail: bool,
}

/// The node's log. Clones share it; when the last one and all [`ReplicaLog`]s are gone, the
/// writer confirms what it wrote and ends.
#[derive(Clone)]
pub struct Wal {
    shared: Arc<Shared>,
    sender: mpsc::UnboundedSender<Command>,
    budget: Arc<Semaphore>,
}

/// What handles, writer and preparer share.
struct Shared {
    env: Env,
    folder: PathBuf,
    config: WalConfig,
    state: Mutex<State>,
    health: Health,
    fatal: watch::Sender<Option<String>>,
    /// The writer runs on the emergency reserve: votes are recorded, entries refused.
    on_reserve: AtomicBool,
    /// The disk is full to the brim: likewise, before the reserve is needed.
    out_of_room: AtomicBool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stopped(&self) -> Option<WalError> {
        self.fatal.borrow().clone().map(|reason| WalError::Stopped { reason })
    }
}

const BUDGET_UNIT_BYTES: usize = 1024;

fn budget_units(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(BUDGET_UNIT_BYTES).max(1)).unwrap_or(u32::MAX)
}

impl Wal {
    /// Reads the log back and starts its writer.
    pub async fn open(
        env: &Env,
        folder: &Path,
        config: WalConfig,
    ) -> Result<(Self, Recovery), WalError> {
        let job = {
            let (disk, folder, config) = (env.disk.clone(), folder.to_owned(), config.clone());
            move || {
                let recovered = recover::recover(&*disk, &folder, &config)?;
                prepare::ensure_reserve(&*disk, &folder, &config)
                    .map_err(|source| WalError::Disk { folder, source })?;
                Ok(recovered)
            }
        };
        let recovered = env.work.run(job).await?;
        let state = State::recovered(&recovered);
        let recovery = state.recovery(recovered.torn_tail);
        for (key, reason) in &recovery.quarantined {
            tracing::error!(replica = %key, reason, "log damaged, replica is out of service");
        }
        let shared = Arc::new(Shared {
            env: env.clone(),
            folder: folder.to_owned(),
            state: Mutex::new(state),
            health: Health::default(),
            fatal: watch::Sender::new(None),
            on_reserve: AtomicBool::new(false),
            out_of_room: AtomicBool::new(false),
            config,
        });
        let (sender, receiver) = mpsc::unbounded_channel();
        writer::start(&shared, receiver, recovered);
        let units = shared.config.queue_bytes_max.max(2 * shared.config.record_bytes_max());
        let budget = Arc::new(Semaphore::new(budget_units(units) as usize));
        Ok((Self { shared, sender, budget }, recovery))
    }

    /// One replica's log; makes it when the key is new.
    pub fn replica(&self, key: ReplicaKey) -> ReplicaLog {
        ReplicaLog::new(self.clone(), key)
    }

    /// Drops a replica's records for good; returns once that is synced.
    pub async fn forget(&self, key: ReplicaKey) -> Result<(), WalError> {
        let record = Record { kind: Kind::Forget, key, term: 0, index: 0 };
        self.request(
            move |state| {
                if state.forget(&key) { vec![NewRecord::bare(record)] } else { Vec::new() }
            },
        )
        .await
    }

    /// Syncs one tiny batch: a measure of the disk's health. Returns how long it took.
    pub async fn canary(&self) -> Result<Duration, WalError> {
        let began = self.shared.env.clock.now();
        self.request(|_| Vec::new()).await?;
        Ok(self.shared.env.clock.now().saturating_sub(began))
    }

    /// Every replica with records here, quarantined ones included.
    pub fn known(&self) -> Vec<ReplicaKey> {
        self.shared.state().replicas.keys().copied().collect()
    }

    /// Replicas that are out of service, each with the reason.
    pub fn quarantined(&self) -> Vec<(ReplicaKey, String)> {
        self.shared.state().recovery(false).quarantined
    }

    /// Why a replica is out of service, if it is.
    pub fn quarantine_of(&self, key: &ReplicaKey) -> Option<String> {
        self.shared.state().replicas.get(key)?.quarantine.clone()
    }

    /// Whether a replica has a vote here: every one that was ever opened has.
    pub fn has_vote(&self, key: &ReplicaKey) -> bool {
        self.shared.state().replicas.get(key).is_some_and(|replica| replica.vote.is_some())
    }

    /// Term and index of a replica's last entry, or of its purge mark when it has none.
    pub fn last(&self, key: &ReplicaKey) -> Option<(u64, u64)> {
        self.shared.state().replicas.get(key)?.last()
    }

    /// Term and index up to which a replica's log was purged.
    pub fn purged(&self, key: &ReplicaKey) -> Option<(u64, u64)> {
        self.shared.state().replicas.get(key)?.purged
    }

    /// Bytes of a replica's entries.
    pub fn log_bytes(&self, key: &ReplicaKey) -> u64 {
        self.shared.state().replicas.get(key).map_or(0, |replica| replica.entry_bytes)
    }

    /// Bytes of all segment files in use.
    pub fn disk_bytes(&self) -> u64 {
        self.shared.state().segments.len() as u64 * self.shared.config.segment_bytes()
    }

    /// When the log has outgrown its bound: who pins the oldest quarter of it, most bytes first,
    /// so that the node can have them take a snapshot and purge. Empty otherwise.
    pub fn pressure(&self) -> Vec<(ReplicaKey, u64)> {
        if self.disk_bytes() <= self.shared.config.bytes_max {
            return Vec::new();
        }
        self.shared.state().pins()
    }

    /// How the last sync went, and how long the oldest unsynced record has waited.
    pub fn sync_health(&self) -> SyncHealth {
        self.shared.health.read(self.shared.env.clock.now())
    }

    /// Whether the disk is full: entries are refused, votes are recorded (in the log's reserve). The
    /// system shard's few small entries are refused last.
    pub fn refuses_entries(&self, shard: ShardId) -> bool {
        self.shared.on_reserve.load(Ordering::Acquire)
            || !shard.is_system() && self.shared.out_of_room.load(Ordering::Acquire)
    }

    /// Says whether the disk has no room left for entries.
    pub fn set_out_of_room(&self, out: bool) {
        if self.shared.out_of_room.swap(out, Ordering::AcqRel) != out {
            let word = if out { "entries are refused" } else { "entries are taken again" };
            tracing::warn!("disk full or no longer: {word}");
        }
    }

    /// Fires with the reason once the log has given up; the process must then end.
    pub fn fatal(&self) -> watch::Receiver<Option<String>> {
        self.shared.fatal.subscribe()
    }

    /// Queues the records that `build` makes and waits until they are synced.
    async fn request(
        &self,
        build: impl FnOnce(&mut State) -> Vec<NewRecord>,
    ) -> Result<(), WalError> {
        let (sender, receiver) = oneshot::channel();
        self.queue(BUDGET_UNIT_BYTES, |state| Ok((build(state), Done::Reply(sender)))).await?;
        let stopped = || WalError::Stopped { reason: "the writer has ended".to_owned() };
        receiver.await.map_err(|_| stopped())?
    }

    /// Queues records: state and queue change in one step, so that the log has the same order.
    async fn queue<E: From<WalError>>(
        &self,
        bytes: usize,
        build: impl FnOnce(&mut State) -> Result<(Vec<NewRecord>, Done), E>,
    ) -> Result<(), E> {
        let permit = self.budget.clone().acquire_many_owned(budget_units(bytes)).await;
        let permit = permit.expect("the budget is never closed");
        let now = self.shared.env.clock.now();
        let mut state = self.shared.state();
        if let Some(stopped) = self.shared.stopped() {
            return Err(stopped.into());
        }
        let (records, done) = build(&mut state)?;
        if state.enqueued == state.synced {
            self.shared.health.waiting_since(Some(now));
        }
        state.enqueued += 1;
        let command = Command { records, done, permit };
        self.sender
            .send(command)
            .map_err(|_| E::from(WalError::Stopped { reason: "the writer has ended".to_owned() }))
    }
}
