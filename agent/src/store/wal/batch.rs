//! A batch: what one sync makes durable, with the directory that names whose records it holds.
//!
//! Layout: header, directory of the batch before, records, padding, own directory, trailer. The
//! trailer ends the last block, so that the directory is found when the header has rotted.

use std::collections::BTreeMap;

use super::ReplicaKey;
use super::bytes::{KEY_BYTES, Put, Take, count};
use super::record::Chain;
use super::sector::BLOCK_DATA_BYTES;

const MAGIC: u32 = 0x314b_4245;
const TRAILER_MAGIC: u32 = 0x3144_4245;
/// Bytes of a batch's header.
pub(super) const HEADER_BYTES: usize = 56;
const ENTRY_BYTES: usize = KEY_BYTES + 4 + 8;
const TRAILER_BYTES: usize = 20;

/// What a batch did to one replica.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Share {
    /// Its records in the batch.
    pub(super) records: u32,
    /// Its chain value after them.
    pub(super) chain: Chain,
}

/// Whose records a batch holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Directory(pub(super) BTreeMap<ReplicaKey, Share>);

impl Directory {
    /// Notes one more record of a replica.
    pub(super) fn add(&mut self, key: ReplicaKey, chain: Chain) {
        let share = self.0.entry(key).or_default();
        share.records += 1;
        share.chain = chain;
    }

    fn encode(&self, out: &mut Vec<u8>) {
        for (key, share) in &self.0 {
            out.put_key(key);
            out.put_u32(share.records);
            out.put_u64(share.chain.0);
        }
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut directory = Self::default();
        for entry in bytes.chunks(ENTRY_BYTES) {
            let mut take = Take(entry);
            let key = take.key()?;
            let share = Share { records: take.u32()?, chain: Chain(take.u64()?) };
            directory.0.insert(key, share);
        }
        Some(directory)
    }

    /// Its bytes on disk, without the trailer.
    pub(super) fn size_bytes(&self) -> usize {
        self.0.len() * ENTRY_BYTES
    }

    /// Pads a stream to whole blocks and closes it with this directory.
    pub(super) fn close(&self, stream: &mut Vec<u8>, number: u64) {
        let tail = self.size_bytes() + TRAILER_BYTES;
        let total = (stream.len() + tail).next_multiple_of(BLOCK_DATA_BYTES);
        stream.resize(total - tail, 0);
        let start = stream.len();
        self.encode(stream);
        stream.put_u32(TRAILER_MAGIC);
        stream.put_u32(count(self.0.len()));
        stream.put_u64(number);
        let sum = crc32fast::hash(&stream[start..]);
        stream.put_u32(sum);
    }

    /// Reads the directory that closes a stream; `None` if it is damaged.
    pub(super) fn open(stream: &[u8], number: u64) -> Option<(Self, usize)> {
        let trailer = stream.len().checked_sub(TRAILER_BYTES)?;
        let mut take = Take(&stream[trailer..]);
        if take.u32()? != TRAILER_MAGIC {
            return None;
        }
        let entries = usize::try_from(take.u32()?).ok()?;
        let named = take.u64()?;
        let start = trailer.checked_sub(entries.checked_mul(ENTRY_BYTES)?)?;
        let sum = take.u32()?;
        if named != number || crc32fast::hash(&stream[start..stream.len() - 4]) != sum {
            return None;
        }
        Some((Self::decode(&stream[start..trailer])?, start))
    }
}

/// The fixed part at a batch's front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Running number of the batch, over all segments.
    pub(super) number: u64,
    /// The segment's running number.
    pub(super) generation: u32,
    /// Its length.
    pub(super) blocks: u32,
    /// Records in it.
    pub(super) records: u32,
    /// Their bytes.
    pub(super) records_bytes: u32,
    /// The batch that this one confirms.
    pub(super) previous: u64,
    /// How many replicas that one names.
    pub(super) previous_entries: u32,
    /// Checksum of the copy of its directory.
    pub(super) previous_sum: u32,
    /// The oldest segment that may still hold live records.
    pub(super) oldest: u32,
}

