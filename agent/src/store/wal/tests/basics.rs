//! What one replica's log gives back, in one life and after a restart.

use std::time::Duration;

use openraft::RaftLogReader;
use openraft::storage::RaftLogStorage;

use crate::env::fs::sim::SimDisk;
use crate::store::wal::WalConfig;

use super::support::{append, confirmed, entry, folder, id, key, open, small, vote, world};
use crate::store::wal::Wal;

#[tokio::test(start_paused = true)]
async fn what_was_synced_is_there_after_a_power_cut() {
    let disk = SimDisk::new();
    let (wal, recovery) = open(&disk).await.unwrap();
    assert!(recovery.sound.is_empty() && recovery.quarantined.is_empty());
    let mut log = wal.replica(key(1));
    log.save_vote(&vote(3, 9)).await.unwrap();
    append(&mut log, (1..=20).map(|index| entry(3, index, 300)).collect()).await.unwrap();
    disk.crash(1);
    let (wal, recovery) = open(&disk).await.unwrap();
    assert_eq!(recovery.sound, [key(1)]);
    let mut log = wal.replica(key(1));
    assert_eq!(log.read_vote().await.unwrap(), Some(vote(3, 9)));
    let entries = log.try_get_log_entries(..).await.unwrap();
    let expected: Vec<_> = (1..=20).map(|index| entry(3, index, 300)).collect();
    assert_eq!(entries, expected);
    assert_eq!(wal.last(&key(1)), Some((3, 20)));
    assert!(wal.log_bytes(&key(1)) > 20 * 300);
}

#[tokio::test(start_paused = true)]
async fn truncation_and_purge_survive_a_restart() {
    let disk = SimDisk::new();
    let (wal, _) = open(&disk).await.unwrap();
    let mut log = wal.replica(key(1));
    append(&mut log, (0..30).map(|index| entry(1, index, 50)).collect()).await.unwrap();
    log.purge(id(1, 9)).await.unwrap();
    log.truncate_after(Some(id(1, 19))).await.unwrap();
    append(&mut log, vec![entry(2, 20, 50)]).await.unwrap();
    disk.crash(2);
    let (wal, _) = open(&disk).await.unwrap();
    let mut log = wal.replica(key(1));
    let state = log.get_log_state().await.unwrap();
    assert_eq!(state.last_purged_log_id, Some(id(1, 9)));
    assert_eq!(state.last_log_id, Some(id(2, 20)));
    let entries = log.try_get_log_entries(..).await.unwrap();
    assert_eq!(entries.len(), 11);
    assert_eq!(entries[10], entry(2, 20, 50));
}

#[tokio::test(start_paused = true)]
async fn an_idle_writer_confirms_once_and_then_rests() {
    let disk = SimDisk::new();
    let (wal, _) = open(&disk).await.unwrap();
    let mut log = wal.replica(key(1));
    append(&mut log, vec![entry(1, 1, 10)]).await.unwrap();
    confirmed(&wal).await;
    let syncs = wal.sync_health().syncs;
    tokio::time::advance(Duration::from_secs(60)).await;
    tokio::task::yield_now().await;
    assert_eq!(wal.sync_health().syncs, syncs);
    assert_eq!(wal.sync_health().oldest_unsynced, None);
}

