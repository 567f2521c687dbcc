//! What the tests share: a world on a simulated disk, and a log small enough to fill.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use evenkeel_shared::command::{Batch, Command, Operation, WriteAction};
use evenkeel_shared::ids::{History, ReplicaId, ShardId};
use futures::future::BoxFuture;
use openraft::EntryPayload;
use openraft::storage::{IOFlushed, RaftLogStorage};
use openraft::type_config::TypeConfigExt;

use crate::env::Env;
use crate::env::fs::Disk;
use crate::env::fs::sim::SimDisk;
use crate::env::work::Work;
use crate::store::raft::{Entry, LogId, TypeConfig, Vote};
use crate::store::wal::{Recovery, ReplicaKey, ReplicaLog, Wal, WalConfig, WalError};

/// Runs all work as tasks of the one runtime, as the simulation does.
struct Tasks;

impl Work for Tasks {
    fn background(&self, _name: &str, future: BoxFuture<'static, ()>) {
        tokio::spawn(future);
    }

    fn blocking(&self, job: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, ()> {
        job();
        Box::pin(async {})
    }
}

/// A world whose disk is simulated.
pub(super) fn world(disk: &SimDisk) -> Env {
    Env { disk: Arc::new(disk.mount()), work: Arc::new(Tasks), ..Env::real() }
}

/// Where the log lies.
pub(super) fn folder() -> &'static Path {
    Path::new("/wal")
}

/// Segments of 64 KiB: a few dozen entries fill one.
pub(super) fn small() -> WalConfig {
    WalConfig {
        segment_bytes: 64 << 10,
        bytes_max: 1 << 20,
        cache_bytes: 4 << 10,
        yield_before_sync: true,
        ..WalConfig::default()
    }
}

/// The replica of a shard.
pub(super) fn key(shard: u32) -> ReplicaKey {
    ReplicaKey {
        shard: ShardId(shard),
        history: History { number: 1, salt: 7 },
        replica: ReplicaId(u64::from(shard) + 100),
    }
}

/// Opens the log on a simulated disk.
pub(super) async fn open(disk: &SimDisk) -> Result<(Wal, Recovery), WalError> {
    Wal::open(&world(disk), folder(), small()).await
}

/// A log id.
pub(super) fn id(term: u64, index: u64) -> LogId {
    LogId::new_term_index(term, index)
}

/// An entry whose content tells its term and index, padded to a size.
pub(super) fn entry(term: u64, index: u64, bytes: usize) -> Entry {
    let mut value = format!("{term}.{index}.").into_bytes();
    value.resize(bytes.max(value.len()), b'x');
    let operation = Operation {
        request: evenkeel_shared::command::RequestId::default(),
        slot: evenkeel_shared::key::Slot::default(),
        key: Bytes::from(format!("key-{index}")),
        action: WriteAction::Put { value: Bytes::from(value), expires: None },
    };
    let batch = Batch { operations: vec![operation], ..Batch::default() };
    Entry { log_id: id(term, index), payload: EntryPayload::Normal(Command::Batch(batch)) }
}

/// A vote.
pub(super) fn vote(term: u64, node: u64) -> Vote {
    Vote::new(term, ReplicaId(node))
}

/// Appends and waits for the sync.
pub(super) async fn append(log: &mut ReplicaLog, entries: Vec<Entry>) -> std::io::Result<()> {
    let (sender, receiver) = TypeConfig::oneshot();
    log.append(entries, IOFlushed::signal(sender)).await?;
    receiver.await.map_err(std::io::Error::other)?
}

/// Lets the writer confirm its last batch.
pub(super) async fn confirmed(wal: &Wal) {
    let syncs = wal.sync_health().syncs;
    tokio::time::timeout(Duration::from_secs(5), async {
        while wal.sync_health().syncs == syncs {
            tokio::time::advance(Duration::from_millis(1)).await;
        }
    })
    .await
    .expect("an idle writer confirms its last batch");
}

/// The paths of all segment files.
pub(super) fn segment_files(disk: &SimDisk) -> Vec<PathBuf> {
    let names = disk.list(folder()).expect("the simulated disk lists");
    names
        .into_iter()
        .filter(|name| name.starts_with("segment-"))
        .map(|name| folder().join(name))
        .collect()
}
