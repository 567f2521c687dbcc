//! A run: what one entry answered to requests of one client that lie close to each other.
//!
//! On disk and in snapshots: (client, first sequence) → (distance from the first, result) …

use bytes::Bytes;
use evenkeel_shared::command::OperationResult;
use evenkeel_shared::ids::ClientId;

use super::MachineError;
use super::rows;

/// Sequences of one run lie less than this apart, so that a look for one reads few rows. In unit
/// tests they are few, so that there are several runs in an entry.
pub(super) const RUN_SPAN: u64 = if cfg!(test) { 4 } else { 256 };

/// What one entry answered to some requests of one client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Run {
    first: u64,
    results: Vec<(u8, OperationResult)>,
}

impl Run {
    /// Begins with the lowest sequence.
    pub(super) fn new(first: u64, result: OperationResult) -> Self {
        Self { first, results: vec![(0, result)] }
    }

    /// The distance at which it would hold this sequence.
    fn distance(&self, sequence: u64) -> Option<u8> {
        let distance = sequence.checked_sub(self.first)?;
        u8::try_from(distance).ok().filter(|_| distance < RUN_SPAN)
    }

    /// Whether it can hold this sequence.
    pub(super) fn spans(&self, sequence: u64) -> bool {
        self.distance(sequence).is_some()
    }

    /// Adds the result of a higher sequence that it spans.
    pub(super) fn push(&mut self, sequence: u64, result: OperationResult) {
        let distance = self.distance(sequence).expect("whoever pushes has asked whether it fits");
        self.results.push((distance, result));
    }

    /// What was answered to this sequence, if it is one of them.
    pub(super) fn result(&self, sequence: u64) -> Option<&OperationResult> {
        let distance = self.distance(sequence)?;
        self.results.iter().find(|(at, _)| *at == distance).map(|(_, result)| result)
    }

    /// The lowest sequence.
    pub(super) fn first(&self) -> u64 {
        self.first
    }

    /// The highest sequence.
    pub(super) fn last(&self) -> u64 {
        self.first + self.results.last().map_or(0, |(distance, _)| u64::from(*distance))
    }

    /// How many results it holds.
    pub(super) fn len(&self) -> u64 {
        self.results.len() as u64
    }

    /// Its row.
    pub(super) fn row(&self, client: ClientId) -> (Bytes, Bytes) {
        (rows::run_key(client, self.first), rows::encode(&self.results))
    }

    /// The run in a row.
    pub(super) fn of_row(key: &[u8], row: &[u8]) -> Result<Self, MachineError> {
        let first = rows::sequence_of(key)?;
        Ok(Self { first, results: rows::decode("a run of results", row)? })
    }
}
