//! When writes are acknowledged: by the leader's disk, by a quorum's, by every voter's.

use evenkeel_shared::command::Expected;
use evenkeel_shared::ids::IntentId;

use super::*;

const VALUE: Bytes = Bytes::from_static(b"v");

/// A request that no shard has seen.
fn operation(name: &'static str, sequence: u64, action: WriteAction) -> Operation {
    let first_attempt = Hlc::from_unix_ms(Env::real().clock.unix_ms());
    let key = Bytes::from_static(name.as_bytes());
    let request = RequestId { client: ClientId(9), sequence, first_attempt };
    Operation { request, slot: Slot::of(&key), action, key }
}

fn put(name: &'static str, sequence: u64) -> Operation {
    operation(name, sequence, WriteAction::Put { value: VALUE, expires: None })
}

fn asking(sync: SyncPolicy, operations: Vec<Operation>) -> Write {
    Write { operations, sync, by: Deadline::after(PATIENCE.unwrap()) }
}

fn asking_by(sync: SyncPolicy, operation: Operation, wait: Duration) -> Write {
    Write { operations: vec![operation], sync, by: Deadline::after(wait) }
}

impl Life {
    /// Ends, whatever waits for a disk.
    async fn lose_power(self, disks: &[SimDisk; 3]) {
        for (seed, disk) in (1..).zip(disks) {
            disk.crash(seed);
        }
        self.end().await;
    }
}

fn version(result: &OperationResult) -> u64 {
    result.version().unwrap_or_else(|| panic!("{result:?} has no version")).index
}

/// Nobody else's disk has it: that is what `leader` promises, and all that it promises.
#[tokio::test(flavor = "multi_thread")]
async fn a_write_for_the_leaders_disk_is_acknowledged_without_any_other() {
    let disks = [SimDisk::new(), SimDisk::new(), SimDisk::new()];
    let life = begun(&disks).await;
    let [leader, ..] = &life.groups;
    disks[1].hold_syncs();
    disks[2].hold_syncs();
    let written = leader.operate(asking(SyncPolicy::Leader, vec![put("k", 1), put("l", 2)])).await;
    let written = written.unwrap();
    assert_eq!(written.sync, SyncPolicy::Leader);
    let [one, two] = &written.results[..] else { panic!("{written:?}") };
    assert!(matches!(one, OperationResult::Provisional { .. }), "{one:?}");
    assert_eq!(version(one), version(two), "they share an entry");
    assert_eq!(version(one), written.place.1);
    assert_eq!(written.place.0, leader.term());
    assert!(leader.machine.status().applied.is_none_or(|(_, index)| index < written.place.1));
    life.lose_power(&disks).await;
}

/// Its own disk has not got it either: nothing is acknowledged.
#[tokio::test(flavor = "multi_thread")]
async fn a_write_for_the_leaders_disk_waits_for_it_or_for_a_quorum() {
    let disks = [SimDisk::new(), SimDisk::new(), SimDisk::new()];
    let life = begun(&disks).await;
    let [leader, ..] = &life.groups;
    disks[0].hold_syncs();
    let written = leader.operate(asking(SyncPolicy::Leader, vec![put("k", 1)])).await.unwrap();
    assert_eq!(written.sync, SyncPolicy::Quorum, "two others have it: {written:?}");
    assert!(matches!(written.results[..], [OperationResult::Done { existed: false, .. }]));
    life.lose_power(&disks).await;
}

/// What it answers, or whether it is applied at all, is only known once it is committed.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_log_must_decide_waits_for_a_quorum_whatever_was_asked() {
    let disks = [SimDisk::new(), SimDisk::new(), SimDisk::new()];
    let life = begun(&disks).await;
    let [leader, ..] = &life.groups;
    let ask = |operation: Operation| leader.operate(asking(SyncPolicy::Leader, vec![operation]));
    let first = ask(put("k", 1)).await.unwrap();
    let (expected, value) = (Expected::Value(VALUE), Bytes::from_static(b"w"));
    let cas = WriteAction::CompareAndSet { expected, value, expires: None };
    let swapped = ask(operation("k", 2, cas)).await.unwrap();
    assert_eq!(swapped.sync, SyncPolicy::Quorum);
    assert!(matches!(swapped.results[..], [OperationResult::Done { existed: true, .. }]));
    let counted = ask(operation("n", 3, WriteAction::Add { by: 5 })).await.unwrap();
    assert_eq!(counted.sync, SyncPolicy::Quorum);
    assert!(matches!(counted.results[..], [OperationResult::Counted { value: 5, .. }]));
    // It may have been applied already: only the log can tell.
    let again = ask(put("k", 1)).await.unwrap();
    assert_eq!(again.sync, SyncPolicy::Quorum);
    assert_eq!(version(&again.results[0]), first.place.1, "{again:?}");
    let found = leader.machine.get(KEYSPACE, Slot::of(b"k"), b"k", Hlc::default()).unwrap();
    assert_eq!(found.unwrap().value, "w", "the first write was not applied again");
    // A sealed shard refuses, which it only knows once everything before is applied.
    let seal = Command::Seal { hlc: Hlc::default(), intent: IntentId(1) };
    leader.propose(seal).await.unwrap();
    let refused = ask(put("k", 4)).await.unwrap();
    assert_eq!(
        (&refused.results[..], refused.sync),
        (&[OperationResult::NotOwned][..], SyncPolicy::Quorum)
    );
    life.lose_power(&disks).await;
}

/// A caller who asked for every disk is told by how many it is held when time is over: it may
/// still reach them, and is never called failed.
#[tokio::test(flavor = "multi_thread")]
async fn a_write_for_all_disks_waits_for_all_and_is_told_how_many_have_it() {
    let disks = [SimDisk::new(), SimDisk::new(), SimDisk::new()];
    let life = begun(&disks).await;
    let [leader, ..] = &life.groups;
    let written = leader.operate(asking(SyncPolicy::All, vec![put("k", 1)])).await.unwrap();
    assert_eq!(written.sync, SyncPolicy::All);
    for group in &life.groups {
        assert!(group.wal.last(&group.key).unwrap().1 >= written.place.1, "{}", group.key);
    }
    disks[2].hold_syncs();
    let short = asking_by(SyncPolicy::All, put("k", 2), Duration::from_millis(500));
    let told = leader.operate(short).await;
    assert_eq!(told, Err(StoreError::NotEverywhere { persisted_by: 2, voters: 3 }));
    // What only a quorum must have goes on beside it.
    let other = leader.operate(asking(SyncPolicy::Quorum, vec![put("l", 3)])).await.unwrap();
    assert_eq!(other.sync, SyncPolicy::Quorum);
    life.lose_power(&disks).await;
}
