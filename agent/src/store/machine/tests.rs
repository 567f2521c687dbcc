//! What a machine answers and keeps, entry by entry.

mod flips;
mod model;
mod moves;
mod remembered;
mod salvage;
mod trees;

use std::sync::Arc;

use bytes::Bytes;
use evenkeel_shared::command::{
    Applied, Batch, Command, Expected, Operation, OperationResult, Record, RequestId, StoredRecord,
    WriteAction,
};
use evenkeel_shared::ids::{ClientId, IntentId, NodeId};
use evenkeel_shared::key::Slot;
use evenkeel_shared::limits::{CLIENT_LEASE, CLIENTS_PER_SHARD_MAX};
use evenkeel_shared::version::Version;
use openraft::EntryPayload;

use super::*;
use crate::store::engine::memory::MemoryEngine;
use crate::store::raft::{Entry, LogId, TypeConfig};

const KEYSPACE: KeyspaceId = KeyspaceId(1);
const SHARD: ShardId = ShardId(3);
/// Some moment from which the tests count.
const START: Hlc = Hlc(1_000_000 << 16);

/// A machine with a log that grows by itself.
struct Rig {
    engine: Arc<MemoryEngine>,
    machine: Machine,
    next: u64,
    term: u64,
}

fn machine_id(shard: ShardId) -> MachineId {
    let history = History { number: 1, salt: 7 };
    MachineId { shard, history, replica: ReplicaId::new(NodeId(1), 5) }
}

async fn open(engine: &Arc<MemoryEngine>, shard: ShardId) -> Machine {
    let engine = Arc::clone(engine) as Arc<dyn Engine>;
    Machine::open(machine_id(shard), &Env::real(), engine).await.unwrap()
}

impl Rig {
    async fn of(shard: ShardId) -> Self {
        let engine = Arc::new(MemoryEngine::new());
        let machine = open(&engine, shard).await;
        Self { engine, machine, next: 0, term: 1 }
    }

    /// A shard that owns every slot and takes writes.
    async fn serving() -> Self {
        let mut rig = Self::of(SHARD).await;
        rig.command(own(true));
        rig
    }

    async fn reopen(&mut self) {
        let shard = self.machine.id().shard;
        self.machine = open(&self.engine, shard).await;
    }

    fn entry(&mut self, payload: Payload) -> Entry {
        let leader = openraft::alias::CommittedLeaderIdOf::<TypeConfig>::new(self.term);
        let log_id = LogId::new(leader, self.next);
        self.next += 1;
        Entry { log_id, payload }
    }

    fn apply(&mut self, payload: Payload) -> Applied {
        let entry = self.entry(payload);
        self.machine.inner.apply(vec![entry]).unwrap().remove(0)
    }

    fn command(&mut self, command: Command) -> Applied {
        self.apply(EntryPayload::Normal(command))
    }

    fn batch(&mut self, hlc: Hlc, operations: Vec<Operation>) -> Vec<OperationResult> {
        match self.command(Command::Batch(Batch { hlc, operations })) {
            Applied::Batch(results) => results,
            other => panic!("a batch answered {other:?}"),
        }
    }

    fn one(&mut self, hlc: Hlc, operation: Operation) -> OperationResult {
        self.batch(hlc, vec![operation]).remove(0)
    }

    /// Rows of a kind.
    fn count(&self, kind: u8) -> usize {
        let view = self.machine.inner.tree().view();
        view.range(crate::store::engine::RowRange::prefix(&[kind])).count()
    }

    fn value(&self, key: &str) -> Option<String> {
        let slot = Slot::of(key.as_bytes());
        let now = self.machine.status().hlc;
        let record = self.machine.get(KEYSPACE, slot, key.as_bytes(), now).unwrap();
        record.map(|record| String::from_utf8(record.value.to_vec()).unwrap())
    }
}

fn own(open: bool) -> Command {
    Command::Own { hlc: START, keyspace: KEYSPACE, slots: vec![SlotRange::ALL], open }
}

fn request(client: u64, sequence: u64, first_attempt: Hlc) -> RequestId {
    RequestId { client: ClientId(client), sequence, first_attempt }
}

fn operation(request: RequestId, key: &str, action: WriteAction) -> Operation {
    let key = Bytes::copy_from_slice(key.as_bytes());
    Operation { request, slot: Slot::of(&key), key, action }
}

fn put(value: &str) -> WriteAction {
    WriteAction::Put { value: Bytes::copy_from_slice(value.as_bytes()), expires: None }
}

fn put_until(value: &str, expires: Hlc) -> WriteAction {
    WriteAction::Put { value: Bytes::copy_from_slice(value.as_bytes()), expires: Some(expires) }
}

fn done(result: &OperationResult) -> (Version, bool) {
    match result {
        OperationResult::Done { version, existed } => (*version, *existed),
        other => panic!("not done: {other:?}"),
    }
}

