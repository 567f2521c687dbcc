//! A store in memory, for conversations.

use std::collections::BTreeMap;
use std::sync::Mutex;

use evenkeel_shared::command::{Expected, OperationResult, WriteAction};
use evenkeel_shared::error::StoreError;
use evenkeel_shared::ids::{Epoch, ShardId};
use evenkeel_shared::key::Slot;
use evenkeel_shared::version::{Hlc, Version};
use futures::future::FutureExt;
use tokio::sync::Semaphore;

use super::super::super::{
    About, Answer, Map, Page, Paged, Place, Reading, Seen, SeenRecord, Write, Written,
};
use super::*;

/// A store in memory. Keys that begin with `slow` wait at the gate, `broken` has no quorum, and
/// `doubt` is never sure.
pub(super) struct Memory {
    pub(super) records: Mutex<BTreeMap<Bytes, SeenRecord>>,
    pub(super) writes: Mutex<Vec<Write>>,
    /// How many writes came at once, each time.
    pub(super) batches: Mutex<Vec<usize>>,
    pub(super) places: Mutex<BTreeMap<u16, Place>>,
    pub(super) gate: Semaphore,
    pub(super) begun: Semaphore,
}

#[derive(Clone)]
pub(super) struct Store(pub(super) Arc<Memory>);

/// The time of every record and every look.
const NOW: Hlc = Hlc(1_000_000 << 16);

impl Store {
    pub(super) fn new() -> Self {
        Self(Arc::new(Memory {
            records: Mutex::default(),
            writes: Mutex::default(),
            batches: Mutex::default(),
            places: Mutex::default(),
            gate: Semaphore::new(0),
            begun: Semaphore::new(0),
        }))
    }

    fn after<T: Send + 'static>(
        &self,
        keys: &[Bytes],
        job: impl FnOnce(&Memory) -> T + Send + 'static,
    ) -> Answer<T> {
        let (memory, keys) = (self.0.clone(), keys.to_vec());
        memory.begun.add_permits(keys.len());
        async move {
            for _ in keys.iter().filter(|key| key.starts_with(b"slow")) {
                memory.gate.acquire().await.expect("the gate is never closed").forget();
            }
            Ok(job(&memory))
        }
        .boxed()
    }
}

fn trouble(key: &[u8]) -> Result<(), StoreError> {
    match key {
        b"broken" => Err(StoreError::NoQuorum { shard: ShardId(3) }),
        b"doubt" => Err(StoreError::Unknown { why: "an\r\nanswer".to_owned() }),
        _ => Ok(()),
    }
}

impl Memory {
    fn write(&self, write: Write) -> OperationResult {
        let mut records = self.records.lock().unwrap();
        let mut writes = self.writes.lock().unwrap();
        let index = writes.len() as u64 + 1;
        writes.push(write.clone());
        let version = Version { shard: ShardId(1), epoch: Epoch(1), term: 1, index };
        let Write { key, action, ttl_ms } = write;
        let before = records.get(&key).cloned();
        let existed = before.is_some();
        let holds = |expected: &Expected| match expected {
            Expected::Absent => before.is_none(),
            Expected::Value(value) => before.as_ref().is_some_and(|it| it.value == value),
            Expected::Version(version) => before.as_ref().is_some_and(|it| it.version == *version),
        };
        let failed =
            OperationResult::ConditionFailed { actual: before.as_ref().map(|it| it.version) };
        let end = ttl_ms.map(|ms| NOW.plus_ms(ms));
        let mut set = |value, expires: Option<Hlc>| {
            let expires = end.or(expires);
            records.insert(key.clone(), SeenRecord { value, version, expires });
        };
        match action {
            WriteAction::Put { value, expires } | WriteAction::PutBlind { value, expires } => {
                set(value, expires);
            }
            WriteAction::CompareAndSet { expected, value, expires } => {
                if !holds(&expected) {
                    return failed;
                }
                set(value, expires);
            }
            WriteAction::CompareAndDelete { expected } if !holds(&expected) => return failed,
            WriteAction::Delete | WriteAction::CompareAndDelete { .. } => {
                records.remove(&key);
            }
            WriteAction::Add { by } => {
                let text = before.map_or("0".into(), |it| it.value);
                let number = std::str::from_utf8(&text).ok().and_then(|it| it.parse::<i64>().ok());
                let Some(value) = number.and_then(|it| it.checked_add(by)) else {
                    return OperationResult::NotANumber;
                };
                set(value.to_string().into(), None);
                return OperationResult::Counted { version, value };
            }
            WriteAction::Rename { to, replace } => {
                let Some(record) = before else { return failed };
                if let Some(there) = records.get(&to).filter(|_| !replace) {
                    return OperationResult::ConditionFailed { actual: Some(there.version) };
                }
                records.remove(&key);
                records.insert(to, record);
            }
        }
        OperationResult::Done { version, existed }
    }
}

impl KeyValue for Store {
    fn connection(&self) -> Arc<dyn KeyValue> {
        Arc::new(self.clone())
    }

    fn read(&self, keys: Vec<Bytes>, _: Reading, _: Duration) -> Answer<Vec<Seen>> {
        let wanted = keys.clone();
        self.after(&keys, move |memory| {
            let records = memory.records.lock().unwrap();
            let seen = |key: &Bytes| {
                trouble(key).map(|()| Seen { record: records.get(key).cloned(), now: NOW })
            };
            wanted.iter().map(seen).collect::<Result<Vec<_>, _>>()
        })
        .map(|seen| seen?)
        .boxed()
    }

    fn write(&self, writes: Vec<Write>, _: Duration) -> Answer<Vec<Written>> {
        let keys: Vec<Bytes> = writes.iter().map(|write| write.key.clone()).collect();
        self.0.batches.lock().unwrap().push(writes.len());
        self.after(&keys, move |memory| {
            let write = |write: Write| trouble(&write.key).map(|()| memory.write(write));
            writes.into_iter().map(write).collect()
        })
    }

    fn page(&self, page: Page, _: Duration) -> Answer<Paged> {
        self.after(&[], move |memory| {
            let records = memory.records.lock().unwrap();
            let inside = |key: &&Bytes| {
                let slot = Slot::of(key);
                page.from <= slot && slot <= page.to && key.starts_with(&page.prefix)
            };
            let mut keys: Vec<Bytes> = records.keys().filter(inside).cloned().collect();
            keys.sort_by_key(|key| Slot::of(key));
            let mut paged = Paged::default();
            for key in keys {
                let slot = Slot::of(&key);
                if paged.keys.len() >= page.enough
                    && paged.keys.last().map(|it| Slot::of(it)) != Some(slot)
                {
                    paged.next = Some(slot);
                    break;
                }
                paged.keys.push(key);
            }
            paged
        })
    }

    fn copies(&self) -> usize {
        2
    }

    fn map(&self) -> Map {
        Map::default()
    }

    fn place(&self, slot: Slot) -> Place {
        self.0.places.lock().unwrap().get(&slot.0).cloned().unwrap_or(Place::Here)
    }

    fn about(&self) -> About {
        About { name: "n1".to_owned(), unix_ms: 1_500, ..About::default() }
    }
}
