//! Power cuts and flipped bits at every place: nothing confirmed is lost in silence.

use std::collections::BTreeMap;

use openraft::RaftLogReader;
use openraft::storage::RaftLogStorage;

use crate::env::fs::sim::SimDisk;
use crate::store::raft::{Entry, Vote};
use crate::store::wal::{ReplicaKey, Wal};

use super::support::{append, confirmed, entry, id, key, open, segment_files, vote};

/// What a replica was told is safe.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Acknowledged {
    vote: Option<Vote>,
    /// Entries, and the one purged up to.
    entries: BTreeMap<u64, Entry>,
}

/// What every replica was told.
pub(super) type Told = BTreeMap<ReplicaKey, Acknowledged>;

/// A mixed load on three replicas; stops at the first error and says what was acknowledged.
pub(super) async fn load(wal: &Wal, steps: u64, told: &mut Told) -> std::io::Result<()> {
    for step in 0..steps {
        let key = key(u32::try_from(step % 3).unwrap());
        let mut log = wal.replica(key);
        let term = 1 + step / 10;
        let next = wal.last(&key).map_or(0, |(_, index)| index + 1);
        match step % 7 {
            3 => {
                log.save_vote(&vote(term, step)).await?;
                told.entry(key).or_default().vote = Some(vote(term, step));
            }
            5 if next > 4 => {
                // From here on the entry may be gone, whether or not the call returns.
                told.entry(key).or_default().entries.remove(&(next - 1));
                log.truncate_after(Some(id(term, next - 2))).await?;
            }
            6 if next > 6 => {
                told.entry(key).or_default().entries.retain(|index, _| *index > next - 4);
                log.purge(id(term, next - 4)).await?;
            }
            _ => {
                let new: Vec<_> = (next..next + 3).map(|index| entry(term, index, 600)).collect();
                append(&mut log, new.clone()).await?;
                let entries = &mut told.entry(key).or_default().entries;
                entries.extend(new.into_iter().map(|entry| (entry.log_id.index, entry)));
            }
        }
    }
    Ok(())
}

