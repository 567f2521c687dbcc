//! The rules on which no acknowledged write is lost, as far as they are the log's: each sequence
//! that goes wrong without its rule. docs/durability.md says how each was seen to fail.

use std::path::{Path, PathBuf};

use openraft::RaftLogReader;
use openraft::storage::RaftLogStorage;

use crate::env::fs::Disk;
use crate::env::fs::sim::SimDisk;
use crate::store::raft::Vote;
use crate::store::wal::sector::{BLOCK_BYTES, SECTOR_BYTES};
use crate::store::wal::{ReplicaKey, Wal};

use super::support::{append, confirmed, entry, id, key, open, segment_files, vote};

async fn vote_of(wal: &Wal, key: ReplicaKey) -> Option<Vote> {
    wal.replica(key).read_vote().await.unwrap()
}

fn is_sound(recovery: &crate::store::wal::Recovery, key: ReplicaKey) -> bool {
    recovery.sound.contains(&key) && recovery.quarantined.iter().all(|(other, _)| *other != key)
}

/// Blocks, of all segments, in which some bytes stand.
fn blocks_with(disk: &SimDisk, bytes: &[u8]) -> Vec<(PathBuf, usize)> {
    let mut found = Vec::new();
    for path in segment_files(disk) {
        let image = disk.bytes(&path).unwrap();
        let blocks = image.chunks(BLOCK_BYTES).enumerate();
        let hits = blocks.filter(|(_, block)| block.windows(bytes.len()).any(|it| it == bytes));
        found.extend(hits.map(|(nth, _)| (path.clone(), nth)));
    }
    found
}

fn wipe(disk: &SimDisk, path: &Path, block: usize) {
    let mut bytes = disk.bytes(path).unwrap();
    bytes[block * BLOCK_BYTES..(block + 1) * BLOCK_BYTES].fill(0);
    disk.set_bytes(path, &bytes);
}

/// An entry and a vote that were written and not synced are read back from the cache by the next
/// process. If it counts on them, they must outlive a power cut from then on.
#[tokio::test(start_paused = true)]
async fn rule_01_what_a_restart_read_from_the_cache_survives_a_power_cut() {
    for seed in 0..64 {
        let disk = SimDisk::new();
        let (wal, _) = open(&disk).await.unwrap();
        let mut log = wal.replica(key(1));
        append(&mut log, (1..100).map(|index| entry(1, index, 20)).collect()).await.unwrap();
        confirmed(&wal).await;
        disk.fail_syncs(true);
        if seed % 2 == 0 {
            append(&mut log, vec![entry(1, 100, 700)]).await.unwrap_err();
        } else {
            log.save_vote(&vote(9, 1)).await.unwrap_err();
        }
        drop((wal, log));
        disk.kill();
        let (wal, _) = open(&disk).await.unwrap();
        let counted = (wal.last(&key(1)), vote_of(&wal, key(1)).await);
        assert!(counted == (Some((1, 100)), None) || counted == (Some((1, 99)), Some(vote(9, 1))));
        disk.crash(seed);
        let (wal, recovery) = open(&disk).await.unwrap();
        assert!(is_sound(&recovery, key(1)), "seed {seed}: {recovery:?}");
        let now = (wal.last(&key(1)), vote_of(&wal, key(1)).await);
        assert_eq!(now, counted, "seed {seed}");
    }
}

