//! The log's folder: segments are mutated, checksums made to fit again where the first byte says
//! so, and the log is recovered from them, read, written to, and recovered once more.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use evenkeel_agent::env::Env;
use evenkeel_agent::env::fs::Disk;
use evenkeel_agent::env::fs::sim::SimDisk;
use evenkeel_agent::env::work::Work;
use evenkeel_agent::store::raft::{Entry, LogId, TypeConfig, Vote};
use evenkeel_agent::store::wal::{ReplicaKey, ReplicaLog, Wal as Log, WalConfig};
use evenkeel_shared::ids::{ReplicaId, ShardId};
use futures::future::BoxFuture;
use openraft::storage::{IOFlushed, RaftLogStorage};
use openraft::type_config::TypeConfigExt;
use openraft::{EntryPayload, RaftLogReader};
use tokio::runtime::Runtime;

use super::samples;
use crate::engine::Target;

/// The smallest segment that the log takes.
const SEGMENT_BYTES: usize = 32 << 10;
const BLOCK_BYTES: usize = 4_096;
const SECTOR_BYTES: usize = 512;
const STAMP_BYTES: usize = 16;
// Where headers have their checksums: behind so many bytes.
const BATCH_CHECKED_BYTES: usize = 52;
const SEGMENT_CHECKED_BYTES: usize = 48;
const RECORD_CHECKED_BYTES: usize = 4 + 1 + 28 + 8 + 8 + 8 + 4;
/// Where a batch's header counts its records, and the directory before; its sum stands behind.
const BATCH_RECORDS_AT: usize = 20;
const BATCH_ENTRIES_AT: usize = 36;
const DIRECTORY_ENTRY_BYTES: usize = 28 + 4 + 8;
const BATCH_MAGIC: &[u8] = b"EBK1";

/// Bits of the first byte: which checksums are made to fit.
const STAMPS: u8 = 1;
const SEGMENTS: u8 = 2;
const BATCHES: u8 = 4;

/// The target.
pub(super) struct Wal {
    corpus: Vec<Vec<u8>>,
    runtime: Runtime,
}

/// All work is a task of the one runtime, so that nothing outlives its input.
struct Tasks;

impl Work for Tasks {
    fn background(&self, _: &str, future: BoxFuture<'static, ()>) {
        tokio::spawn(future);
    }

    fn blocking(&self, job: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, ()> {
        job();
        Box::pin(async {})
    }
}

fn folder() -> &'static Path {
    Path::new("/wal")
}

fn key(shard: u32) -> ReplicaKey {
    let replica = ReplicaId(u64::from(shard) + 100);
    ReplicaKey { shard: ShardId(shard), history: samples::history(), replica }
}

async fn open(disk: &SimDisk) -> Option<Log> {
    let env = Env { disk: Arc::new(disk.mount()), work: Arc::new(Tasks), ..Env::real() };
    let config = WalConfig {
        segment_bytes: SEGMENT_BYTES as u64,
        bytes_max: 8 * SEGMENT_BYTES as u64,
        cache_bytes: 0,
        ..WalConfig::default()
    };
    Some(Log::open(&env, folder(), config).await.ok()?.0)
}

fn files(disk: &SimDisk) -> Vec<PathBuf> {
    let names = disk.list(folder()).expect("the simulated disk lists");
    let segments = names.into_iter().filter(|name| name.starts_with("segment-"));
    segments.map(|name| folder().join(name)).collect()
}

fn entry(index: u64, value_bytes: usize) -> Entry {
    let mut records = samples::records();
    records.truncate(1);
    records[0].record.value = vec![b'x'; value_bytes].into();
    let command = evenkeel_shared::command::Command::Ingest { hlc: samples::NOW, records };
    Entry { log_id: LogId::new_term_index(4, index), payload: EntryPayload::Normal(command) }
}

async fn append(log: &mut ReplicaLog, entries: Vec<Entry>) -> std::io::Result<()> {
    let (sender, receiver) = TypeConfig::oneshot();
    log.append(entries, IOFlushed::signal(sender)).await?;
    receiver.await.map_err(std::io::Error::other)?
}

/// A folder as a small load leaves it: three replicas, some segments in their second life.
async fn written() -> SimDisk {
    let disk = SimDisk::new();
    let wal = open(&disk).await.expect("an empty disk opens");
    let fits = "the load fits the simulated disk";
    wal.replica(key(3)).save_vote(&Vote::new(9, samples::replica(3))).await.expect(fits);
    for index in 0..30 {
        for shard in 1..3 {
            let mut log = wal.replica(key(shard));
            append(&mut log, vec![entry(index, 900), entry(index + 1, 40)]).await.expect(fits);
            let back = Some(LogId::new_term_index(4, index));
            log.truncate_after(back).await.expect(fits);
            if index % 8 == 7 {
                log.purge(LogId::new_term_index(4, index - 3)).await.expect(fits);
                log.save_vote(&Vote::new(index, samples::replica(shard))).await.expect(fits);
            }
        }
    }
    drop(wal);
    disk.kill();
    disk
}

