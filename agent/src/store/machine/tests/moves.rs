//! State that moves: cuts, snapshots out and in, crashes in between, and the system shard's facts.

use evenkeel_shared::event::{Event, EventKind, Severity};
use evenkeel_shared::limits::EVENTS_MAX;
use evenkeel_shared::view::{ShardFacts, ShardPhase, SystemCommand};
use futures::stream;
use openraft::RaftSnapshotBuilder;
use openraft::storage::RaftStateMachine;

use super::*;

async fn filled(records: u64) -> Rig {
    let mut rig = Rig::serving().await;
    for sequence in 1..=records {
        let key = format!("k{sequence}");
        rig.one(START, operation(request(1, sequence, START), &key, put(&"v".repeat(999))));
    }
    rig
}

/// Sends a snapshot as it would travel, into another machine.
async fn send(from: &Machine, into: &Machine) -> SnapshotData {
    let mut staging = into.stage(77).await.unwrap();
    let (mut hasher, mut number) = (blake3::Hasher::new(), 0);
    for chunk in from.outgoing().chunks() {
        let chunk = chunk.unwrap();
        hasher.update(&chunk);
        staging.add(number, chunk).await.unwrap();
        number += 1;
    }
    staging.finish(number, *hasher.finalize().as_bytes()).await.unwrap()
}

#[tokio::test]
async fn an_image_ends_exactly_before_the_first_entry_above_its_cut() {
    let mut rig = filled(3).await;
    let cut = START.plus_ms(10);
    let waiting = rig.machine.image_at(cut).await.unwrap();
    let at_cut = operation(request(1, 4, START), "k4", put("at"));
    let above = operation(request(1, 5, START), "k5", put("above"));
    let batch = |hlc, operation| {
        EntryPayload::Normal(Command::Batch(Batch { hlc, operations: vec![operation] }))
    };
    // All in one job, which has to stop in its middle.
    let job = vec![
        rig.entry(batch(cut, at_cut)),
        rig.entry(batch(cut.next(), above)),
        rig.entry(EntryPayload::Blank),
    ];
    rig.machine.inner.apply(job).unwrap();
    let image = waiting.await.unwrap();
    assert_eq!((image.hlc(), image.index()), (cut, 4));
    assert_eq!(image.records().count(), 4);
    assert_eq!(image.content_hash().unwrap().content.records, 4);
    assert_eq!(rig.value("k5").as_deref(), Some("above"));
    assert!(matches!(rig.machine.image_at(cut).await, Err(MachineError::PastCut { .. })));
}

#[tokio::test]
async fn a_snapshot_carries_everything_that_apply_will_ask_for() {
    let mut rig = filled(2_000).await;
    rig.term = 2;
    rig.apply(EntryPayload::Blank);
    let mut other = Rig::of(SHARD).await;
    let staged = send(&rig.machine, &other.machine).await;
    let meta = staged.meta().unwrap();
    other.machine.install_snapshot(&meta, staged).await.unwrap();
    assert_eq!(other.machine.status(), rig.machine.status());
    assert_eq!(
        other.machine.content_hash().await.unwrap(),
        rig.machine.content_hash().await.unwrap()
    );
    other.engine.lose_unsynced();
    other.reopen().await;
    (other.next, other.term) = (rig.next, rig.term);
    // A retry, a term, the next write: all as on the replica that applied the log.
    for sequence in [1_999, 2_001] {
        let write = operation(request(1, sequence, START), "again", put("x"));
        assert_eq!(other.one(START, write.clone()), rig.one(START, write));
    }
    assert_eq!(other.machine.term_at(5).unwrap(), Some(1));
    assert_eq!(other.machine.status(), rig.machine.status());
    // One tree for the replica, and the pointers.
    assert_eq!(other.engine.list().unwrap().len(), 2);
}

