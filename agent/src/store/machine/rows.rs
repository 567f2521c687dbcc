//! How a replica's state lies in its tree: the keys of its rows and what stands in them.
//!
//! On disk and in snapshots: a kind never changes its number, a row's fields are only appended.

use bytes::{Bytes, BytesMut};
use evenkeel_shared::command::{OperationResult, Record, StoredRecord};
use evenkeel_shared::ids::{ClientId, KeyspaceId};
use evenkeel_shared::key::Slot;
use evenkeel_shared::version::{Hlc, Version};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::MachineError;

/// The one row of [`super::state::Meta`].
pub(super) const META: &[u8] = &[0];
/// Rows of clients: (client) → [`ClientRow`].
pub(super) const CLIENTS: u8 = 1;
/// Rows of results as format 1 wrote them first: (client, sequence modulo 1,024) → [`RingRow`].
/// They are still read, and go with their client.
pub(super) const RING: u8 = 2;
/// Rows of terms: (term) → first index.
pub(super) const TERMS: u8 = 3;
/// Rows of data: (keyspace, slot, key) → record.
pub(super) const DATA: u8 = 4;
/// The one row of the cluster's facts.
pub(super) const FACTS: &[u8] = &[5];
/// Rows of the journal: (id) → event.
pub(super) const EVENTS: u8 = 6;

/// Rows that say when records end: (expiry, keyspace, slot, key) → nothing.
pub(super) const EXPIRIES: u8 = 7;
/// Rows of results as they were written next: (client, sequence) → result. Still read, too.
pub(super) const RESULTS: u8 = 8;
/// The one row of what keyspaces promise.
pub(super) const PROMISES: &[u8] = &[9];
/// The two rows of [`super::witness::Witness`].
pub(super) const WITNESSES: u8 = 10;
/// Rows of results: (client, first sequence) → [`super::run::Run`].
pub(super) const RUNS: u8 = 11;

/// The one row of what operators have declared of recovery.
pub(super) const RECOVERY: &[u8] = &[12];

/// Rows of one client in the old ring.
const RING_ROWS: u64 = 1_024;
/// Bytes before the key in a data row's key.
pub(super) const DATA_HEAD_BYTES: usize = 7;

/// What is remembered of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ClientRow {
    /// Its latest write or first attempt, whichever is later: its lease runs from here.
    pub(super) last: Hlc,
    /// Nothing below this sequence is remembered any more.
    pub(super) lowest: u64,
    /// The highest sequence that was applied.
    pub(super) highest: u64,
    /// How many results are remembered.
    pub(super) count: u64,
}

/// A client row as it was first written: the count came later.
#[derive(Serialize, Deserialize)]
struct ClientHead {
    last: Hlc,
    lowest: u64,
    highest: u64,
}

/// What was answered to one request, in the ring that came before [`RESULTS`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RingRow {
    /// The request's number: another one may have had this row before.
    pub(super) sequence: u64,
    /// The answer.
    pub(super) result: OperationResult,
}

#[derive(Serialize, Deserialize)]
struct RecordHead {
    version: Version,
    hlc: Hlc,
    expires: Option<Hlc>,
}

fn numbered(kind: u8, number: u64) -> Bytes {
    let mut key = BytesMut::with_capacity(9);
    key.extend_from_slice(&[kind]);
    key.extend_from_slice(&number.to_be_bytes());
    key.freeze()
}

/// The row of a client.
pub(super) fn client_key(client: ClientId) -> Bytes {
    numbered(CLIENTS, client.0)
}

/// The row of a term.
pub(super) fn term_key(term: u64) -> Bytes {
    numbered(TERMS, term)
}

/// The row of an event.
pub(super) fn event_key(id: u64) -> Bytes {
    numbered(EVENTS, id)
}

/// The number in the key of a client, term or event row.
pub(super) fn number_of(key: &[u8]) -> Result<u64, MachineError> {
    let number = key.get(1..).and_then(|rest| rest.try_into().ok()).map(u64::from_be_bytes);
    number.ok_or_else(|| MachineError::Malformed { what: "a numbered row's key".to_owned() })
}

/// The row of a run of results that begins with this sequence.
pub(super) fn run_key(client: ClientId, first: u64) -> Bytes {
    of_sequence(RUNS, client, first)
}

/// What the keys of a client's runs begin with.
pub(super) fn runs_prefix(client: ClientId) -> Bytes {
    numbered(RUNS, client.0)
}

/// The row of a request's result before there were runs.
pub(super) fn result_key(client: ClientId, sequence: u64) -> Bytes {
    of_sequence(RESULTS, client, sequence)
}

/// What the keys of a client's results began with before there were runs.
pub(super) fn results_prefix(client: ClientId) -> Bytes {
    numbered(RESULTS, client.0)
}

fn of_sequence(kind: u8, client: ClientId, sequence: u64) -> Bytes {
    let mut key = BytesMut::with_capacity(17);
    key.extend_from_slice(&[kind]);
    key.extend_from_slice(&client.0.to_be_bytes());
    key.extend_from_slice(&sequence.to_be_bytes());
    key.freeze()
}

/// What the keys of a client's results in the old ring begin with.
pub(super) fn ring_prefix(client: ClientId) -> Bytes {
    numbered(RING, client.0)
}