/// Recovers, reads all, writes a little: whether every replica is in service.
async fn live(disk: &SimDisk) -> Option<bool> {
    let wal = open(disk).await?;
    let known = wal.known();
    for key in &known {
        let mut log = wal.replica(*key);
        drop(log.read_vote().await);
        drop(log.try_get_log_entries(..).await);
        let next = wal.last(key).map_or(0, |(_, index)| index.saturating_add(1));
        if next < u64::MAX {
            drop(append(&mut log, vec![entry(next, 700)]).await);
        }
    }
    Some(wal.quarantined().is_empty() && known.len() == 3)
}

/// Writes the checksum of what stands before its place.
fn fit(bytes: &mut [u8], checked: usize) {
    if let Some((head, rest)) = bytes.split_at_mut_checked(checked)
        && let Some(sum) = rest.get_mut(..4)
    {
        sum.copy_from_slice(&crc32fast::hash(head).to_le_bytes());
    }
}

/// Makes checksums fit again, so that what they cover is believed.
fn make_fit(flags: u8, segment: &mut [u8]) {
    for (nth, block) in segment.chunks_mut(BLOCK_BYTES).enumerate() {
        if flags & STAMPS != 0 && nth > 0 {
            let written = |sector: &&mut [u8]| sector.iter().any(|byte| *byte != 0);
            let sectors = block.chunks_mut(SECTOR_BYTES).filter(written);
            sectors.for_each(|sector| fit(sector, STAMP_BYTES - 4));
        }
        if flags & SEGMENTS != 0 && nth == 0 {
            // Its two copies.
            for sector in [0, 4] {
                if let Some(copy) = block.get_mut(sector * SECTOR_BYTES..) {
                    fit(copy, SEGMENT_CHECKED_BYTES);
                }
            }
        }
        if flags & BATCHES != 0
            && let Some(stream) = block.get_mut(STAMP_BYTES..SECTOR_BYTES)
            && stream.starts_with(BATCH_MAGIC)
        {
            fit_batch(stream);
        }
    }
}

/// The header of a batch, the copy of the directory before it, and its first record's header, as
/// far as they lie in the first sector.
fn fit_batch(stream: &mut [u8]) {
    let number = |at: usize| stream[at..at + 4].try_into().map_or(0, u32::from_le_bytes) as usize;
    let (records, entries) = (number(BATCH_RECORDS_AT), number(BATCH_ENTRIES_AT));
    let copy = BATCH_CHECKED_BYTES + 4;
    let end = entries.saturating_mul(DIRECTORY_ENTRY_BYTES).saturating_add(copy);
    if let Some(directory) = stream.get(copy..end) {
        let sum = crc32fast::hash(directory).to_le_bytes();
        stream[BATCH_ENTRIES_AT + 4..BATCH_ENTRIES_AT + 8].copy_from_slice(&sum);
    }
    fit(stream, BATCH_CHECKED_BYTES);
    if let Some(record) = stream.get_mut(end..).filter(|_| records > 0) {
        fit(record, RECORD_CHECKED_BYTES);
    }
}

impl Wal {
    pub(super) fn new() -> Self {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        // Time jumps ahead when all wait, so that nobody waits for a batch to be confirmed.
        let runtime = builder.enable_time().start_paused(true).build();
        let runtime = runtime.expect("a runtime needs nothing but memory");
        let disk = runtime.block_on(written());
        let segments: Vec<_> = files(&disk).iter().filter_map(|path| disk.bytes(path)).collect();
        let whole = segments.concat();
        assert!(segments.len() > 3 && segments.iter().all(|it| it.len() == SEGMENT_BYTES));
        let corpus = [0, STAMPS, SEGMENTS, BATCHES, STAMPS | SEGMENTS | BATCHES];
        // Nothing but what is damaged is made to fit: an unharmed folder stays as it is.
        let corpus = corpus.map(|flags| [&[flags], &whole[..]].concat()).to_vec();
        Self { corpus, runtime }
    }
}

impl Target for Wal {
    fn name(&self) -> &'static str {
        "wal"
    }

    fn corpus(&self) -> &[Vec<u8>] {
        &self.corpus
    }

    fn decode(&self, input: &[u8]) -> bool {
        let Some((flags, bytes)) = input.split_first() else { return false };
        let disk = SimDisk::new();
        for (number, segment) in (1..).zip(bytes.chunks(SEGMENT_BYTES)) {
            let mut segment = segment.to_vec();
            make_fit(*flags, &mut segment);
            disk.set_bytes(&folder().join(format!("segment-{number:08}.wal")), &segment);
        }
        self.runtime.block_on(async {
            let sound = live(&disk).await;
            disk.kill();
            // What a recovery leaves behind can be recovered again.
            let again = live(&disk).await;
            assert!(sound.is_none() || again.is_some(), "it recovers once and never again");
            sound == Some(true)
        })
    }

    /// The disk in memory, its segments as they are read, and twice again what recovery writes.
    fn memory_bytes_max(&self, input_bytes: usize) -> usize {
        (8 << 20) + 32 * input_bytes
    }
}