#[tokio::test(start_paused = true)]
async fn a_forgotten_replica_stays_forgotten() {
    let disk = SimDisk::new();
    let (wal, _) = open(&disk).await.unwrap();
    for shard in 1..=2 {
        append(&mut wal.replica(key(shard)), vec![entry(1, 1, 10)]).await.unwrap();
    }
    wal.forget(key(1)).await.unwrap();
    assert_eq!(wal.known(), [key(2)]);
    disk.crash(3);
    let (wal, recovery) = open(&disk).await.unwrap();
    assert_eq!(wal.known(), [key(2)]);
    assert!(recovery.quarantined.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_entry_larger_than_the_log_takes_is_refused() {
    let disk = SimDisk::new();
    let (wal, _) = open(&disk).await.unwrap();
    let mut log = wal.replica(key(1));
    let error = append(&mut log, vec![entry(1, 1, 60 << 10)]).await.unwrap_err();
    assert!(error.to_string().contains("the log takes"), "{error}");
    append(&mut log, vec![entry(1, 1, 10)]).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_hole_is_refused() {
    let disk = SimDisk::new();
    let (wal, _) = open(&disk).await.unwrap();
    let mut log = wal.replica(key(1));
    append(&mut log, vec![entry(1, 1, 10)]).await.unwrap();
    append(&mut log, vec![entry(1, 3, 10)]).await.unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn a_failed_sync_is_fatal_and_never_retried() {
    let disk = SimDisk::new();
    let (wal, _) = open(&disk).await.unwrap();
    let mut log = wal.replica(key(1));
    append(&mut log, vec![entry(1, 1, 10)]).await.unwrap();
    disk.fail_syncs(true);
    append(&mut log, vec![entry(1, 2, 10)]).await.unwrap_err();
    disk.fail_syncs(false);
    let writes = disk.writes();
    append(&mut log, vec![entry(1, 3, 10)]).await.unwrap_err();
    log.save_vote(&vote(2, 1)).await.unwrap_err();
    wal.canary().await.unwrap_err();
    assert_eq!(disk.writes(), writes);
    assert!(wal.fatal().borrow().is_some());
}

#[tokio::test(start_paused = true)]
async fn entries_out_of_the_cache_are_read_back() {
    let disk = SimDisk::new();
    let config = WalConfig { cache_bytes: 0, ..small() };
    let (wal, _) = Wal::open(&world(&disk), folder(), config).await.unwrap();
    let mut log = wal.replica(key(1));
    for index in 0..200 {
        append(&mut log, vec![entry(1, index, 700)]).await.unwrap();
    }
    let entries = log.try_get_log_entries(20..180).await.unwrap();
    assert_eq!(entries, (20..180).map(|index| entry(1, index, 700)).collect::<Vec<_>>());
    let limited = log.limited_get_log_entries(0, 200).await.unwrap();
    assert_eq!(limited[0], entry(1, 0, 700));
}

#[tokio::test(start_paused = true)]
async fn the_disk_is_asked_for_one_sync_when_many_wait() {
    let disk = SimDisk::new();
    let (wal, _) = open(&disk).await.unwrap();
    let before = wal.sync_health().syncs;
    let appends = (0..50).map(|shard| {
        let mut log = wal.replica(key(shard));
        async move { append(&mut log, vec![entry(1, 1, 20)]).await }
    });
    for outcome in futures::future::join_all(appends).await {
        outcome.unwrap();
    }
    assert!(wal.sync_health().syncs - before <= 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operating_systems_disk_and_threads_serve_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let env = crate::env::Env::real();
    for life in 0..3 {
        let (wal, recovery) = Wal::open(&env, folder.path(), small()).await.unwrap();
        assert!(recovery.quarantined.is_empty() && !recovery.torn_tail, "{recovery:?}");
        let mut log = wal.replica(key(1));
        let entries = (life * 100..life * 100 + 100).map(|index| entry(1, index, 700)).collect();
        append(&mut log, entries).await.unwrap();
        log.save_vote(&vote(life + 1, 1)).await.unwrap();
        let found = log.try_get_log_entries(..).await.unwrap().len() as u64;
        assert_eq!(found, (life + 1) * 100);
        // Its threads still write for a moment: two lives in one folder would harm each other,
        // which in the product the folder's lock prevents.
        let mut ended = wal.fatal();
        drop((log, wal));
        let gone = tokio::time::timeout(Duration::from_secs(60), ended.changed());
        assert!(gone.await.expect("its threads end").is_err(), "nothing failed");
    }
}