#[tokio::test]
async fn a_transfer_that_is_cut_short_or_altered_is_refused_and_leaves_nothing() {
    let rig = filled(2_000).await;
    let other = filled(1).await;
    let before = other.machine.content_hash().await.unwrap();
    let chunks: Vec<_> = rig.machine.outgoing().chunks().map(Result::unwrap).collect();
    assert!(chunks.len() >= 3);
    let mut staging = other.machine.stage(1).await.unwrap();
    staging.add(0, chunks[0].clone()).await.unwrap();
    staging.add(0, chunks[0].clone()).await.unwrap();
    assert!(matches!(
        staging.add(2, chunks[2].clone()).await,
        Err(MachineError::BadSnapshot { .. })
    ));
    let hash = *blake3::hash(&chunks[0]).as_bytes();
    assert!(matches!(staging.finish(2, hash).await, Err(MachineError::BadSnapshot { .. })));
    let mut staging = other.machine.stage(2).await.unwrap();
    staging.add(0, chunks[0].clone()).await.unwrap();
    assert!(matches!(staging.finish(1, [0; 32]).await, Err(MachineError::BadSnapshot { .. })));
    let mut staging = other.machine.stage(3).await.unwrap();
    let torn = chunks[0].slice(..chunks[0].len() - 1);
    assert!(matches!(staging.add(0, torn).await, Err(MachineError::BadSnapshot { .. })));
    drop(staging);
    assert_eq!(other.engine.list().unwrap().len(), 2, "its tree and the pointers");
    assert_eq!(other.machine.content_hash().await.unwrap(), before);
}

#[tokio::test]
async fn a_crash_before_the_install_leaves_the_old_tree_and_sweeps_the_new() {
    let rig = filled(10).await;
    let mut other = filled(3).await;
    let before = other.machine.status();
    let staged = send(&rig.machine, &other.machine).await;
    // Synced by somebody else's commit, and then the process is gone.
    other.engine.sync().unwrap();
    std::mem::forget(staged);
    other.engine.lose_unsynced();
    assert_eq!(other.engine.list().unwrap().len(), 3);
    other.reopen().await;
    assert_eq!(other.machine.status(), before);
    assert_eq!(other.engine.list().unwrap().len(), 2, "its tree and the pointers");
}

#[tokio::test]
async fn rule_20_what_a_built_snapshot_covers_survives_the_machine() {
    let mut rig = filled(5).await;
    let snapshot = rig.machine.build_snapshot().await.unwrap();
    rig.one(START, operation(request(1, 6, START), "k6", put("v")));
    rig.engine.lose_unsynced();
    rig.reopen().await;
    let (applied, _) = rig.machine.applied_state().await.unwrap();
    assert_eq!(applied, snapshot.meta.last_log_id);
    assert_eq!(rig.machine.status().applied_index(), 5);
    let current = rig.machine.get_current_snapshot().await.unwrap().unwrap();
    assert_eq!(current.meta, snapshot.meta);
}

#[tokio::test]
async fn a_machine_on_disk_is_filled_restarted_and_goes_on() {
    use crate::store::engine::fjall::{FjallEngine, FjallLimits};
    let folder = tempfile::TempDir::new().unwrap();
    let mut rig = filled(1_500).await;
    let id = rig.machine.id();
    let engine = || FjallEngine::open(folder.path(), FjallLimits::default()).unwrap();
    let machine = Machine::open(id, &Env::real(), Arc::new(engine())).await.unwrap();
    let staged = send(&rig.machine, &machine).await;
    machine.clone().install_snapshot(&staged.meta().unwrap(), staged).await.unwrap();
    let write = operation(request(1, 1_501, START), "more", put("v"));
    let batch = Command::Batch(Batch { hlc: START, operations: vec![write] });
    let entry = rig.entry(EntryPayload::Normal(batch));
    machine.inner.apply(vec![entry.clone()]).unwrap();
    rig.machine.inner.apply(vec![entry]).unwrap();
    drop(machine);
    let machine = Machine::open(id, &Env::real(), Arc::new(engine())).await.unwrap();
    assert_eq!(machine.status(), rig.machine.status());
    assert_eq!(machine.content_hash().await.unwrap(), rig.machine.content_hash().await.unwrap());
    assert!(machine.size_bytes() > 0);
    machine.destroy().await.unwrap();
}