#[tokio::test(start_paused = true)]
async fn rule_01_nothing_is_written_behind_a_cut() {
    for seed in 0..16 {
        let disk = SimDisk::new();
        let (wal, _) = open(&disk).await.unwrap();
        let mut log = wal.replica(key(1));
        append(&mut log, vec![entry(1, 1, 700)]).await.unwrap();
        disk.fail_syncs(true);
        append(&mut log, vec![entry(1, 2, 9_000)]).await.unwrap_err();
        drop((wal, log));
        disk.crash(seed);
        let files = segment_files(&disk);
        let cut: Vec<_> = files.iter().map(|path| disk.bytes(path)).collect();
        let (wal, _) = open(&disk).await.unwrap();
        let mut log = wal.replica(key(1));
        let next = wal.last(&key(1)).unwrap().1 + 1;
        append(&mut log, vec![entry(1, next, 700)]).await.unwrap();
        let used = |bytes: &Option<Vec<u8>>| bytes.as_ref().unwrap().iter().any(|byte| *byte != 0);
        for (path, before) in files.iter().zip(cut).filter(|(_, before)| used(before)) {
            // A prepared file has only its header, in its first block.
            let data = |bytes: &Vec<u8>| bytes[BLOCK_BYTES..].to_vec();
            let before = before.as_ref().map(data).unwrap();
            let blank = before.iter().all(|byte| *byte == 0);
            assert!(blank || disk.bytes(path).as_ref().map(data) == Some(before), "seed {seed}");
        }
    }
}

/// Shard 7's vote for term 9 is its last record for an hour, and its batch rots away: by its own
/// directory, by the copy in the next header, or by the chain values it must be missed.
#[tokio::test(start_paused = true)]
async fn rule_02_a_vote_whose_batch_has_rotted_is_missed() {
    let disk = SimDisk::new();
    let (wal, _) = open(&disk).await.unwrap();
    wal.replica(key(7)).save_vote(&vote(8, 1)).await.unwrap();
    // Nothing follows of shard 3 either, and nothing of it is lost.
    append(&mut wal.replica(key(3)), vec![entry(1, 1, 50)]).await.unwrap();
    let mut others = [wal.replica(key(1)), wal.replica(key(2))];
    for (nth, log) in others.iter_mut().enumerate() {
        append(log, vec![entry(1, 1, 50 + nth)]).await.unwrap();
    }
    let before: Vec<_> = segment_files(&disk).iter().map(|path| disk.bytes(path)).collect();
    wal.replica(key(7)).save_vote(&vote(9, 1)).await.unwrap();
    let after: Vec<_> = segment_files(&disk).iter().map(|path| disk.bytes(path)).collect();
    let changed = |at: &usize| before[0].as_ref().unwrap()[*at] != after[0].as_ref().unwrap()[*at];
    let at = (0..after[0].as_ref().unwrap().len()).find(changed).unwrap();
    let (path, block) = (segment_files(&disk)[0].clone(), at / BLOCK_BYTES);
    // A batch of shard 1, which has the copy, and one of shard 2.
    for log in &mut others {
        append(log, vec![entry(1, 2, 50)]).await.unwrap();
    }
    let follows = |wal: &Wal| (wal.last(&key(1)), wal.last(&key(2)));
    confirmed(&wal).await;
    drop((wal, others));
    disk.kill();
    // Its header alone has rotted: its own directory is left.
    let rotten = disk.fork();
    rotten.flip(&path, block * BLOCK_BYTES + 40, 2);
    // Its own directory, at the block's end, has as well: the copy in the next header is left.
    let both = rotten.fork();
    both.flip(&path, (block + 1) * BLOCK_BYTES - 30, 2);
    // All of it has.
    let gone = disk.fork();
    wipe(&gone, &path, block);
    for (disk, what) in [(rotten, "header"), (both, "header and directory"), (gone, "batch")] {
        let (wal, recovery) = open(&disk).await.unwrap();
        assert!(!is_sound(&recovery, key(7)), "{what}: shard 7 may vote in term 9 again");
        wal.replica(key(7)).read_vote().await.unwrap_err();
        let unharmed = [1, 2, 3].map(|shard| is_sound(&recovery, key(shard)));
        assert_eq!(unharmed, [true; 3], "{what}: {recovery:?}");
        assert_eq!(follows(&wal), (Some((1, 2)), Some((1, 2))));
    }
    // The next header too: whose chain no later record continues is out.
    wipe(&disk, &path, block);
    wipe(&disk, &path, block + 1);
    let (_, recovery) = open(&disk).await.unwrap();
    assert!(!is_sound(&recovery, key(7)) && !is_sound(&recovery, key(1)), "{recovery:?}");
    assert!(is_sound(&recovery, key(2)), "its next record continues its chain: {recovery:?}");
}