#[tokio::test]
async fn operations_of_one_batch_see_those_before() {
    let mut rig = Rig::serving().await;
    let cas = WriteAction::CompareAndSet {
        expected: Expected::Value(Bytes::from_static(b"one")),
        value: Bytes::from_static(b"two"),
        expires: None,
    };
    let results = rig.batch(
        START,
        vec![
            operation(request(1, 1, START), "k", put("one")),
            operation(request(1, 2, START), "k", cas.clone()),
            operation(request(1, 3, START), "k", cas),
            operation(request(1, 4, START), "k", WriteAction::Delete),
            operation(request(1, 5, START), "k", WriteAction::Delete),
        ],
    );
    let (version, existed) = done(&results[0]);
    assert!(!existed);
    assert_eq!(version, Version { shard: SHARD, epoch: Epoch(1), term: 1, index: 1 });
    assert!(done(&results[1]).1);
    assert_eq!(results[2], OperationResult::ConditionFailed { actual: Some(version) });
    assert!(done(&results[3]).1);
    assert!(!done(&results[4]).1);
    assert_eq!(rig.value("k"), None);
}

/// A data folder of the first format: one row a place in a ring.
#[tokio::test]
async fn rule_16_only_owned_slots_of_an_open_shard_take_writes() {
    let mut rig = Rig::of(SHARD).await;
    let mut sequence = 0;
    let mut write = |rig: &mut Rig, key: &str| {
        sequence += 1;
        rig.one(START, operation(request(1, sequence, START), key, put("v")))
    };
    assert_eq!(write(&mut rig, "foo"), OperationResult::NotOwned);
    let Slot(slot) = Slot::of(b"foo");
    let slots = vec![SlotRange(slot, slot)];
    rig.command(Command::Own { hlc: START, keyspace: KEYSPACE, slots, open: false });
    assert_eq!(write(&mut rig, "foo"), OperationResult::NotOwned);
    rig.command(Command::Open { hlc: START, intent: IntentId(1) });
    done(&write(&mut rig, "foo"));
    assert_eq!(write(&mut rig, "bar"), OperationResult::NotOwned);
    rig.command(Command::Seal { hlc: START, intent: IntentId(2) });
    assert_eq!(write(&mut rig, "foo"), OperationResult::NotOwned);
    // A straggler of another intent, or a late duplicate of the first command, opens nothing.
    rig.command(Command::Open { hlc: START, intent: IntentId(1) });
    rig.command(own(true));
    assert_eq!(rig.machine.status().phase, MachinePhase::Sealed(IntentId(2)));
    rig.command(Command::Open { hlc: START, intent: IntentId(2) });
    done(&write(&mut rig, "foo"));
    assert_eq!(rig.machine.status().epoch, Epoch(4));
}

#[tokio::test]
async fn rule_19_time_rises_with_every_kind_of_entry() {
    let mut rig = Rig::serving().await;
    let mut last = rig.machine.status().hlc;
    assert_eq!(last, START);
    let voters = vec![std::collections::BTreeSet::from([ReplicaId(1)])];
    let membership = openraft::Membership::new_with_defaults(voters, []);
    for payload in [
        EntryPayload::Blank,
        EntryPayload::Membership(membership.clone()),
        // A leader whose clock is slow.
        EntryPayload::Normal(Command::Barrier { hlc: Hlc(5) }),
        EntryPayload::Blank,
    ] {
        let epoch = rig.machine.status().epoch;
        let raises = matches!(payload, EntryPayload::Membership(_));
        rig.apply(payload);
        let status = rig.machine.status();
        assert_eq!(status.hlc, last.next());
        assert_eq!(status.epoch.0, epoch.0 + u64::from(raises));
        last = status.hlc;
    }
    rig.reopen().await;
    assert_eq!(rig.machine.status().hlc, last);
    let core = rig.machine.inner.core().unwrap();
    assert_eq!(*core.state.meta.membership.membership(), membership);
}

#[tokio::test]
async fn an_ended_record_is_absent_for_reads_conditions_and_hashes() {
    let mut rig = Rig::serving().await;
    let end = START.plus_ms(10);
    rig.one(START, operation(request(1, 1, START), "k", put_until("v", end)));
    assert_eq!(rig.value("k").as_deref(), Some("v"));
    rig.command(Command::Barrier { hlc: end });
    assert_eq!(rig.value("k"), None);
    assert_eq!(rig.machine.content_hash().await.unwrap().content.records, 0);
    let cas = WriteAction::CompareAndSet {
        expected: Expected::Absent,
        value: Bytes::from_static(b"w"),
        expires: None,
    };
    assert!(!done(&rig.one(end, operation(request(1, 2, START), "k", cas))).1);
    assert_eq!(rig.value("k").as_deref(), Some("w"));
}