#[tokio::test]
async fn a_pointer_to_a_missing_tree_is_not_taken_for_an_empty_replica() {
    let rig = filled(3).await;
    let other = Rig::of(SHARD).await;
    let staged = send(&rig.machine, &other.machine).await;
    other.machine.clone().install_snapshot(&staged.meta().unwrap(), staged).await.unwrap();
    let names = other.engine.list().unwrap();
    let tree = names.iter().find(|name| *name != POINTERS).unwrap();
    other.engine.delete(tree).unwrap();
    let engine = Arc::clone(&other.engine) as Arc<dyn Engine>;
    let opened = Machine::open(other.machine.id(), &Env::real(), engine).await;
    assert!(matches!(opened, Err(MachineError::Missing { .. })));
}

#[tokio::test]
async fn an_empty_machine_has_no_snapshot() {
    let mut rig = Rig::of(SHARD).await;
    assert!(rig.machine.get_current_snapshot().await.unwrap().is_none());
    assert_eq!(rig.machine.status().applied, None);
}

#[tokio::test]
async fn committed_entries_come_as_a_stream() {
    let mut rig = Rig::serving().await;
    let entries: Vec<_> = (0..3_000).map(|_| Ok((rig.entry(EntryPayload::Blank), None))).collect();
    let mut status = rig.machine.watch_status();
    RaftStateMachine::<TypeConfig>::apply(&mut rig.machine, stream::iter(entries)).await.unwrap();
    assert_eq!(status.borrow_and_update().applied, Some((1, 3_000)));
}

#[tokio::test]
async fn a_destroyed_machine_is_gone_and_says_so() {
    let mut rig = filled(3).await;
    let staging = rig.machine.stage(1).await.unwrap();
    rig.machine.destroy().await.unwrap();
    drop(staging);
    assert_eq!(rig.engine.list().unwrap(), [POINTERS]);
    let entry = rig.entry(EntryPayload::Blank);
    assert!(matches!(rig.machine.inner.apply(vec![entry]), Err(MachineError::Stopped(SHARD))));
    assert!(matches!(rig.machine.stage(2).await, Err(MachineError::Stopped(SHARD))));
    rig.reopen().await;
    assert_eq!(rig.machine.status().applied, None);
}

fn founding() -> SystemCommand {
    let mut facts = ClusterFacts::default();
    let system = ShardFacts {
        id: ShardId::SYSTEM,
        keyspace: KeyspaceId(0),
        history: History::default(),
        slots: Vec::new(),
        first_voters: Vec::new(),
        replicas: std::collections::BTreeMap::new(),
        epoch: Epoch(0),
        phase: ShardPhase::Serving,
    };
    facts.shards.insert(ShardId::SYSTEM, system);
    SystemCommand::Found(Box::new(facts))
}

fn line(what: &str) -> Event {
    Event {
        id: 0,
        unix_ms: 1,
        reporter: NodeId(1),
        kind: EventKind::Audit,
        severity: Severity::Info,
        node: None,
        shard: None,
        what: what.to_owned(),
        why: String::new(),
        took_us: None,
    }
}

#[tokio::test]
async fn facts_and_journal_are_told_kept_and_bounded() {
    let mut rig = Rig::of(ShardId::SYSTEM).await;
    let (mut facts, mut events) = (rig.machine.facts(), rig.machine.watch_events());
    let system = |rig: &mut Rig, command| {
        let command = Command::System { hlc: START, command: Box::new(command) };
        assert!(matches!(rig.command(command), Applied::System(Ok(_))));
    };
    system(&mut rig, founding());
    assert!(facts.has_changed().unwrap());
    assert_eq!(facts.borrow_and_update().revision, 1);
    let lines = (0..EVENTS_MAX + 5).map(|number| line(&number.to_string())).collect();
    system(&mut rig, SystemCommand::Journal(vec![line("first")]));
    assert_eq!(events.recv().await.unwrap().id, 1);
    system(&mut rig, SystemCommand::Journal(lines));
    assert!(!facts.has_changed().unwrap(), "lines are no facts");
    rig.reopen().await;
    assert_eq!(rig.machine.facts().borrow().revision, 1);
    let all = rig.machine.events_after(0, usize::MAX).unwrap();
    assert_eq!(all.len(), EVENTS_MAX);
    let last = u64::try_from(EVENTS_MAX).unwrap() + 6;
    assert_eq!(all.last().map(|event| event.id), Some(last));
    assert_eq!(rig.machine.events_after(last - 2, 1).unwrap()[0].id, last - 1);
}
