//! What is remembered of requests, so that a retry is answered and not applied (safety rule 17).
//!
//! A client's last results are kept by number of results, not by sequence: a client that numbers
//! its requests over many shards has as many remembered in each.

use std::collections::BTreeMap;

use bytes::Bytes;
use evenkeel_shared::command::{OperationResult, RequestId};
use evenkeel_shared::ids::ClientId;

use super::super::MachineError;
use super::super::clients::{REMEMBERED_MAX, WINDOW};
use super::super::rows::{self, RingRow};
use super::Applier;
use crate::store::engine::RowRange;

/// Clients removed by one request of a new one: more than one, so that the table shrinks.
const EXPIRED_CLIENTS_PER_REQUEST: usize = 2;

impl Applier<'_> {
    /// What was answered to a request, if it is remembered.
    pub(super) fn recall(
        &self,
        request: &RequestId,
    ) -> Result<Option<OperationResult>, MachineError> {
        let RequestId { client, sequence, .. } = *request;
        if let Some(row) = self.get(&rows::result_key(client, sequence))? {
            return Ok(Some(rows::decode("a result row", &row)?));
        }
        if !self.state.has_ring {
            return Ok(None);
        }
        let Some(row) = self.get(&rows::ring_key(client, sequence))? else { return Ok(None) };
        let row: RingRow = rows::decode("a result row of the old ring", &row)?;
        Ok((row.sequence == sequence).then_some(row.result))
    }

    /// Remembers an answer, and forgets the client's oldest when there are too many.
    pub(super) fn remember(
        &mut self,
        request: &RequestId,
        result: &OperationResult,
    ) -> Result<(), MachineError> {
        let RequestId { client, sequence, .. } = *request;
        self.set(rows::result_key(client, sequence), rows::encode(result));
        let mut row = self.state.clients.after(request, self.state.meta.hlc);
        if row.count >= REMEMBERED_MAX {
            // In one go, from the lowest on: what went before lies in the engine as tombstones.
            let from = rows::result_key(client, row.lowest);
            for key in
                self.rows_of(&rows::results_prefix(client), Some(from), row.count - WINDOW)?
            {
                row.lowest = rows::sequence_of(&key)? + 1;
                row.count -= 1;
                self.remove(key);
            }
        }
        self.state.clients.insert(client, row, sequence);
        self.set(rows::client_key(client), rows::encode_client(&row));
        Ok(())
    }

    /// Makes room for a client, whose own earlier rows go in any case.
    pub(super) fn forget_expired_clients(&mut self, new: ClientId) -> Result<(), MachineError> {
        if self.state.clients.remove(new).is_some() {
            self.forget(new)?;
        }
        for _ in 0..EXPIRED_CLIENTS_PER_REQUEST {
            let now = self.state.meta.hlc;
            let Some(client) = self.state.clients.pop_expired(now) else { return Ok(()) };
            self.forget(client)?;
        }
        Ok(())
    }

    fn forget(&mut self, client: ClientId) -> Result<(), MachineError> {
        self.remove(rows::client_key(client));
        for prefix in [rows::results_prefix(client), rows::ring_prefix(client)] {
            for key in self.rows_of(&prefix, None, u64::MAX)? {
                self.remove(key);
            }
        }
        Ok(())
    }

    /// The keys of a prefix, committed or pending, in order.
    fn rows_of(
        &self,
        prefix: &Bytes,
        from: Option<Bytes>,
        most: u64,
    ) -> Result<Vec<Bytes>, MachineError> {
        let from = std::ops::Bound::Included(from.unwrap_or_else(|| prefix.clone()));
        let range = RowRange::prefix_from(prefix, from);
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let pending = self.pending.range((range.from.clone(), range.to.clone()));
        let mut all: BTreeMap<Bytes, bool> =
            pending.map(|(key, value)| (key.clone(), value.is_some())).collect();
        // Pending removals hide committed rows: as many more have to be read.
        let hidden = all.values().filter(|there| !**there).count();
        for row in self.committed.view().range(range).take(most.saturating_add(hidden)) {
            all.entry(row?.0).or_insert(true);
        }
        let there = all.into_iter().filter(|(_, there)| *there);
        Ok(there.map(|(key, _)| key).take(most).collect())
    }
}
