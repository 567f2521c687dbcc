//! The inside of an image chunk: a header, then records, each behind its length. Pure.
//!
//! On disk. Format 1: `EVKIMAGE`, format and count of records as u32, then for each record its
//! length as u32 and its postcard encoding; numbers in little endian.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use evenkeel_shared::command::StoredRecord;

use super::ArchiveError;

const MAGIC: &[u8; 8] = b"EVKIMAGE";
const FORMAT: u32 = 1;
const COUNT_AT: usize = 12;
const HEADER_BYTES: usize = 16;

/// A chunk being filled.
pub(super) struct ChunkBuilder {
    bytes: BytesMut,
    records: u32,
}

impl ChunkBuilder {
    pub(super) fn new() -> Self {
        let mut bytes = BytesMut::new();
        bytes.put_slice(MAGIC);
        bytes.put_u32_le(FORMAT);
        bytes.put_u32_le(0);
        Self { bytes, records: 0 }
    }

    pub(super) fn add(&mut self, record: &StoredRecord) {
        let encoded = postcard::to_stdvec(record).expect("a record is plain numbers and bytes");
        let length = u32::try_from(encoded.len()).expect("keys and values are bounded to 1 MiB");
        self.bytes.put_u32_le(length);
        self.bytes.put_slice(&encoded);
        self.records += 1;
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.records == 0
    }

    pub(super) fn finish(mut self) -> Bytes {
        self.bytes[COUNT_AT..HEADER_BYTES].copy_from_slice(&self.records.to_le_bytes());
        self.bytes.freeze()
    }
}

/// Records of one chunk, one after the other.
pub(super) struct ChunkRecords {
    rest: Bytes,
    records: u32,
}

impl ChunkRecords {
    /// Reads the header.
    pub(super) fn open(name: &str, mut bytes: Bytes) -> Result<Self, ArchiveError> {
        if bytes.len() < HEADER_BYTES || &bytes[..MAGIC.len()] != MAGIC {
            return Err(damaged(name, "it does not begin like a chunk of an image"));
        }
        bytes.advance(MAGIC.len());
        let format = bytes.get_u32_le();
        if format > FORMAT {
            let what = format!("chunk {name}");
            return Err(ArchiveError::Newer { what, found: format, known: FORMAT });
        }
        let records = bytes.get_u32_le();
        Ok(Self { rest: bytes, records })
    }

    /// The next record and the length of its encoding.
    pub(super) fn next(
        &mut self,
        name: &str,
    ) -> Result<Option<(StoredRecord, usize)>, ArchiveError> {
        if self.records == 0 {
            let end = self.rest.is_empty();
            return if end { Ok(None) } else { Err(damaged(name, "it goes on after its end")) };
        }
        let short = || damaged(name, "it ends within a record");
        let length = self.rest.try_get_u32_le().map_err(|_| short())? as usize;
        if length > self.rest.len() {
            return Err(short());
        }
        let encoded = self.rest.split_to(length);
        let record = postcard::from_bytes(&encoded)
            .map_err(|_| damaged(name, "one of its records can't be decoded"))?;
        self.records -= 1;
        Ok(Some((record, length)))
    }
}

fn damaged(name: &str, why: &str) -> ArchiveError {
    ArchiveError::Damaged { what: format!("chunk {name}"), why: why.to_owned() }
}