/// The same with the last batch of all: the one that confirms it carries the copy.
#[tokio::test(start_paused = true)]
async fn rule_02_the_confirming_batch_names_what_it_confirms() {
    let disk = SimDisk::new();
    let (wal, _) = open(&disk).await.unwrap();
    append(&mut wal.replica(key(1)), vec![entry(1, 1, 50)]).await.unwrap();
    wal.replica(key(7)).save_vote(&vote(8, 1)).await.unwrap();
    append(&mut wal.replica(key(7)), vec![entry(9, 1, 50)]).await.unwrap();
    confirmed(&wal).await;
    drop(wal);
    disk.kill();
    let (path, block) = blocks_with(&disk, b"9.1.xxxx").pop().unwrap();
    wipe(&disk, &path, block);
    let (_, recovery) = open(&disk).await.unwrap();
    assert!(!is_sound(&recovery, key(7)) && is_sound(&recovery, key(1)), "{recovery:?}");
}

/// A whole segment is lost: its neighbours' numbers and chain values show who misses what.
#[tokio::test(start_paused = true)]
async fn rule_02_a_lost_segment_is_missed() {
    let disk = SimDisk::new();
    let (wal, _) = open(&disk).await.unwrap();
    let mut busy = wal.replica(key(1));
    let mut quiet = wal.replica(key(2));
    append(&mut quiet, vec![entry(1, 1, 50)]).await.unwrap();
    append(&mut wal.replica(key(7)), vec![entry(1, 1, 50)]).await.unwrap();
    for index in 1..60 {
        append(&mut busy, vec![entry(1, index, 3_000)]).await.unwrap();
        if index == 20 {
            wal.replica(key(7)).save_vote(&vote(9, 1)).await.unwrap();
        }
    }
    confirmed(&wal).await;
    drop((wal, busy, quiet));
    disk.kill();
    let lost = blocks_with(&disk, b"1.21.xxxx").pop().unwrap().0;
    disk.remove(&lost).unwrap();
    let (_, recovery) = open(&disk).await.unwrap();
    assert!(!is_sound(&recovery, key(7)) && !is_sound(&recovery, key(1)), "{recovery:?}");
    assert!(is_sound(&recovery, key(2)), "nothing of it was there: {recovery:?}");
}

/// Power is cut after every write while an idle shard's records are copied forward and the files
/// that held them are used again.
#[tokio::test(start_paused = true)]
async fn rule_03_what_an_idle_shard_wrote_is_copied_before_its_segment_is_used_again() {
    let mut lives = 0;
    for cut in (1..).step_by(3) {
        let disk = SimDisk::new();
        let (wal, _) = open(&disk).await.unwrap();
        let mut idle = wal.replica(key(7));
        append(&mut idle, (1..=6).map(|index| entry(9, index, 40)).collect()).await.unwrap();
        idle.purge(id(9, 2)).await.unwrap();
        idle.save_vote(&vote(9, 3)).await.unwrap();
        wal.replica(key(8)).save_vote(&vote(4, 2)).await.unwrap();
        disk.crash_after_writes(cut);
        let mut busy = wal.replica(key(1));
        let mut ended = false;
        for index in 0..80 {
            ended = append(&mut busy, vec![entry(1, index, 6_000)]).await.is_err();
            if ended || index > 3 && busy.purge(id(1, index - 2)).await.is_err() {
                ended = true;
                break;
            }
        }
        let oldest = wal.shared.state().segments.keys().next().copied();
        drop((wal, idle, busy));
        disk.crash(cut);
        let (wal, recovery) = open(&disk).await.unwrap();
        assert!(recovery.quarantined.is_empty(), "cut after {cut}: {recovery:?}");
        assert_eq!(vote_of(&wal, key(7)).await, Some(vote(9, 3)), "cut after {cut}");
        assert_eq!(vote_of(&wal, key(8)).await, Some(vote(4, 2)), "cut after {cut}");
        assert_eq!(wal.purged(&key(7)), Some((9, 2)), "cut after {cut}");
        let entries = wal.replica(key(7)).try_get_log_entries(..).await.unwrap();
        assert_eq!(entries, (3..=6).map(|index| entry(9, index, 40)).collect::<Vec<_>>());
        lives = lives.max(oldest.unwrap_or(0));
        if !ended {
            break;
        }
    }
    assert!(lives > 3, "only {lives} segments were emptied");
}