#[tokio::test]
async fn ended_records_are_swept_and_renewed_ones_stay() {
    let mut rig = Rig::serving().await;
    let (end, later) = (START.plus_ms(10), START.plus_ms(99));
    for (sequence, key) in [(1, "a"), (2, "b"), (3, "c"), (4, "d")] {
        rig.one(START, operation(request(2, sequence, START), key, put_until("v", end)));
    }
    let blind = WriteAction::PutBlind { value: Bytes::from_static(b"v"), expires: None };
    let written = rig.one(START, operation(request(1, 6, START), "d", blind));
    assert!(matches!(written, OperationResult::Written { .. }), "{written:?}");
    rig.one(START, operation(request(1, 4, START), "b", put_until("v", later)));
    rig.one(START, operation(request(1, 5, START), "c", put("v")));
    rig.command(Command::Barrier { hlc: end });
    assert_eq!((rig.count(rows::DATA), rig.count(rows::EXPIRIES)), (3, 1));
    assert_eq!(rig.machine.inner.core().unwrap().state.expiry_first, Some(later));
}

#[tokio::test]
async fn a_backup_is_ingested_as_it_was_and_only_before_the_shard_opens() {
    let mut rig = Rig::of(SHARD).await;
    let version = Version { shard: ShardId(1), epoch: Epoch(9), term: 8, index: 7 };
    let record = Record { value: Bytes::from_static(b"v"), version, hlc: Hlc(5), expires: None };
    let stored = StoredRecord { slot: Slot::of(b"k"), key: Bytes::from_static(b"k"), record };
    let ingest = Command::Ingest { hlc: START, records: vec![stored.clone()] };
    let refused = Applied::Batch(vec![OperationResult::NotOwned]);
    assert_eq!(rig.command(ingest.clone()), refused);
    rig.command(own(false));
    let result = OperationResult::Done { version, existed: false };
    assert_eq!(rig.command(ingest.clone()), Applied::Batch(vec![result]));
    let image = rig.machine.image_now().unwrap();
    assert_eq!(image.records().collect::<Result<Vec<_>, _>>().unwrap(), [stored]);
    rig.command(Command::Open { hlc: START, intent: IntentId(1) });
    assert_eq!(rig.command(ingest), refused);
}

#[tokio::test]
async fn a_scan_goes_through_slots_and_keys_in_order_page_by_page() {
    let mut rig = Rig::serving().await;
    let mut keys: Vec<String> = (0..50).map(|n| format!("a{n}")).collect();
    keys.extend((0..50).map(|n| format!("b{n}")));
    keys.extend((0..20).map(|n| format!("{{tag}}{n}")));
    for (key, sequence) in keys.iter().zip(1..) {
        rig.one(START, operation(request(1, sequence, START), key, put("v")));
    }
    for prefix in ["", "b", "b1", "c", "{", "{tag", "{tag}", "{tag}1", "{}"] {
        let mut wanted: Vec<_> = keys.iter().filter(|key| key.starts_with(prefix)).collect();
        wanted.sort_by_key(|key| (Slot::of(key.as_bytes()), *key));
        let mut found = Vec::new();
        let mut after = None;
        loop {
            let query = ScanQuery {
                keyspace: KEYSPACE,
                prefix: Bytes::copy_from_slice(prefix.as_bytes()),
                after: after.clone(),
                limit: 7,
                bytes_max: 12,
                keys_only: true,
                now: START,
            };
            let page = rig.machine.scan(query).await.unwrap();
            assert!(page.records.len() <= 7);
            after = page.records.last().map(|stored| (stored.slot, stored.key.clone()));
            found.extend(page.records.into_iter().map(|stored| stored.key));
            if !page.more {
                break;
            }
        }
        assert_eq!(found, wanted, "prefix {prefix:?}");
    }
}

#[tokio::test]
async fn rule_18_the_term_of_an_index_is_remembered() {
    let mut rig = Rig::serving().await;
    rig.apply(EntryPayload::Blank);
    rig.term = 4;
    rig.apply(EntryPayload::Blank);
    rig.apply(EntryPayload::Blank);
    rig.reopen().await;
    let terms: Vec<_> = (0..5).map(|index| rig.machine.term_at(index).unwrap()).collect();
    assert_eq!(terms, [Some(1), Some(1), Some(4), Some(4), None]);
}

#[tokio::test]
async fn a_data_shard_refuses_system_commands() {
    use evenkeel_shared::view::SystemCommand;
    let mut rig = Rig::serving().await;
    let command = Box::new(SystemCommand::Journal(Vec::new()));
    let answer = rig.command(Command::System { hlc: START, command });
    assert!(matches!(answer, Applied::System(Err(_))));
}