/// The row of a request's result in the old ring.
pub(super) fn ring_key(client: ClientId, sequence: u64) -> Bytes {
    let place = u16::try_from(sequence % RING_ROWS).expect("the ring fits 16 bits");
    let mut key = BytesMut::with_capacity(11);
    key.extend_from_slice(&ring_prefix(client));
    key.extend_from_slice(&place.to_be_bytes());
    key.freeze()
}

/// The sequence in the key of a result row, the first one in that of a run.
pub(super) fn sequence_of(key: &[u8]) -> Result<u64, MachineError> {
    let number = key.get(9..).and_then(|rest| rest.try_into().ok()).map(u64::from_be_bytes);
    number.ok_or_else(|| MachineError::Malformed { what: "a result row's key".to_owned() })
}

/// A client row.
pub(super) fn encode_client(row: &ClientRow) -> Bytes {
    encode(&(ClientHead { last: row.last, lowest: row.lowest, highest: row.highest }, row.count))
}

/// Reads a client row. One without a count is of the old ring, which held what lay less than its
/// length below the highest sequence.
pub(super) fn decode_client(row: &[u8]) -> Result<ClientRow, MachineError> {
    let malformed = |_| MachineError::Malformed { what: "a client row".to_owned() };
    let (head, rest) = postcard::take_from_bytes::<ClientHead>(row).map_err(malformed)?;
    let ClientHead { last, lowest, highest } = head;
    if rest.is_empty() {
        let lowest = highest.saturating_sub(RING_ROWS - 1);
        return Ok(ClientRow { last, lowest, highest, count: 0 });
    }
    let count = postcard::from_bytes(rest).map_err(malformed)?;
    Ok(ClientRow { last, lowest, highest, count })
}

/// What the keys of a slot's data rows begin with, and the row of a key.
pub(super) fn data_key(keyspace: KeyspaceId, slot: Slot, key: &[u8]) -> Bytes {
    let mut row = BytesMut::with_capacity(DATA_HEAD_BYTES + key.len());
    row.extend_from_slice(&[DATA]);
    row.extend_from_slice(&keyspace.0.to_be_bytes());
    row.extend_from_slice(&slot.0.to_be_bytes());
    row.extend_from_slice(key);
    row.freeze()
}

/// The key of a data row in the same slot as another one.
pub(super) fn data_key_beside(row: &[u8], key: &[u8]) -> Bytes {
    [&row[..DATA_HEAD_BYTES], key].concat().into()
}

/// The row that says when the record of a data row ends.
pub(super) fn expiry_key(expires: Hlc, data_key: &[u8]) -> Bytes {
    let mut row = BytesMut::with_capacity(9 + data_key.len());
    row.extend_from_slice(&numbered(EXPIRIES, expires.0));
    row.extend_from_slice(&data_key[1..]);
    row.freeze()
}

/// When a record ends and its data row, from an expiry row's key.
pub(super) fn decode_expiry(key: &[u8]) -> Result<(Hlc, Bytes), MachineError> {
    let malformed = || MachineError::Malformed { what: "an expiry row's key".to_owned() };
    let (head, rest) = key.split_at_checked(9).ok_or_else(malformed)?;
    let mut data_key = BytesMut::with_capacity(1 + rest.len());
    data_key.extend_from_slice(&[DATA]);
    data_key.extend_from_slice(rest);
    Ok((Hlc(number_of(head)?), data_key.freeze()))
}

/// What the keys of a keyspace's data rows begin with.
pub(super) fn keyspace_prefix(keyspace: KeyspaceId) -> Bytes {
    data_key(keyspace, Slot(0), &[]).slice(..DATA_HEAD_BYTES - 2)
}

/// A record as a row.
pub(super) fn encode_record(record: &Record) -> Bytes {
    let head = RecordHead { version: record.version, hlc: record.hlc, expires: record.expires };
    let head = encode(&head);
    let mut row = BytesMut::with_capacity(head.len() + record.value.len());
    row.extend_from_slice(&head);
    row.extend_from_slice(&record.value);
    row.freeze()
}

/// The record in a row; its value shares the row's bytes.
pub(super) fn decode_record(row: &Bytes) -> Result<Record, MachineError> {
    let (head, value) = postcard::take_from_bytes::<RecordHead>(row)
        .map_err(|_| MachineError::Malformed { what: "a record".to_owned() })?;
    Ok(Record {
        value: row.slice(row.len() - value.len()..),
        version: head.version,
        hlc: head.hlc,
        expires: head.expires,
    })
}

/// The record in a data row, with its key.
pub(super) fn decode_stored(key: &Bytes, row: &Bytes) -> Result<StoredRecord, MachineError> {
    let slot = key.get(DATA_HEAD_BYTES - 2..DATA_HEAD_BYTES).and_then(|slot| slot.try_into().ok());
    let slot = slot.map(u16::from_be_bytes).map(Slot);
    let slot =
        slot.ok_or_else(|| MachineError::Malformed { what: "a data row's key".to_owned() })?;
    Ok(StoredRecord { slot, key: key.slice(DATA_HEAD_BYTES..), record: decode_record(row)? })
}

/// Encodes what every row but a record holds.
pub(super) fn encode<T: Serialize>(value: &T) -> Bytes {
    postcard::to_allocvec(value).expect("rows hold nothing that postcard refuses").into()
}

/// Decodes a row; `what` names it.
pub(super) fn decode<T: DeserializeOwned>(what: &str, row: &[u8]) -> Result<T, MachineError> {
    postcard::from_bytes(row).map_err(|_| MachineError::Malformed { what: what.to_owned() })
}
