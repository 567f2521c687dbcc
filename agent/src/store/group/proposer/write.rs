//! What callers ask of a proposer, and what they get.

use bytes::Bytes;
use evenkeel_shared::command::{Operation, OperationResult};
use evenkeel_shared::view::SyncPolicy;
use evenkeel_shared::wire::deadline::Deadline;

use crate::store::wal::Place;

/// Operations that go into one entry, and when they are acknowledged.
#[derive(Clone, Debug)]
pub struct Write {
    /// No key stands in them twice.
    pub operations: Vec<Operation>,
    /// When they are acknowledged; raised to a quorum where the leader's disk can't be enough.
    pub sync: SyncPolicy,
    /// When the caller stops waiting for all voters.
    pub by: Deadline,
}

/// What became of operations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// One for each.
    pub results: Vec<OperationResult>,
    /// Where their entry stands.
    pub place: Place,
    /// Whose disks had it when they were acknowledged.
    pub sync: SyncPolicy,
}

/// Every key that it changes.
pub(super) fn keys_of(operation: &Operation) -> impl Iterator<Item = &Bytes> {
    std::iter::once(&operation.key).chain(operation.action.other_key())
}

/// Bytes that it takes of an entry, about.
pub(super) fn size(operation: &Operation) -> usize {
    operation.key.len() + operation.action.value_bytes() + 64
}