/// A large value is torn over sectors that bear the segment's previous life: no rot, no quarantine.
#[tokio::test(start_paused = true)]
async fn rule_04_a_torn_write_over_a_previous_life_is_no_rot() {
    let mut torn = 0;
    for seed in 0..48 {
        let disk = SimDisk::new();
        let (wal, _) = open(&disk).await.unwrap();
        let mut log = wal.replica(key(1));
        for index in 0..40 {
            append(&mut log, vec![entry(1, index, 6_000)]).await.unwrap();
            log.purge(id(1, index)).await.unwrap();
        }
        let oldest = *wal.shared.state().segments.keys().next().unwrap();
        assert!(oldest > 3, "no segment is in a second life");
        append(&mut log, vec![entry(1, 40, 40)]).await.unwrap();
        disk.fail_syncs(true);
        append(&mut log, vec![entry(1, 41, 14_000)]).await.unwrap_err();
        drop((wal, log));
        disk.crash(seed);
        let (wal, recovery) = open(&disk).await.unwrap();
        assert!(recovery.quarantined.is_empty(), "seed {seed}: {recovery:?}");
        let last = wal.last(&key(1)).unwrap();
        assert!(last == (1, 40) || last == (1, 41), "seed {seed}: {last:?}");
        torn += usize::from(recovery.torn_tail);
    }
    assert!(torn > 24, "only {torn} writes were torn");
}

/// The write of one batch must not tear the end of the one before.
#[tokio::test(start_paused = true)]
async fn rule_04_batches_share_no_block() {
    let disk = SimDisk::new();
    let (wal, _) = open(&disk).await.unwrap();
    let mut log = wal.replica(key(1));
    let mut before = disk.bytes(&segment_files(&disk)[0]).unwrap();
    let mut end = 0;
    for index in 0..10 {
        append(&mut log, vec![entry(1, index, 10 + 97 * usize::try_from(index).unwrap())])
            .await
            .unwrap();
        let after = disk.bytes(&segment_files(&disk)[0]).unwrap();
        let changed: Vec<_> = (0..after.len()).filter(|at| before[*at] != after[*at]).collect();
        let (first, last) = (changed[0], changed[changed.len() - 1]);
        assert!(first >= end, "entry {index} was written into the block of the one before");
        end = (last / BLOCK_BYTES + 1) * BLOCK_BYTES;
        before = after;
    }
}

/// In the last batch, damage under the batch's own stamps is rot, and so is what can't be read.
#[tokio::test(start_paused = true)]
async fn rule_04_rot_in_the_last_batch_is_no_torn_write() {
    let disk = SimDisk::new();
    let (wal, _) = open(&disk).await.unwrap();
    append(&mut wal.replica(key(2)), vec![entry(1, 1, 50)]).await.unwrap();
    append(&mut wal.replica(key(1)), vec![entry(1, 1, 3_000)]).await.unwrap();
    drop(wal);
    disk.kill();
    let (path, block) =
        blocks_with(&disk, b"1.1.xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx")
            .pop()
            .unwrap();
    let sector = block * BLOCK_BYTES / SECTOR_BYTES + 3;
    let (flipped, unreadable) = (disk.fork(), disk.fork());
    flipped.flip(&path, sector * SECTOR_BYTES + 100, 5);
    unreadable.make_unreadable(&path, sector as u64);
    for disk in [flipped, unreadable] {
        let (_, recovery) = open(&disk).await.unwrap();
        assert!(!is_sound(&recovery, key(1)) && !recovery.torn_tail, "{recovery:?}");
        assert!(is_sound(&recovery, key(2)), "{recovery:?}");
    }
}
