//! Where a file's bytes lie: chunks of one size, written in parts, their hashes in pages. Pure.
//!
//! A part is what one process has sent of a file. An upload that is resumed goes on in a new part,
//! so that the process before, should it still run, writes nothing that anybody reads.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::hash::HASH_BYTES;
use super::{FileName, Hash, keys};
use crate::limits::FILE_PAGE_CHUNKS;

/// 128 random bits, never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PartId(pub u128);

impl fmt::Display for PartId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// What one process has sent: pages from one on, up to where the next part begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Under which its chunks and pages lie.
    pub id: PartId,
    /// Its first page.
    pub from_page: u64,
}

/// Where the bytes of one version lie.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    /// How many bytes there are.
    pub bytes: u64,
    /// Bytes in every chunk but the last; never 0.
    pub chunk_bytes: u32,
    /// By the page that each begins with; the first begins with page 0.
    pub parts: Vec<Part>,
}

impl Layout {
    /// How many chunks there are.
    pub fn chunks(&self) -> u64 {
        self.bytes.div_ceil(u64::from(self.chunk_bytes.max(1)))
    }

    /// How many pages there are.
    pub fn pages(&self) -> u64 {
        self.chunks().div_ceil(FILE_PAGE_CHUNKS)
    }

    /// Where a chunk begins in the file.
    pub fn chunk_at(&self, chunk: u64) -> u64 {
        chunk * u64::from(self.chunk_bytes)
    }

    /// How many bytes a chunk has.
    pub fn chunk_length(&self, chunk: u64) -> usize {
        let left = self.bytes.saturating_sub(self.chunk_at(chunk));
        usize::try_from(left.min(u64::from(self.chunk_bytes))).unwrap_or(usize::MAX)
    }

    /// The key of a chunk.
    pub fn chunk_key(&self, name: &FileName, chunk: u64) -> Option<Bytes> {
        Some(keys::chunk(name, self.part_of(chunk / FILE_PAGE_CHUNKS)?, chunk))
    }

    /// The key of a page.
    pub fn page_key(&self, name: &FileName, page: u64) -> Option<Bytes> {
        Some(keys::page(name, self.part_of(page)?, page))
    }

    /// Hashes of a page as it was read; `None` when it is not one.
    pub fn page_hashes(&self, page: u64, value: &[u8]) -> Option<Vec<Hash>> {
        let left = self.chunks().saturating_sub(page * FILE_PAGE_CHUNKS).min(FILE_PAGE_CHUNKS);
        read_page(value).filter(|hashes| hashes.len() as u64 == left)
    }

    fn part_of(&self, page: u64) -> Option<PartId> {
        part_of(&self.parts, page)
    }
}

/// The part that a page lies in.
pub(super) fn part_of(parts: &[Part], page: u64) -> Option<PartId> {
    let part = parts.iter().rev().find(|part| part.from_page <= page);
    part.map(|part| part.id)
}

/// A page as it is stored: one hash behind the other.
pub(super) fn write_page(hashes: &[Hash]) -> Bytes {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

/// Hashes of a page.
pub(super) fn read_page(value: &[u8]) -> Option<Vec<Hash>> {
    let (hashes, rest) = value.as_chunks::<HASH_BYTES>();
    rest.is_empty().then(|| hashes.iter().copied().map(Hash).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(bytes: u64) -> Layout {
        let part = |id, from_page| Part { id: PartId(id), from_page };
        Layout { bytes, chunk_bytes: 10, parts: vec![part(1, 0), part(2, 1), part(3, 3)] }
    }

    #[test]
    fn chunks_cover_the_bytes_exactly() {
        for (bytes, chunks, pages) in [(0, 0, 0), (1, 1, 1), (10, 1, 1), (11, 2, 1), (161, 17, 2)] {
            let layout = layout(bytes);
            assert_eq!((layout.chunks(), layout.pages()), (chunks, pages), "{bytes}");
            let sum: u64 = (0..chunks).map(|chunk| layout.chunk_length(chunk) as u64).sum();
            assert_eq!(sum, bytes);
        }
    }

    #[test]
    fn a_page_lies_in_the_last_part_that_begins_before_it() {
        let parts = &layout(5_000).parts;
        let found: Vec<u128> = (0..5).map(|page| part_of(parts, page).unwrap().0).collect();
        assert_eq!(found, [1, 2, 2, 3, 3]);
        assert_eq!(part_of(&[], 0), None);
    }

    #[test]
    fn a_page_reads_as_it_was_written_and_has_as_many_hashes_as_chunks() {
        let hashes: Vec<Hash> = (0..2).map(|n| Hash::of(&[n])).collect();
        let page = write_page(&hashes);
        assert_eq!(layout(11).page_hashes(0, &page), Some(hashes));
        assert_eq!(layout(21).page_hashes(0, &page), None);
        assert_eq!(layout(11).page_hashes(0, &page[1..]), None);
    }
}
