//! A segment file: its header in two copies, the table of chain values behind it, its making.
//!
//! Invariant: a segment is in use only if its header says open, and that header is written after
//! whatever it vouches for was synced. Running numbers (generations) are never used twice.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::env::fs::{Create, Disk, DiskFile};

use super::batch::{Directory, Share};
use super::bytes::{Put, Take, count};
use super::sector::{
    BLOCK_BYTES, BLOCK_DATA_BYTES, BLOCK_SECTORS, Image, SECTOR_BYTES, Stamp, sectors_of, stamp,
    unstamp,
};

const MAGIC: u64 = 0x3147_4553_4c41_5745;
const FORMAT_VERSION: u32 = 1;
/// The second copy of the header lies in the middle of the block, far from the first.
const COPY_SECTORS: [usize; 2] = [0, 4];
const FILL_BYTES: usize = 1 << 20;

/// The file that is given up when the disk is full, so that a vote can still be recorded.
pub(super) const RESERVE_NAME: &str = "reserve.wal";

/// Where in the log a record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Location {
    /// The segment.
    pub(super) generation: u32,
    /// Data bytes from the segment's start.
    pub(super) at: u64,
    /// Length of the record with its header.
    pub(super) bytes: u32,
}

/// What a segment says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    /// In use, or only prepared.
    pub(super) open: bool,
    /// Its running number.
    pub(super) generation: u32,
    /// The segment before it; 0 for the first.
    pub(super) previous: u32,
    /// The last batch of the segments before that counts, and was synced.
    pub(super) confirmed: u64,
    /// Number of the first batch in it.
    pub(super) first_batch: u64,
    /// The oldest segment that may still hold live records.
    pub(super) oldest: u32,
    /// Length of the table of chain values.
    pub(super) table_blocks: u32,
}

impl SegmentHeader {
    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(SECTOR_BYTES);
        out.put_u64(MAGIC);
        out.put_u32(FORMAT_VERSION);
        out.put_u32(u32::from(self.open));
        out.put_u32(self.generation);
        out.put_u32(self.previous);
        out.put_u64(self.confirmed);
        out.put_u64(self.first_batch);
        out.put_u32(self.oldest);
        out.put_u32(self.table_blocks);
        let sum = crc32fast::hash(&out);
        out.put_u32(sum);
        out.resize(SECTOR_BYTES, 0);
        out
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut take = Take(bytes);
        let magic = take.u64()?;
        let version = take.u32()?;
        let header = Self {
            open: take.u32()? == 1,
            generation: take.u32()?,
            previous: take.u32()?,
            confirmed: take.u64()?,
            first_batch: take.u64()?,
            oldest: take.u32()?,
            table_blocks: take.u32()?,
        };
        let checked = bytes.len() - take.0.len();
        let sound = take.u32()? == crc32fast::hash(&bytes[..checked]);
        let plausible =
            [(header.generation, header.confirmed), (header.oldest, header.first_batch)]
                .into_iter()
                .all(|(generation, batch)| Stamp { generation, batch }.is_plausible());
        let sound = sound && plausible;
        (sound && magic == MAGIC && version == FORMAT_VERSION).then_some(header)
    }

    /// The header of a segment; the newer one if its copies differ.
    pub(super) fn find(image: &Image) -> Option<Self> {
        if image.blocks() == 0 {
            return None;
        }
        COPY_SECTORS
            .into_iter()
            .filter(|sector| !image.is_unreadable(*sector))
            .filter_map(|sector| Self::decode(image.sector(sector)))
            .max_by_key(|header| (header.generation, header.open))
    }

    /// The first block after header and table.
    pub(super) fn first_block(&self) -> usize {
        1 + self.table_blocks as usize
    }
}

/// An open segment file.
#[derive(Clone)]
pub(super) struct Segment {
    /// Its running number.
    pub(super) generation: u32,
    /// The file's name in the log's folder.
    pub(super) name: String,
    /// The file.
    pub(super) file: Arc<dyn DiskFile>,
    /// Its length.
    pub(super) blocks: usize,
}

impl Segment {
    /// Writes both copies of the header; the caller syncs.
    pub(super) fn write_header(&self, header: &SegmentHeader) -> io::Result<()> {
        let mut block = vec![0; BLOCK_BYTES];
        for sector in COPY_SECTORS {
            let at = sector * SECTOR_BYTES;
            block[at..at + SECTOR_BYTES].copy_from_slice(&header.encode());
        }
        self.file.write_all_at(&block, 0)
    }

    /// Writes a batch or table at a block; the caller syncs.
    pub(super) fn write_stream(&self, stream: &[u8], batch: u64, block: usize) -> io::Result<()> {
        let bytes = stamp(stream, Stamp { generation: self.generation, batch });
        self.file.write_all_at(&bytes, (block * BLOCK_BYTES) as u64)
    }