impl Header {
    fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.put_u32(MAGIC);
        out.put_u64(self.number);
        out.put_u32(self.generation);
        out.put_u32(self.blocks);
        out.put_u32(self.records);
        out.put_u32(self.records_bytes);
        out.put_u64(self.previous);
        out.put_u32(self.previous_entries);
        out.put_u32(self.previous_sum);
        out.put_u32(self.oldest);
        out.put_u32(0);
        let sum = crc32fast::hash(&out[start..]);
        out.put_u32(sum);
    }

    /// Reads a header; `None` if it is damaged.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(..HEADER_BYTES)?;
        let (checked, sum) = bytes.split_at(HEADER_BYTES - 4);
        let mut take = Take(checked);
        if take.u32()? != MAGIC || crc32fast::hash(checked) != Take(sum).u32()? {
            return None;
        }
        Some(Self {
            number: take.u64()?,
            generation: take.u32()?,
            blocks: take.u32()?,
            records: take.u32()?,
            records_bytes: take.u32()?,
            previous: take.u64()?,
            previous_entries: take.u32()?,
            previous_sum: take.u32()?,
            oldest: take.u32()?,
        })
    }

    /// Where the records begin in the batch's stream.
    pub(super) fn records_at(&self) -> usize {
        HEADER_BYTES + self.previous_entries as usize * ENTRY_BYTES
    }

    /// The copy of the directory of the batch before; `None` if it is damaged.
    pub(super) fn previous_directory(&self, stream: &[u8]) -> Option<Directory> {
        let bytes = stream.get(HEADER_BYTES..self.records_at())?;
        if crc32fast::hash(bytes) != self.previous_sum {
            return None;
        }
        Directory::decode(bytes)
    }
}

/// What a new batch says besides its records.
pub(super) struct Opening<'a> {
    /// Its number.
    pub(super) number: u64,
    /// The segment it goes to.
    pub(super) generation: u32,
    /// The batch that it confirms.
    pub(super) previous: u64,
    /// Whose records that one holds.
    pub(super) previous_directory: &'a Directory,
    /// The oldest segment that may still hold live records.
    pub(super) oldest: u32,
}

/// Where the records of a batch begin that opens so.
pub(super) fn records_at(previous: &Directory) -> usize {
    HEADER_BYTES + previous.size_bytes()
}

/// Blocks of a batch with these records and directories.
pub(super) fn blocks(previous: &Directory, records_bytes: usize, replicas: usize) -> usize {
    let bytes = records_at(previous) + records_bytes + replicas * ENTRY_BYTES + TRAILER_BYTES;
    bytes.div_ceil(BLOCK_DATA_BYTES)
}

/// Lays out a batch.
pub(super) fn compose(opening: &Opening<'_>, records: &[u8], directory: &Directory) -> Vec<u8> {
    let mut copy = Vec::new();
    opening.previous_directory.encode(&mut copy);
    let blocks = blocks(opening.previous_directory, records.len(), directory.0.len());
    let header = Header {
        number: opening.number,
        generation: opening.generation,
        blocks: count(blocks),
        records: directory.0.values().map(|share| share.records).sum(),
        records_bytes: count(records.len()),
        previous: opening.previous,
        previous_entries: count(opening.previous_directory.0.len()),
        previous_sum: crc32fast::hash(&copy),
        oldest: opening.oldest,
    };
    let mut stream = Vec::with_capacity(blocks * BLOCK_DATA_BYTES);
    header.encode(&mut stream);
    stream.extend_from_slice(&copy);
    stream.extend_from_slice(records);
    directory.close(&mut stream, opening.number);
    assert_eq!(stream.len(), blocks * BLOCK_DATA_BYTES, "a batch is as long as it says");
    stream
}
