//! Reads of a replica's data as it is here and now; how fresh that is, others judge.
//!
//! A record that has ended is absent. Nothing here waits for an apply.

use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;
use evenkeel_shared::command::{Record, RequestId, StoredRecord};
use evenkeel_shared::event::Event;
use evenkeel_shared::ids::KeyspaceId;
use evenkeel_shared::key::Slot;
use evenkeel_shared::version::Hlc;

use super::apply::is_expired;
use super::rows::{self, DATA_HEAD_BYTES, EVENTS, TERMS};
use super::{Machine, MachineError};
use crate::store::engine::{RowRange, View};

/// Which page of a scan to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScanQuery {
    /// Whose keys.
    pub keyspace: KeyspaceId,
    /// What the keys begin with.
    pub prefix: Bytes,
    /// The last slot and key of the page before.
    pub after: Option<(Slot, Bytes)>,
    /// At most this many records.
    pub limit: usize,
    /// At most about this many bytes of keys and values; one record always fits.
    pub bytes_max: usize,
    /// Leave the values out.
    pub keys_only: bool,
    /// When it is: records that have ended are left out.
    pub now: Hlc,
}

/// One page of a scan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScanPage {
    /// In slot and key order.
    pub records: Vec<StoredRecord>,
    /// Whether there is more behind them.
    pub more: bool,
}

impl Machine {
    /// The record of a key. Reads a block from disk when it is not cached.
    pub fn get(
        &self,
        keyspace: KeyspaceId,
        slot: Slot,
        key: &[u8],
        now: Hlc,
    ) -> Result<Option<Record>, MachineError> {
        let read = || {
            let row = self.inner.tree().get(&rows::data_key(keyspace, slot, key))?;
            row.map(|row| rows::decode_record(&row)).transpose()
        };
        let record = self.inner.noted(read())?;
        Ok(record.filter(|record| !is_expired(record, now)))
    }

    /// One page of the keys with a prefix. Long on a large shard: runs on `env.work`.
    pub async fn scan(&self, query: ScanQuery) -> Result<ScanPage, MachineError> {
        let view = self.inner.tree().view();
        let page = self.inner.work.run(move || scan(&*view, &query)).await;
        self.inner.noted(page)
    }

    /// Whether requests that are on their way to the log will be new when they are applied, and
    /// remembered, with at most `ahead` others applied before them.
    pub async fn surely_new(&self, requests: Vec<RequestId>, ahead: usize) -> Vec<bool> {
        let inner = Arc::clone(&self.inner);
        let look = move || {
            let Ok(core) = inner.core() else { return Vec::new() };
            let (clients, now) = (&core.state.clients, core.state.meta.hlc);
            requests.iter().map(|request| clients.surely_new(request, now, ahead)).collect()
        };
        self.inner.work.run(look).await
    }

    /// Journal lines with an id above `after`, oldest first.
    pub fn events_after(&self, after: u64, limit: usize) -> Result<Vec<Event>, MachineError> {
        let from = Bound::Excluded(rows::event_key(after));
        let view = self.inner.tree().view();
        let rows = view.range(RowRange::prefix_from(&[EVENTS], from)).take(limit);
        rows.map(|row| rows::decode("an event row", &row?.1)).collect()
    }

    /// The term of the entry at an applied index; `None` when that is not known (any more). A
    /// session token of another term is broken (safety rule 18).
    pub fn term_at(&self, index: u64) -> Result<Option<u64>, MachineError> {
        if self.status().applied.is_none_or(|(_, applied)| index > applied) {
            return Ok(None);
        }
        let mut found = None;
        for row in self.inner.tree().view().range(RowRange::prefix(&[TERMS])) {
            let (key, row) = row?;
            let first: u64 = rows::decode("a term row", &row)?;
            if first > index {
                break;
            }
            found = Some(rows::number_of(&key)?);
        }
        Ok(found)
    }
}

/// Walks the rows of a keyspace, and skips to the prefix in each slot when rows lie outside it.
fn scan(view: &dyn View, query: &ScanQuery) -> Result<ScanPage, MachineError> {
    let mut page = ScanPage::default();
    let mut bytes = 0;
    let tagged = tagged_slot(&query.prefix);
    let within = match tagged {
        Some(slot) => rows::data_key(query.keyspace, slot, &query.prefix),
        None => rows::keyspace_prefix(query.keyspace),
    };
    let mut from = match &query.after {
        Some((slot, key)) => Bound::Excluded(rows::data_key(query.keyspace, *slot, key)),
        None => Bound::Included(rows::data_key(
            query.keyspace,
            tagged.unwrap_or_default(),
            &query.prefix,
        )),
    };
    'seek: loop {
        for row in view.range(RowRange::prefix_from(&within, from.clone())) {
            let (key, row) = row?;
            if !key[DATA_HEAD_BYTES..].starts_with(&query.prefix) {
                let Some(next) = next_place(&key, query) else { return Ok(page) };
                from = Bound::Included(next);
                continue 'seek;
            }
            let mut stored = rows::decode_stored(&key, &row)?;
            if is_expired(&stored.record, query.now) {
                continue;
            }
            if query.keys_only {
                stored.record.value = Bytes::new();
            }
            bytes += stored.key.len() + stored.record.value.len();
            let full = page.records.len() >= query.limit || bytes > query.bytes_max;
            if full && !page.records.is_empty() {
                page.more = true;
                return Ok(page);
            }
            page.records.push(stored);
        }
        return Ok(page);
    }
}

/// The slot of every key with that prefix, when the prefix holds a whole `{tag}`.
fn tagged_slot(prefix: &[u8]) -> Option<Slot> {
    let open = prefix.iter().position(|byte| *byte == b'{')?;
    let length = prefix[open + 1..].iter().position(|byte| *byte == b'}')?;
    (length > 0).then(|| Slot::of(prefix))
}

/// Where the prefix begins next after a row that lies outside it.
fn next_place(key: &Bytes, query: &ScanQuery) -> Option<Bytes> {
    let slot = u16::from_be_bytes([key[DATA_HEAD_BYTES - 2], key[DATA_HEAD_BYTES - 1]]);
    let slot = if key[DATA_HEAD_BYTES..] < query.prefix[..] { slot } else { slot.checked_add(1)? };
    Some(rows::data_key(query.keyspace, Slot(slot), &query.prefix))
}
