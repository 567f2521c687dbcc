//! What is remembered of requests, so that a retry is answered and not applied (safety rule 17).
//!
//! A client's last results are kept by number of results, not by sequence: a client that numbers
//! its requests over many shards has as many remembered in each. What one entry did for a client
//! lies in one row, a run, or a few: a row a request would cost more than the record it is about.

use std::collections::BTreeMap;
use std::ops::Bound;

use bytes::Bytes;
use evenkeel_shared::command::{OperationResult, RequestId};
use evenkeel_shared::ids::ClientId;

use super::super::MachineError;
use super::super::clients::{REMEMBERED_MAX, WINDOW};
use super::super::rows::{self, RingRow};
use super::super::run::{RUN_SPAN, Run};
use super::Applier;
use crate::store::engine::RowRange;

/// Clients removed by one request of a new one: more than one, so that the table shrinks.
const EXPIRED_CLIENTS_PER_REQUEST: usize = 2;
/// What is left when the oldest go: the window, and as many as the sequences of a run may lie
/// among those of runs that go.
const LEFT: u64 = WINDOW + RUN_SPAN;

impl Applier<'_> {
    /// What was answered to a request, if it is remembered.
    pub(super) fn recall(
        &self,
        request: &RequestId,
    ) -> Result<Option<OperationResult>, MachineError> {
        let RequestId { client, sequence, .. } = *request;
        if let Some(result) = self.results.get(&(client, sequence)) {
            return Ok(Some(result.clone()));
        }
        // Only runs that begin close enough below it can hold it.
        let from = rows::run_key(client, sequence.saturating_sub(RUN_SPAN - 1));
        let to = rows::run_key(client, sequence);
        let range = RowRange { from: Bound::Included(from), to: Bound::Included(to) };
        for (key, row) in self.rows_in(range, usize::MAX)? {
            if let Some(result) = Run::of_row(&key, &row)?.result(sequence) {
                return Ok(Some(result.clone()));
            }
        }
        if self.state.has_old_results { self.recall_old(client, sequence) } else { Ok(None) }
    }

    /// The same from rows as they were written first.
    fn recall_old(
        &self,
        client: ClientId,
        sequence: u64,
    ) -> Result<Option<OperationResult>, MachineError> {
        if let Some(row) = self.get(&rows::result_key(client, sequence))? {
            return Ok(Some(rows::decode("a result row", &row)?));
        }
        let Some(row) = self.get(&rows::ring_key(client, sequence))? else { return Ok(None) };
        let row: RingRow = rows::decode("a result row of the old ring", &row)?;
        Ok((row.sequence == sequence).then_some(row.result))
    }

    /// Remembers an answer; it is written down with the others of its entry.
    pub(super) fn remember(&mut self, request: &RequestId, result: &OperationResult) {
        let RequestId { client, sequence, .. } = *request;
        let row = self.state.clients.after(request, self.state.meta.hlc);
        self.state.clients.insert(client, row, sequence);
        self.results.insert((client, sequence), result.clone());
    }

    /// Writes down what this entry's requests were answered. Which runs that makes is the same on
    /// every replica, for it says what is forgotten later.
    pub(super) fn write_results(&mut self) -> Result<(), MachineError> {
        let mut results = std::mem::take(&mut self.results).into_iter().peekable();
        while let Some(((client, first), result)) = results.next() {
            let mut run = Run::new(first, result);
            let fits = |((other, at), _): &((ClientId, u64), _), run: &Run| {
                *other == client && run.spans(*at)
            };
            while let Some(((_, sequence), result)) = results.next_if(|next| fits(next, &run)) {
                run.push(sequence, result);
            }
            let (key, row) = run.row(client);
            self.set(key, row);
            if results.peek().is_none_or(|((other, _), _)| *other != client) {
                self.write_client(client)?;
            }
        }
        Ok(())
    }

    /// Writes a client's row, and forgets its oldest results when there are too many.
    fn write_client(&mut self, client: ClientId) -> Result<(), MachineError> {
        let Some(mut row) = self.state.clients.row(client) else { return Ok(()) };
        if row.count >= REMEMBERED_MAX {
            // In one go, from the lowest on: what went before lies in the engine as tombstones.
            for (key, run) in self.oldest_runs(client, row.lowest, row.count - LEFT)? {
                if row.count <= LEFT {
                    break;
                }
                row.lowest = row.lowest.max(run.last() + 1);
                row.count = row.count.saturating_sub(run.len());
                self.remove(key);
            }
            self.state.clients.shorten(client, row);
        }
        self.set(rows::client_key(client), rows::encode_client(&row));
        Ok(())
    }

    /// A client's runs from the lowest on, with their keys: as many as can hold `most` results.
    fn oldest_runs(
        &self,
        client: ClientId,
        lowest: u64,
        most: u64,
    ) -> Result<Vec<(Bytes, Run)>, MachineError> {
        // A run that begins below what is remembered may reach above it.
        let lowest = lowest.saturating_sub(RUN_SPAN - 1);
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let from = Bound::Included(rows::run_key(client, lowest));
        let mut runs = Vec::new();
        for (key, row) in
            self.rows_in(RowRange::prefix_from(&rows::runs_prefix(client), from), most)?
        {
            let run = Run::of_row(&key, &row)?;
            runs.push((key, run));
        }
        if self.state.has_old_results {
            let from = Bound::Included(rows::result_key(client, lowest));
            let prefix = rows::results_prefix(client);
            for (key, row) in self.rows_in(RowRange::prefix_from(&prefix, from), most)? {
                let run = Run::new(rows::sequence_of(&key)?, rows::decode("a result row", &row)?);
                runs.push((key, run));
            }
            runs.sort_by_key(|(_, run)| run.first());
        }
        Ok(runs)
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
        let old = [rows::results_prefix(client), rows::ring_prefix(client)];
        let old = old.into_iter().filter(|_| self.state.has_old_results);
        let prefixes: Vec<Bytes> = std::iter::once(rows::runs_prefix(client)).chain(old).collect();
        for prefix in prefixes {
            for (key, _) in self.rows_in(RowRange::prefix(&prefix), usize::MAX)? {
                self.remove(key);
            }
        }
        Ok(())
    }

    /// The first rows of a range, committed or pending, in order.
    fn rows_in(&self, range: RowRange, most: usize) -> Result<Vec<(Bytes, Bytes)>, MachineError> {
        let pending = self.pending.range((range.from.clone(), range.to.clone()));
        let mut all: BTreeMap<Bytes, Option<Bytes>> =
            pending.map(|(key, value)| (key.clone(), value.clone())).collect();
        // Pending removals hide committed rows: as many more have to be read.
        let hidden = all.values().filter(|value| value.is_none()).count();
        for row in self.committed.view().range(range).take(most.saturating_add(hidden)) {
            let (key, value) = row?;
            all.entry(key).or_insert(Some(value));
        }
        let there = all.into_iter().filter_map(|(key, value)| Some((key, value?)));
        Ok(there.take(most).collect())
    }
}
