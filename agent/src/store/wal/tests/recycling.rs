//! Segments are used again, and nothing that counts is lost with them.

use std::path::PathBuf;

use openraft::RaftLogReader;
use openraft::storage::RaftLogStorage;

use crate::env::fs::sim::SimDisk;

use super::support::{append, entry, id, key, open, segment_files, vote};

#[tokio::test(start_paused = true)]
async fn an_idle_replicas_vote_outlives_the_segment_it_was_written_to() {
    let disk = SimDisk::new();
    let (wal, _) = open(&disk).await.unwrap();
    let mut idle = wal.replica(key(7));
    idle.save_vote(&vote(9, 3)).await.unwrap();
    append(&mut idle, (5..8).map(|index| entry(9, index, 40)).collect()).await.unwrap();
    let mut busy = wal.replica(key(1));
    for index in 0..2_000 {
        append(&mut busy, vec![entry(1, index, 900)]).await.unwrap();
        if index % 10 == 9 {
            busy.purge(id(1, index - 5)).await.unwrap();
        }
    }
    assert!(wal.disk_bytes() <= 8 * (64 << 10), "{} bytes", wal.disk_bytes());
    assert!(segment_files(&disk).len() <= 12, "{:?}", segment_files(&disk));
    disk.crash(5);
    let (wal, recovery) = open(&disk).await.unwrap();
    assert!(recovery.quarantined.is_empty(), "{recovery:?}");
    let mut idle = wal.replica(key(7));
    assert_eq!(idle.read_vote().await.unwrap(), Some(vote(9, 3)));
    let entries = idle.try_get_log_entries(..).await.unwrap();
    assert_eq!(entries, (5..8).map(|index| entry(9, index, 40)).collect::<Vec<_>>());
    assert_eq!(wal.last(&key(1)), Some((1, 1_999)));
    // The last purge was not waited for; the one before was followed by synced entries.
    assert!(wal.purged(&key(1)) >= Some((1, 1_984)));
}

/// A cut tears the table of a segment that was just opened. Later that segment is the oldest, and
/// nothing before it tells any more where the chains go on.
#[tokio::test(start_paused = true)]
async fn a_torn_table_is_written_anew_before_it_is_the_only_one() {
    let disk = SimDisk::new();
    let (wal, _) = open(&disk).await.unwrap();
    let (mut idle, mut busy) = (wal.replica(key(7)), wal.replica(key(1)));
    idle.save_vote(&vote(9, 3)).await.unwrap();
    append(&mut busy, (0..5).map(|index| entry(1, index, 900)).collect()).await.unwrap();
    disk.crash(1);
    // The start opens a segment of its own: its table is what tears.
    drop(open(&disk).await.unwrap());
    disk.crash(2);
    let front = |path: &PathBuf| {
        let header = disk.bytes(path).unwrap();
        let number = |at: usize| u32::from_le_bytes(header[at..at + 4].try_into().unwrap());
        // Prepared files bear higher numbers, and are not open.
        (number(12), number(16))
    };
    let newest = segment_files(&disk).into_iter().max_by_key(front);
    disk.flip(&newest.expect("there are segments"), 4_096 + 8, 3);

    let (wal, recovery) = open(&disk).await.unwrap();
    assert!(recovery.quarantined.is_empty(), "{recovery:?}");
    let mut busy = wal.replica(key(1));
    for index in 5..400 {
        append(&mut busy, vec![entry(1, index, 900)]).await.unwrap();
        if index % 10 == 9 {
            busy.purge(id(1, index - 5)).await.unwrap();
        }
        let cut = disk.fork();
        cut.crash(index);
        let (_, recovery) = open(&cut).await.unwrap();
        assert!(recovery.quarantined.is_empty(), "cut at entry {index}: {recovery:?}");
    }
    let (wal, _) = open(&disk).await.unwrap();
    assert_eq!(wal.replica(key(7)).read_vote().await.unwrap(), Some(vote(9, 3)));
}

#[tokio::test(start_paused = true)]
async fn pressure_names_who_pins_the_log() {
    let disk = SimDisk::new();
    let (wal, _) = open(&disk).await.unwrap();
    let mut greedy = wal.replica(key(1));
    assert!(wal.pressure().is_empty());
    for index in 0..1_500 {
        append(&mut greedy, vec![entry(1, index, 900)]).await.unwrap();
    }
    assert_eq!(wal.pressure().first().map(|pin| pin.0), Some(key(1)));
    greedy.purge(id(1, 1_490)).await.unwrap();
    for index in 1_500..1_600 {
        append(&mut greedy, vec![entry(1, index, 900)]).await.unwrap();
    }
    assert!(wal.pressure().is_empty(), "{} bytes", wal.disk_bytes());
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_refuses_entries_and_still_records_a_vote() {
    let disk = SimDisk::new();
    let (wal, _) = open(&disk).await.unwrap();
    let mut log = wal.replica(key(1));
    append(&mut log, vec![entry(1, 0, 900)]).await.unwrap();
    tokio::task::yield_now().await;
    disk.set_capacity_bytes(Some(3 * (64 << 10)));
    let mut refused = None;
    for index in 1..500 {
        if let Err(error) = append(&mut log, vec![entry(1, index, 900)]).await {
            refused = Some((index, error.kind()));
            break;
        }
    }
    let (index, kind) = refused.expect("a full disk refuses");
    assert_eq!(kind, std::io::ErrorKind::StorageFull);
    log.save_vote(&vote(2, 5)).await.unwrap();
    disk.crash(9);
    disk.set_capacity_bytes(None);
    let (wal, recovery) = open(&disk).await.unwrap();
    assert!(recovery.quarantined.is_empty(), "{recovery:?}");
    let mut log = wal.replica(key(1));
    assert_eq!(log.read_vote().await.unwrap(), Some(vote(2, 5)));
    assert_eq!(wal.last(&key(1)), Some((1, index - 1)));
}
