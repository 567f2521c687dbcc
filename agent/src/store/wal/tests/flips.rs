//! One flipped bit anywhere in the log's folder: noticed or harmless, never silent.
//!
//! The folder holds several replicas' entries, votes, truncations and purge marks, a replica that
//! has been idle since a segment was recycled, spare segments and the reserve. A flip may cost only
//! replicas of which its batch, or the one before, holds records.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use openraft::RaftLogReader;
use openraft::storage::RaftLogStorage;

use crate::env::fs::Disk;
use crate::env::fs::sim::SimDisk;
use crate::flips::{Dice, Row, Verdict, row};
use crate::store::raft::{Entry, Vote};
use crate::store::wal::sector::{BLOCK_BYTES, Image};
use crate::store::wal::segment::SegmentHeader;
use crate::store::wal::{ReplicaKey, Wal, scan};

use super::crashes::{Told, check, load};
use super::support::{append, confirmed, entry, folder, key, open, segment_files, vote};

/// All that one replica's log says; `None` once it is out of service.
type Said = Option<(Option<Vote>, Option<(u64, u64)>, Option<(u64, u64)>, Vec<Entry>)>;

async fn said(wal: &Wal, key: ReplicaKey) -> Said {
    let mut log = wal.replica(key);
    let entries = log.try_get_log_entries(..).await;
    let vote = log.read_vote().await;
    let out_of_service = wal.quarantined().iter().any(|(other, _)| *other == key);
    match (entries, vote) {
        (Ok(entries), Ok(vote)) => Some((vote, wal.purged(&key), wal.last(&key), entries)),
        // An error counts as noticed only if the replica is put out of service with it.
        (Err(_), _) | (_, Err(_)) if out_of_service => None,
        (Err(error), _) | (_, Err(error)) => panic!("{key} is in service and says {error}"),
    }
}

async fn all_said(wal: &Wal) -> BTreeMap<ReplicaKey, Said> {
    let mut all = BTreeMap::new();
    for key in wal.known() {
        all.insert(key, said(wal, key).await);
    }
    all
}

/// A disk as a real load has left it, and what its log says.
struct Written {
    disk: SimDisk,
    said: BTreeMap<ReplicaKey, Said>,
}

impl Written {
    /// A log that has been idle for a moment: its last batch is confirmed.
    async fn at_rest() -> Self {
        let disk = SimDisk::new();
        let (wal, _) = open(&disk).await.unwrap();
        let mut idle = wal.replica(key(7));
        idle.save_vote(&vote(9, 3)).await.unwrap();
        append(&mut idle, (5..8).map(|index| entry(9, index, 40)).collect()).await.unwrap();
        let mut told = Told::new();
        load(&wal, 400, &mut told).await.unwrap();
        let oldest = *wal.shared.state().segments.keys().next().unwrap();
        assert!(oldest > 1, "no segment was recycled");
        confirmed(&wal).await;
        drop(idle);
        Self::killed(disk, wal, &told).await
    }

    /// A log that is killed as its last batch has been synced, before any other confirms it.
    async fn in_flight() -> Self {
        let disk = SimDisk::new();
        let (wal, _) = open(&disk).await.unwrap();
        let mut told = Told::new();
        // Too few for a segment to be recycled: what is copied then would be the last batch.
        load(&wal, 12, &mut told).await.unwrap();
        let mut log = wal.replica(key(1));
        log.save_vote(&vote(99, 1)).await.unwrap();
        let next = wal.last(&key(1)).unwrap().1 + 1;
        append(&mut log, (next..next + 8).map(|index| entry(99, index, 900)).collect())
            .await
            .unwrap();
        Self::killed(disk, wal, &told).await
    }

    async fn killed(disk: SimDisk, wal: Wal, told: &Told) -> Self {
        let said = all_said(&wal).await;
        drop(wal);
        disk.kill();
        let (wal, recovery) = open(&disk.fork()).await.unwrap();
        assert!(recovery.quarantined.is_empty() && !recovery.torn_tail, "{recovery:?}");
        check(&wal, told, &[], "no flip").await;
        assert_eq!(all_said(&wal).await, said);
        Self { disk, said }
    }

    /// Flips a bit of a copy, starts from it, reads all, and starts again.
    async fn flip(&self, path: &Path, offset: usize, bit: usize) -> (Verdict, String) {
        let what = format!("{} at {offset}, bit {bit}", path.display());
        let touched = touched(&self.disk, path, offset);
        let disk = self.disk.fork();
        disk.flip(path, offset, u8::try_from(bit).unwrap());
        let mut verdict = Verdict::Harmless;
        for _ in 0..2 {
            let Ok((wal, _)) = open(&disk).await else { return (Verdict::Detected, what) };
            let found = all_said(&wal).await;
            if found.keys().ne(self.said.keys()) {
                return (Verdict::Silent, format!("{what}: {:?} are left", found.keys()));
            }
            for (key, found) in found {
                match found {
                    None if touched.as_ref().is_none_or(|touched| touched.contains(&key)) => {
                        verdict = Verdict::Detected;
                    }
                    None => return (Verdict::Silent, format!("{what}: {key} was not touched")),
                    found if found == self.said[&key] => {}
                    _ => return (Verdict::Silent, format!("{what}: {key} says something else")),
                }
            }
            drop(wal);
            disk.kill();
        }
        (verdict, what)
    }
}