    /// Reads a record's bytes; they are unchecked.
    pub(super) fn read_record(&self, location: Location) -> io::Result<Vec<u8>> {
        let from = usize::try_from(location.at).map_err(io::Error::other)?;
        let data = from..from + location.bytes as usize;
        let sectors = sectors_of(data.clone());
        let mut raw = vec![0; sectors.len() * SECTOR_BYTES];
        self.file.read_exact_at(&mut raw, (sectors.start * SECTOR_BYTES) as u64)?;
        let skipped = data.start - sectors.start * super::sector::DATA_BYTES;
        let stream = unstamp(&raw);
        Ok(stream[skipped..skipped + data.len()].to_vec())
    }

    /// Makes the file a prepared segment of this generation, durably.
    pub(super) fn prepare(&self) -> io::Result<()> {
        let header = SegmentHeader { generation: self.generation, ..SegmentHeader::default() };
        self.write_header(&header)?;
        self.file.sync_all()
    }
}

/// Lays out the table of every replica's chain value.
pub(super) fn compose_table(chains: &Directory) -> Vec<u8> {
    let mut stream = Vec::new();
    chains.close(&mut stream, 0);
    stream
}

/// Reads the table of chain values; `None` if it is damaged.
pub(super) fn read_table(image: &Image, header: &SegmentHeader) -> Option<Directory> {
    let blocks = 1..header.first_block();
    if blocks.is_empty() || blocks.end > image.blocks() {
        return None;
    }
    // A recycled file may hold the whole table of its previous life where this one was torn.
    let stamp = Stamp { generation: header.generation, batch: 0 };
    let mut sectors = blocks.start * BLOCK_SECTORS..blocks.end * BLOCK_SECTORS;
    if !sectors.all(|sector| image.stamp(sector) == Some(stamp)) {
        return None;
    }
    Directory::open(&image.data(blocks), 0).map(|(table, _)| table)
}

/// Blocks of a table that names so many replicas.
pub(super) fn table_blocks(chains: &Directory) -> usize {
    compose_table(chains).len() / BLOCK_DATA_BYTES
}

/// A table entry.
pub(super) fn chain_share(chain: super::record::Chain) -> Share {
    Share { records: 0, chain }
}

/// The file name of a number.
pub(super) fn file_name(number: u64) -> String {
    format!("segment-{number:08}.wal")
}

/// The number of a segment file's name.
pub(super) fn file_number(name: &str) -> Option<u64> {
    name.strip_prefix("segment-")?.strip_suffix(".wal")?.parse().ok()
}

/// Makes a file of zeroes, durably; an unfinished one is removed again.
pub(super) fn create_zeroed(disk: &dyn Disk, path: &Path, bytes: u64) -> io::Result<()> {
    let made = fill(disk, path, bytes);
    if made.is_err() {
        // Nothing refers to it; if it stays it is found blank at the next start and reused.
        let _ = disk.remove(path);
    }
    made
}

fn fill(disk: &dyn Disk, path: &Path, bytes: u64) -> io::Result<()> {
    let file = disk.open(path, Create::IfAbsent)?;
    let zeroes = vec![0; FILL_BYTES];
    let mut at = 0;
    while at < bytes {
        let more = (bytes - at).min(FILL_BYTES as u64);
        file.write_all_at(&zeroes[..usize::try_from(more).map_err(io::Error::other)?], at)?;
        at += more;
    }
    file.sync_all()?;
    disk.sync_dir(path.parent().unwrap_or(Path::new(".")))
}

/// Opens a segment file.
pub(super) fn open(
    disk: &dyn Disk,
    folder: &Path,
    name: &str,
    generation: u32,
) -> io::Result<Segment> {
    let path: PathBuf = folder.join(name);
    let file = disk.open(&path, Create::Never)?;
    let blocks = usize::try_from(file.len()?).map_err(io::Error::other)? / BLOCK_BYTES;
    Ok(Segment { generation, name: name.to_owned(), file, blocks })
}

/// Reads a whole segment; sectors that the disk refuses are noted, not fatal.
pub(super) fn read_image(segment: &Segment) -> io::Result<Image> {
    let mut bytes = vec![0; segment.blocks * BLOCK_BYTES];
    let mut unreadable = BTreeSet::new();
    if segment.file.read_exact_at(&mut bytes, 0).is_ok() {
        return Ok(Image::new(bytes, unreadable));
    }
    for sector in 0..segment.blocks * BLOCK_SECTORS {
        let at = sector * SECTOR_BYTES;
        let buffer = &mut bytes[at..at + SECTOR_BYTES];
        if segment.file.read_exact_at(buffer, at as u64).is_err() {
            unreadable.insert(sector);
        }
    }
    if unreadable.len() == segment.blocks * BLOCK_SECTORS {
        // Not one sector: the disk is gone, and starting without the segment would forget it.
        return Err(io::Error::other(format!("no sector of {} can be read", segment.name)));
    }
    Ok(Image::new(bytes, unreadable))
}

/// A position within a segment in the width that the disk format gives it.
pub(super) fn location(generation: u32, at: usize, bytes: usize) -> Location {
    Location { generation, at: at as u64, bytes: count(bytes) }
}
