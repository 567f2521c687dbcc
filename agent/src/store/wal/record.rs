//! One record of the log: its header, its two checksums, and its place in its replica's chain.
//!
//! Invariant: a record is believed only if header and payload match their checksums; it belongs
//! where it stands only if it continues its replica's chain.

use std::ops::Range;

use super::ReplicaKey;
use super::bytes::{KEY_BYTES, Put, Take, count};

/// Bytes before the payload.
pub(super) const RECORD_HEADER_BYTES: usize = 4 + 1 + KEY_BYTES + 8 + 8 + 8 + 4 + 4;

/// What a record says. The numbers are on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// An appended entry: whatever stood at its index or above is gone.
    Entry = 1,
    /// An entry copied forward from a segment about to be recycled; touches no other entry.
    Copy = 2,
    /// The vote.
    Vote = 3,
    /// Entries from this index on are gone.
    Truncate = 4,
    /// Entries up to this index are gone, and were applied.
    Purge = 5,
    /// The replica has left this node.
    Forget = 6,
    /// The replica's log was found damaged; it stays out of service until forgotten.
    Quarantine = 7,
}

impl Kind {
    fn from_byte(byte: u8) -> Option<Self> {
        let kinds = [
            Self::Entry,
            Self::Copy,
            Self::Vote,
            Self::Truncate,
            Self::Purge,
            Self::Forget,
            Self::Quarantine,
        ];
        kinds.into_iter().find(|kind| *kind as u8 == byte)
    }
}

/// A count of a replica's records in the high half, a checksum over all of them in the low half.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Chain(pub(super) u64);

impl Chain {
    /// The value after one more record.
    fn next(self, header: &[u8]) -> Self {
        let mut sum = crc32fast::Hasher::new_with_initial(u32::MAX);
        sum.update(&self.0.to_le_bytes());
        sum.update(header);
        let records = (self.0 >> 32).wrapping_add(1) & 0xffff_ffff;
        Self(records << 32 | u64::from(sum.finalize()))
    }
}

/// A record without its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// What it says.
    pub(super) kind: Kind,
    /// Whose it is.
    pub(super) key: ReplicaKey,
    /// The entry's or the mark's term.
    pub(super) term: u64,
    /// The entry's or the mark's index.
    pub(super) index: u64,
}

/// A record read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Decoded {
    /// Its header.
    pub(super) record: Record,
    /// The chain value that it continues.
    pub(super) before: Chain,
    /// The chain value after it.
    pub(super) after: Chain,
    /// Where its payload lies, counted from the record's first byte.
    pub(super) payload: Range<usize>,
    /// Whether the payload matches its checksum.
    pub(super) payload_sound: bool,
}

/// Appends a record; gives the chain value after it.
pub(super) fn encode(record: &Record, before: Chain, payload: &[u8], out: &mut Vec<u8>) -> Chain {
    let start = out.len();
    out.put_u32(count(payload.len()));
    out.push(record.kind as u8);
    out.put_key(&record.key);
    out.put_u64(record.term);
    out.put_u64(record.index);
    out.put_u64(before.0);
    out.put_u32(crc32fast::hash(payload));
    let sum = crc32fast::hash(&out[start..]);
    out.put_u32(sum);
    let after = before.next(&out[start..]);
    out.extend_from_slice(payload);
    after
}

/// Reads the record at the front of a slice; `None` if its header is damaged.
pub(super) fn decode(bytes: &[u8]) -> Option<Decoded> {
    let header = bytes.get(..RECORD_HEADER_BYTES)?;
    let (checked, sum) = header.split_at(RECORD_HEADER_BYTES - 4);
    if Take(sum).u32()? != crc32fast::hash(checked) {
        return None;
    }
    let mut take = Take(checked);
    let length = usize::try_from(take.u32()?).ok()?;
    let kind = Kind::from_byte(take.u8()?)?;
    let record = Record { kind, key: take.key()?, term: take.u64()?, index: take.u64()? };
    let before = Chain(take.u64()?);
    let payload_sum = take.u32()?;
    let payload = RECORD_HEADER_BYTES..RECORD_HEADER_BYTES.checked_add(length)?;
    let content = bytes.get(payload.clone())?;
    Some(Decoded {
        record,
        before,
        after: before.next(header),
        payload_sound: crc32fast::hash(content) == payload_sum,
        payload,
    })
}

/// Bytes that a record takes with a payload of this length.
pub(super) fn size_bytes(payload: usize) -> usize {
    RECORD_HEADER_BYTES + payload
}