/// Whose records a block of a segment may tell of; `None` for headers and tables, which are all's.
fn touched(disk: &SimDisk, path: &Path, offset: usize) -> Option<BTreeSet<ReplicaKey>> {
    let image = Image::new(disk.bytes(path)?, BTreeSet::new());
    let header = SegmentHeader::find(&image)?;
    let block = offset / BLOCK_BYTES;
    if !header.open || block < header.first_block() {
        return None;
    }
    let number = image.batch_of_block(block, header.generation)?;
    let batches = scan::batches(&image, &header);
    let batch = batches.into_iter().find(|batch| batch.number == number)?;
    let before = batch.previous.map(|(_, directory)| directory).unwrap_or_default();
    Some(batch.directory?.0.into_keys().chain(before.0.into_keys()).collect())
}

/// Every block that belongs to a batch of its file's present life; the last batch's alone if asked.
fn blocks_in_use(disk: &SimDisk, only_last: bool) -> Vec<(PathBuf, usize)> {
    let mut blocks = Vec::new();
    for path in segment_files(disk) {
        let image = Image::new(disk.bytes(&path).unwrap(), BTreeSet::new());
        let header = SegmentHeader::find(&image).unwrap();
        for block in (0..image.blocks()).filter(|_| header.open) {
            let number = image.batch_of_block(block, header.generation);
            blocks.extend(number.map(|number| (number, path.clone(), block)));
        }
    }
    let last = blocks.iter().map(|(number, ..)| *number).max();
    blocks.retain(|(number, ..)| !only_last || Some(*number) == last);
    blocks.into_iter().map(|(_, path, block)| (path, block)).collect()
}

async fn flips_in_blocks(part: &str, flips: u32, written: &Written, only_last: bool) -> Row {
    let blocks = blocks_in_use(&written.disk, only_last);
    row(part, flips, async |dice: &mut Dice| {
        let (path, block) = &blocks[dice.below(blocks.len())];
        let offset = block * BLOCK_BYTES + dice.below(BLOCK_BYTES);
        written.flip(path, offset, dice.below(8)).await
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn flipped_bits_in_any_file_of_the_log() {
    let written = Written::at_rest().await;
    let files = written.disk.list(folder()).unwrap();
    let row = row("log and votes, any file", 150, async |dice: &mut Dice| {
        let path = folder().join(&files[dice.below(files.len())]);
        let length = written.disk.bytes(&path).unwrap().len();
        written.flip(&path, dice.below(length), dice.below(8)).await
    })
    .await;
    row.assert_never_silent();
}

#[tokio::test(start_paused = true)]
async fn flipped_bits_in_batches_of_the_log() {
    let written = Written::at_rest().await;
    let row = flips_in_blocks("log and votes, batches in use", 150, &written, false).await;
    row.assert_never_silent();
    assert!(row.count(Verdict::Detected) > 15, "few flips hit what counts");
}

#[tokio::test(start_paused = true)]
async fn flipped_bits_in_a_last_batch_that_nothing_confirms() {
    let written = Written::in_flight().await;
    let row =
        flips_in_blocks("log, killed before its last batch was confirmed", 150, &written, true)
            .await;
    row.assert_never_silent();
    assert!(row.count(Verdict::Detected) > 15, "few flips hit what counts");
}

#[tokio::test(start_paused = true)]
async fn flipped_bits_in_headers_and_tables_of_segments() {
    let written = Written::at_rest().await;
    let files = segment_files(&written.disk);
    let row = row("headers and tables of segments", 60, async |dice: &mut Dice| {
        let path = &files[dice.below(files.len())];
        written.flip(path, dice.below(2 * BLOCK_BYTES), dice.below(8)).await
    })
    .await;
    row.assert_never_silent();
}

/// The purge mark and the truncations are in the load; this says that it has what the table claims.
#[tokio::test(start_paused = true)]
async fn the_log_that_is_flipped_has_all_kinds_of_records() {
    let written = Written::at_rest().await;
    let said: Vec<_> = written.said.values().flatten().collect();
    assert_eq!(said.len(), 4);
    assert!(said.iter().all(|(vote, ..)| vote.is_some()));
    assert!(said.iter().filter(|(_, purged, ..)| purged.is_some()).count() >= 3);
    assert!(said.iter().all(|(.., entries)| entries.len() >= 3));
}