/// Checks that what was told is there, for all who aren't quarantined.
pub(super) async fn check(
    wal: &Wal,
    told: &Told,
    quarantined: &[(ReplicaKey, String)],
    context: &str,
) {
    for (key, told) in told {
        if quarantined.iter().any(|(other, _)| other == key) {
            continue;
        }
        let mut log = wal.replica(*key);
        let found = log.read_vote().await.unwrap();
        assert!(found >= told.vote, "{context}: vote {found:?} of {key}, told {:?}", told.vote);
        let entries = match log.try_get_log_entries(..).await {
            Ok(entries) => entries,
            Err(error) => {
                let now = wal.quarantined();
                assert!(now.iter().any(|(other, _)| other == key), "{context}: {error}");
                continue;
            }
        };
        let purged = wal.purged(key).map_or(0, |(_, index)| index + 1);
        for (index, expected) in told.entries.range(purged..) {
            let found = entries.iter().find(|entry| entry.log_id.index == *index);
            assert_eq!(found, Some(expected), "{context}: entry {index} of {key}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_power_cut_after_any_write_loses_nothing_acknowledged() {
    let mut cut = 0;
    loop {
        cut += 1;
        let disk = SimDisk::new();
        let (wal, _) = open(&disk).await.unwrap();
        disk.crash_after_writes(cut);
        let mut told = Told::new();
        let ended = load(&wal, 120, &mut told).await;
        drop(wal);
        disk.crash(cut);
        let (wal, recovery) = open(&disk).await.unwrap();
        let context = format!("cut after {cut} writes");
        assert!(recovery.quarantined.is_empty(), "{context}: {recovery:?}");
        check(&wal, &told, &[], &context).await;
        // The log goes on, and a second cut right after changes nothing.
        let mut log = wal.replica(key(0));
        log.save_vote(&vote(1_000, 1)).await.unwrap();
        told.entry(key(0)).or_default().vote = Some(vote(1_000, 1));
        drop((wal, log));
        disk.crash(cut + 1);
        let (wal, recovery) = open(&disk).await.unwrap();
        assert!(recovery.quarantined.is_empty(), "{context}, again: {recovery:?}");
        check(&wal, &told, &[], &context).await;
        if ended.is_ok() {
            break;
        }
    }
    assert!(cut > 100, "the load has more than {cut} writes");
}

/// What a killed process wrote is read back from the page cache, and the next start builds on it:
/// a segment's header too, which no later power cut may take away from under it.
#[tokio::test(start_paused = true)]
async fn a_power_cut_after_a_kill_at_any_write_loses_nothing() {
    let mut cut = 0;
    loop {
        cut += 1;
        let disk = SimDisk::new();
        let (wal, _) = open(&disk).await.unwrap();
        disk.crash_after_writes(cut);
        let mut told = Told::new();
        let ended = load(&wal, 120, &mut told).await;
        drop(wal);
        disk.kill();
        for again in 0..3 {
            let (wal, recovery) = open(&disk).await.unwrap();
            let context = format!("killed after {cut} writes, start {again}");
            assert!(recovery.quarantined.is_empty(), "{context}: {recovery:?}");
            check(&wal, &told, &[], &context).await;
            drop(wal);
            disk.crash(cut + again);
        }
        if ended.is_ok() {
            return;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_power_cut_during_recovery_loses_nothing() {
    for cut in 1..6 {
        for seed in 0..8 {
            let disk = SimDisk::new();
            let (wal, _) = open(&disk).await.unwrap();
            let mut told = Told::new();
            load(&wal, 40, &mut told).await.unwrap();
            drop(wal);
            disk.crash(seed);
            disk.crash_after_writes(cut);
            let _ = open(&disk).await;
            disk.crash(seed + 100);
            let (wal, recovery) = open(&disk).await.unwrap();
            assert!(recovery.quarantined.is_empty(), "cut {cut}, seed {seed}: {recovery:?}");
            check(&wal, &told, &[], &format!("cut {cut}, seed {seed}")).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_flipped_bit_in_a_synced_log_is_never_silent() {
    let disk = SimDisk::new();
    let (wal, _) = open(&disk).await.unwrap();
    let mut told = Told::new();
    load(&wal, 100, &mut told).await.unwrap();
    confirmed(&wal).await;
    drop(wal);
    disk.kill();
    let files = segment_files(&disk);
    let mut flips = 0;
    let mut quarantines = 0;
    for path in &files {
        let length = disk.bytes(path).unwrap().len();
        let mut offset = 0;
        while offset < length {
            let damaged = disk.fork();
            damaged.flip(path, offset, u8::try_from(offset % 8).unwrap());
            let (wal, recovery) = open(&damaged).await.unwrap();
            let context = format!("{} at {offset}", path.display());
            check(&wal, &told, &recovery.quarantined, &context).await;
            quarantines += usize::from(!recovery.quarantined.is_empty());
            flips += 1;
            offset += 509;
        }
    }
    assert!(flips >= 300, "{flips} flips");
    assert!(quarantines > flips / 10, "{quarantines} of {flips} flips hit a record");
}

#[tokio::test(start_paused = true)]
async fn a_quarantine_is_remembered_until_the_replica_is_forgotten() {
    let disk = SimDisk::new();
    let (wal, _) = open(&disk).await.unwrap();
    let mut told = Told::new();
    load(&wal, 30, &mut told).await.unwrap();
    confirmed(&wal).await;
    drop(wal);
    disk.kill();
    let path = &segment_files(&disk)[0];
    let bytes = disk.bytes(path).unwrap();
    let at = bytes.windows(6).position(|window| window == b"xxxxxx").unwrap();
    disk.flip(path, at, 0);
    let (wal, first) = open(&disk).await.unwrap();
    assert!(!first.quarantined.is_empty());
    let hurt = first.quarantined[0].0;
    wal.replica(hurt).read_vote().await.unwrap_err();
    drop(wal);
    disk.kill();
    let (wal, second) = open(&disk).await.unwrap();
    assert_eq!(first.quarantined, second.quarantined);
    for (key, _) in &second.quarantined {
        wal.forget(*key).await.unwrap();
    }
    drop(wal);
    disk.kill();
    let (_, third) = open(&disk).await.unwrap();
    assert!(third.quarantined.is_empty(), "{third:?}");
}

#[tokio::test(start_paused = true)]
async fn an_unreadable_sector_is_corruption() {
    let disk = SimDisk::new();
    let (wal, _) = open(&disk).await.unwrap();
    let mut log = wal.replica(key(1));
    append(&mut log, vec![entry(1, 1, 3_000)]).await.unwrap();
    drop((wal, log));
    disk.kill();
    let path = &segment_files(&disk)[0];
    let bytes = disk.bytes(path).unwrap();
    let at = bytes.windows(600).position(|window| window.starts_with(b"xxxxxx")).unwrap();
    disk.make_unreadable(path, (at / 512 + 2) as u64);
    let (_, recovery) = open(&disk).await.unwrap();
    assert_eq!(recovery.quarantined.len(), 1, "{recovery:?}");
}

#[tokio::test(start_paused = true)]
async fn a_last_write_cut_at_any_byte_is_dropped_whole_or_reported() {
    let disk = SimDisk::new();
    let (wal, _) = open(&disk).await.unwrap();
    let mut log = wal.replica(key(1));
    append(&mut log, vec![entry(1, 1, 200)]).await.unwrap();
    confirmed(&wal).await;
    let path = segment_files(&disk)[0].clone();
    let before = disk.bytes(&path).unwrap();
    append(&mut log, (2..5).map(|index| entry(1, index, 900)).collect()).await.unwrap();
    let after = disk.bytes(&path).unwrap();
    let first = (0..after.len()).find(|at| before[*at] != after[*at]).unwrap();
    let last = (0..after.len()).rfind(|at| before[*at] != after[*at]).unwrap();
    for cut in first..=last {
        let mut torn = after.clone();
        torn[cut..].copy_from_slice(&before[cut..]);
        let disk = disk.fork();
        disk.set_bytes(&path, &torn);
        let (wal, recovery) = open(&disk).await.unwrap();
        let kept = wal.last(&key(1));
        let whole = kept == Some((1, 4));
        // Before the first stamp is whole, the batch never was.
        let dropped = kept == Some((1, 1)) && (recovery.torn_tail || cut < first + 16);
        let reported = !recovery.quarantined.is_empty();
        assert!(whole || dropped || reported, "cut at {cut}: {kept:?} {recovery:?}");
        // Disks write whole sectors: a cut at such a boundary is no reason for a quarantine.
        assert!(cut % 512 != 0 || !reported, "cut at {cut}: {recovery:?}");
    }
}

/// A stamp is written with its sector or not at all: one bit of it is no torn write.
#[tokio::test(start_paused = true)]
async fn a_rotten_stamp_in_the_last_batch_is_corruption() {
    let disk = SimDisk::new();
    let (wal, _) = open(&disk).await.unwrap();
    let mut log = wal.replica(key(1));
    append(&mut log, vec![entry(1, 1, 3_000)]).await.unwrap();
    drop((wal, log));
    disk.kill();
    let path = &segment_files(&disk)[0];
    let bytes = disk.bytes(path).unwrap();
    let at = bytes.windows(600).position(|window| window.starts_with(b"xxxxxx")).unwrap();
    disk.flip(path, (at / 512 + 2) * 512 + 5, 3);
    let (_, recovery) = open(&disk).await.unwrap();
    assert_eq!(recovery.quarantined.len(), 1, "{recovery:?}");
    assert!(!recovery.torn_tail);
}

/// Recovery once counted the batches that such a header says are missing, one by one.
#[tokio::test(start_paused = true)]
async fn a_header_with_a_number_that_no_log_reaches_ends_in_a_verdict() {
    let disk = SimDisk::new();
    let (wal, _) = open(&disk).await.unwrap();
    load(&wal, 100, &mut Told::new()).await.unwrap();
    drop(wal);
    disk.kill();
    let path = segment_files(&disk).pop().unwrap();
    for number in [1 << 50, 1 << 60, u64::MAX] {
        // The last confirmed batch, the first one, and both.
        for places in [&[24][..], &[32], &[24, 32]] {
            let mut bytes = disk.bytes(&path).unwrap();
            for copy in [0, 4 * 512] {
                for place in places {
                    let place = copy + place;
                    bytes[place..place + 8].copy_from_slice(&number.to_le_bytes());
                }
                let sum = crc32fast::hash(&bytes[copy..copy + 48]);
                bytes[copy + 48..copy + 52].copy_from_slice(&sum.to_le_bytes());
            }
            let disk = disk.fork();
            disk.set_bytes(&path, &bytes);
            let (wal, _) = open(&disk).await.unwrap();
            drop(wal);
            disk.kill();
            open(&disk).await.unwrap();
        }
    }
}

/// Recovery once set as much memory aside as such a header says.
#[tokio::test(start_paused = true)]
async fn a_header_with_a_table_longer_than_its_segment_ends_in_a_verdict() {
    let disk = SimDisk::new();
    let (wal, _) = open(&disk).await.unwrap();
    load(&wal, 100, &mut Told::new()).await.unwrap();
    drop(wal);
    disk.kill();
    for path in segment_files(&disk) {
        let mut bytes = disk.bytes(&path).unwrap();
        for copy in [0, 4 * 512] {
            bytes[copy + 44..copy + 48].copy_from_slice(&u32::MAX.to_le_bytes());
            let sum = crc32fast::hash(&bytes[copy..copy + 48]);
            bytes[copy + 48..copy + 52].copy_from_slice(&sum.to_le_bytes());
        }
        let disk = disk.fork();
        disk.set_bytes(&path, &bytes);
        open(&disk).await.unwrap();
    }
}

/// Recovery once looked for the stamps of sectors beyond the segment's end.
#[tokio::test(start_paused = true)]
async fn a_directory_longer_than_its_segment_ends_in_a_verdict() {
    let disk = SimDisk::new();
    let (wal, _) = open(&disk).await.unwrap();
    append(&mut wal.replica(key(1)), vec![entry(1, 1, 50)]).await.unwrap();
    append(&mut wal.replica(key(2)), vec![entry(1, 1, 50)]).await.unwrap();
    drop(wal);
    disk.kill();
    let path = segment_files(&disk).remove(0);
    let bytes = disk.bytes(&path).unwrap();
    let mut headers =
        bytes.chunks(4_096).enumerate().filter(|(_, block)| block[16..20] == *b"EBK1");
    let last = headers.next_back().unwrap().0 * 4_096;
    for entries in [100, u32::MAX] {
        // How many the directory before names, after the stamp; then the header's checksum.
        let mut bytes = bytes.clone();
        bytes[last + 52..last + 56].copy_from_slice(&entries.to_le_bytes());
        let sum = crc32fast::hash(&bytes[last + 16..last + 68]);
        bytes[last + 68..last + 72].copy_from_slice(&sum.to_le_bytes());
        let disk = disk.fork();
        disk.set_bytes(&path, &bytes);
        let (wal, recovery) = open(&disk).await.unwrap();
        assert!(recovery.torn_tail || !recovery.quarantined.is_empty(), "{recovery:?}");
        assert_eq!(wal.last(&key(1)), Some((1, 1)));
    }
}
