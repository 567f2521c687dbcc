//! Keys in memory, whose answers and requests can be lost, with a clock that stands still.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;

use crate::client::ClientError;
use crate::command::{Expected, OperationResult, RequestId, WriteAction};
use crate::files::{FoundKey, KeyPage, Keys, Place, keys};
use crate::ids::{ClientId, Epoch, ShardId};
use crate::key::Slot;
use crate::service::store::WriteItem;
use crate::version::{Hlc, Version};

/// Keys of one shard.
#[derive(Clone, Default)]
pub(super) struct Memory(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    rows: BTreeMap<Bytes, (Bytes, Version)>,
    results: BTreeMap<u64, OperationResult>,
    sequence: u64,
    index: u64,
    now_ms: u64,
    writes: u64,
    /// Writes of records until losses begin, how many are lost, and whether before they are done.
    losses: Option<(u64, u64, bool)>,
}

impl Memory {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub(super) fn keys(&self) -> Vec<Bytes> {
        self.state().rows.keys().cloned().collect()
    }

    pub(super) fn has(&self, key: &Bytes) -> bool {
        self.state().rows.contains_key(key)
    }

    pub(super) fn value(&self, key: &Bytes) -> Bytes {
        self.state().rows[key].0.clone()
    }

    pub(super) fn set(&self, key: &Bytes, value: Bytes) {
        self.state().put(key.clone(), value);
    }

    pub(super) fn remove(&self, key: &Bytes) {
        self.state().rows.remove(key);
    }

    pub(super) fn writes(&self) -> u64 {
        self.state().writes
    }

    pub(super) fn pass(&self, time: Duration) {
        self.state().now_ms += u64::try_from(time.as_millis()).unwrap();
    }

    /// From the `nth` write of a record on, the answers to so many are lost.
    pub(super) fn lose_answers(&self, nth: u64, many: u64) {
        self.state().losses = Some((nth, many, false));
    }

    /// The same, and nothing is done.
    pub(super) fn lose_requests(&self, nth: u64, many: u64) {
        self.state().losses = Some((nth, many, true));
    }
}

impl State {
    fn put(&mut self, key: Bytes, value: Bytes) -> Version {
        self.index += 1;
        let (shard, epoch) = (ShardId(1), Epoch(1));
        let version = Version { shard, epoch, term: 1, index: self.index };
        self.rows.insert(key, (value, version));
        version
    }

    fn holds(&self, key: &Bytes, expected: &Expected) -> bool {
        match (self.rows.get(key), expected) {
            (None, Expected::Absent) => true,
            (Some((value, _)), Expected::Value(other)) => value == other,
            (Some((_, version)), Expected::Version(other)) => version == other,
            _ => false,
        }
    }

    fn apply(&mut self, item: WriteItem) -> OperationResult {
        if let Some(result) = self.results.get(&item.request.sequence) {
            return result.clone();
        }
        self.writes += 1;
        let existed = self.rows.contains_key(&item.key);
        let result = match item.action {
            WriteAction::Put { value, .. } | WriteAction::PutBlind { value, .. } => {
                OperationResult::Done { version: self.put(item.key, value), existed }
            }
            WriteAction::CompareAndSet { expected, value, .. }
                if self.holds(&item.key, &expected) =>
            {
                OperationResult::Done { version: self.put(item.key, value), existed }
            }
            WriteAction::CompareAndDelete { expected } if self.holds(&item.key, &expected) => {
                self.rows.remove(&item.key);
                OperationResult::Done { version: Version::default(), existed }
            }
            _ => OperationResult::ConditionFailed { actual: None },
        };
        self.results.insert(item.request.sequence, result.clone());
        result
    }

    /// Whether this write is lost; and whether before it is done.
    fn loses(&mut self, key: &Bytes) -> Option<bool> {
        keys::name_of_record(key)?;
        let (until, many, before) = self.losses.as_mut()?;
        *until = until.saturating_sub(1);
        if *until > 0 || *many == 0 {
            return None;
        }
        *many -= 1;
        Some(*before)
    }

    fn page(&self, prefix: &Bytes, after: Option<&Bytes>, limit: usize) -> KeyPage {
        let rows = self
            .rows
            .iter()
            .filter(|(key, _)| key.starts_with(prefix) && after.is_none_or(|after| *key > after));
        let found = |(key, (value, _)): (&Bytes, &(Bytes, Version))| FoundKey {
            key: key.clone(),
            value: value.clone(),
        };
        let mut found: Vec<FoundKey> = rows.take(limit + 1).map(found).collect();
        let more = found.len() > limit;
        found.truncate(limit);
        let last = found.last().map(|found| (Slot::of(&found.key), found.key.clone()));
        let next = more.then_some(Place { shard: Some(ShardId(1)), after: last });
        KeyPage { found, next }
    }
}

/// Lets others go first, whatever polls this.
async fn others_first() {
    let mut waited = false;
    std::future::poll_fn(|context| {
        context.waker().wake_by_ref();
        if std::mem::replace(&mut waited, true) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

impl Keys for Memory {
    fn now_ms(&self) -> u64 {
        self.state().now_ms
    }

    async fn get(&self, key: Bytes) -> Result<Option<(Bytes, Version)>, ClientError> {
        others_first().await;
        Ok(self.state().rows.get(&key).cloned())
    }

    fn item(&self, key: Bytes, action: WriteAction) -> WriteItem {
        let mut state = self.state();
        state.sequence += 1;
        let (client, first_attempt) = (ClientId(1), Hlc::default());
        let request = RequestId { client, sequence: state.sequence, first_attempt };
        WriteItem { request, key, action, ttl_ms: None }
    }

    async fn write(&self, item: WriteItem) -> Result<OperationResult, ClientError> {
        others_first().await;
        let mut state = self.state();
        let unknown = ClientError::Unknown { attempts: 1, last: "lost".into(), persisted_by: None };
        match state.loses(&item.key) {
            Some(true) => Err(unknown),
            Some(false) => {
                state.apply(item);
                Err(unknown)
            }
            None => Ok(state.apply(item)),
        }
    }

    async fn delete(&self, keys: Vec<Bytes>) -> Result<u64, ClientError> {
        others_first().await;
        let mut state = self.state();
        Ok(keys.iter().filter(|key| state.rows.remove(*key).is_some()).count() as u64)
    }

    async fn slot_page(&self, prefix: Bytes, after: Option<Bytes>) -> Result<KeyPage, ClientError> {
        Ok(self.state().page(&prefix, after.as_ref(), 2))
    }

    async fn keys_page(
        &self,
        prefix: Bytes,
        place: Place,
        limit: u32,
    ) -> Result<KeyPage, ClientError> {
        let after = place.after.map(|(_, key)| key);
        Ok(self.state().page(&prefix, after.as_ref(), limit as usize))
    }
}
