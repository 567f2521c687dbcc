//! Sectors: every one of 512 bytes bears a stamp that says which batch of which segment wrote it.
//!
//! Invariant: a sector left over from a segment's previous life, or never reached by a torn
//! write, is blank or bears the sound stamp of another batch than the one that covers it.

use std::collections::BTreeSet;
use std::ops::Range;

use super::bytes::{Put, Take};

/// What a disk writes whole or not at all.
pub(super) const SECTOR_BYTES: usize = 512;
/// Bytes of stamp at the front of each sector.
pub(super) const STAMP_BYTES: usize = 16;
/// Bytes of the log in each sector.
pub(super) const DATA_BYTES: usize = SECTOR_BYTES - STAMP_BYTES;
/// Sectors in a block; batches begin at blocks, so that two never share one.
pub(super) const BLOCK_SECTORS: usize = 8;
/// Bytes of a block on disk.
pub(super) const BLOCK_BYTES: usize = BLOCK_SECTORS * SECTOR_BYTES;
/// Bytes of the log in a block.
pub(super) const BLOCK_DATA_BYTES: usize = BLOCK_SECTORS * DATA_BYTES;

/// Which batch of which segment wrote a sector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    /// The segment's running number.
    pub(super) generation: u32,
    /// The batch; 0 is the segment's opening table.
    pub(super) batch: u64,
}

impl Stamp {
    fn encode(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(STAMP_BYTES);
        bytes.put_u32(self.generation);
        bytes.put_u64(self.batch);
        let sum = crc32fast::hash(&bytes);
        bytes.put_u32(sum);
        bytes
    }

    /// Numbers count up from 1 by one: whoever has one that no log reaches has not counted so.
    pub(super) fn is_plausible(self) -> bool {
        self.generation < 1 << 31 && self.batch < 1 << 56
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let sum = crc32fast::hash(bytes.get(..12)?);
        let mut take = Take(bytes);
        let stamp = Self { generation: take.u32()?, batch: take.u64()? };
        (take.u32()? == sum && stamp.is_plausible()).then_some(stamp)
    }
}

/// Cuts a batch into stamped sectors. Its length is a whole number of blocks.
pub(super) fn stamp(stream: &[u8], stamp: Stamp) -> Vec<u8> {
    assert!(stream.len().is_multiple_of(BLOCK_DATA_BYTES), "batches are padded to whole blocks");
    let mark = stamp.encode();
    let mut out = Vec::with_capacity(stream.len() / DATA_BYTES * SECTOR_BYTES);
    for data in stream.chunks(DATA_BYTES) {
        out.extend_from_slice(&mark);
        out.extend_from_slice(data);
    }
    out
}

/// The sectors that hold bytes of the log; positions count data bytes from the segment's start.
pub(super) fn sectors_of(data: Range<usize>) -> Range<usize> {
    data.start / DATA_BYTES..data.end.div_ceil(DATA_BYTES)
}

/// The log's bytes out of whole sectors.
pub(super) fn unstamp(sectors: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(sectors.len() / SECTOR_BYTES * DATA_BYTES);
    for sector in sectors.chunks_exact(SECTOR_BYTES) {
        out.extend_from_slice(&sector[STAMP_BYTES..]);
    }
    out
}

/// A whole segment as it was read.
pub(super) struct Image {
    bytes: Vec<u8>,
    unreadable: BTreeSet<usize>,
}

impl Image {
    /// Wraps what was read; unreadable sectors hold anything.
    pub(super) fn new(bytes: Vec<u8>, unreadable: BTreeSet<usize>) -> Self {
        Self { bytes, unreadable }
    }

    /// Whole blocks in it.
    pub(super) fn blocks(&self) -> usize {
        self.bytes.len() / BLOCK_BYTES
    }

    /// A sector as it is on disk.
    pub(super) fn sector(&self, sector: usize) -> &[u8] {
        &self.bytes[sector * SECTOR_BYTES..(sector + 1) * SECTOR_BYTES]
    }

    /// Whether the disk refused to give a sector.
    pub(super) fn is_unreadable(&self, sector: usize) -> bool {
        self.unreadable.contains(&sector)
    }

    /// A sector's stamp, if it has a sound one; none lies beyond the end.
    pub(super) fn stamp(&self, sector: usize) -> Option<Stamp> {
        if sector >= self.blocks() * BLOCK_SECTORS || self.is_unreadable(sector) {
            return None;
        }
        Stamp::decode(self.sector(sector))
    }

    /// Whether the write of a batch never reached a sector: it bears another's sound stamp, or is
    /// as blank as the file was made. A stamp that is neither was written, and has rotted.
    pub(super) fn never_reached(&self, sector: usize, batch: Stamp) -> bool {
        if self.is_unreadable(sector) {
            return false;
        }
        match self.stamp(sector) {
            Some(other) => other != batch,
            None => self.sector(sector).iter().all(|byte| *byte == 0),
        }
    }

    /// The batch that wrote most of a block's sectors in this generation.
    pub(super) fn batch_of_block(&self, block: usize, generation: u32) -> Option<u64> {
        let mut votes: Vec<u64> = (0..BLOCK_SECTORS)
            .filter_map(|nth| self.stamp(block * BLOCK_SECTORS + nth))
            .filter(|stamp| stamp.generation == generation)
            .map(|stamp| stamp.batch)
            .collect();
        votes.sort_unstable();
        let count = |batch: u64| votes.iter().filter(|other| **other == batch).count();
        votes.iter().copied().max_by_key(|batch| count(*batch))
    }

    /// The log's bytes in a range of blocks.
    pub(super) fn data(&self, blocks: Range<usize>) -> Vec<u8> {
        unstamp(&self.bytes[blocks.start * BLOCK_BYTES..blocks.end * BLOCK_BYTES])
    }

    /// The highest generation that any sector bears.
    pub(super) fn newest_generation(&self) -> u32 {
        let sectors = 0..self.bytes.len() / SECTOR_BYTES;
        let stamps = sectors.filter_map(|sector| self.stamp(sector));
        stamps.map(|stamp| stamp.generation).max().unwrap_or(0)
    }
}
