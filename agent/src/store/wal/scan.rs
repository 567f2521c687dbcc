//! Finds the batches of a segment and judges each: sound, torn, or corrupt.
//!
//! Invariant: a batch is torn only if every damaged piece of it covers a sector that its write never
//! reached; one that the disk refuses to read, or whose stamp has rotted, is never an excuse.

use std::ops::Range;

use super::batch::{Directory, HEADER_BYTES, Header};
use super::record::{Decoded, RECORD_HEADER_BYTES, decode};
use super::sector::{BLOCK_DATA_BYTES, BLOCK_SECTORS, Image, Stamp, sectors_of};
use super::segment::{Location, SegmentHeader, location};

/// How far a batch can be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Soundness {
    /// Every record is there and matches its checksums.
    Sound,
    /// What is damaged was never written.
    Torn,
    /// Something is damaged that had been written.
    Corrupt,
}

/// A record found in a batch.
#[derive(Clone, Debug)]
pub(super) struct Found {
    /// The record.
    pub(super) decoded: Decoded,
    /// Where it stands.
    pub(super) location: Location,
    /// Where it begins in the batch's stream.
    pub(super) start: usize,
}

/// A batch as it was found.
pub(super) struct Parsed {
    /// Its number, by its stamps.
    pub(super) number: u64,
    /// Its header, if sound.
    pub(super) header: Option<Header>,
    /// The directory of the batch before, if its copy is sound.
    pub(super) previous: Option<(u64, Directory)>,
    /// Its records up to the first whose header is damaged, without those with damaged payloads.
    pub(super) records: Vec<Found>,
    /// Its own directory, if sound.
    pub(super) directory: Option<Directory>,
    /// The judgement.
    pub(super) soundness: Soundness,
    stream: Vec<u8>,
}

impl Parsed {
    /// A record's payload.
    pub(super) fn payload(&self, found: &Found) -> &[u8] {
        let payload = &found.decoded.payload;
        &self.stream[found.start + payload.start..found.start + payload.end]
    }
}

/// Finds every batch of a segment, in order.
pub(super) fn batches(image: &Image, header: &SegmentHeader) -> Vec<Parsed> {
    let starts = starts(image, header);
    let mut found = Vec::with_capacity(starts.len());
    for (nth, (number, first, last)) in starts.iter().copied().enumerate() {
        let limit = starts.get(nth + 1).map_or(image.blocks(), |next| next.1);
        found.push(parse(image, header.generation, number, &Extent { first, last, limit }));
    }
    found
}

/// The number, first and last stamped block of each batch.
fn starts(image: &Image, header: &SegmentHeader) -> Vec<(u64, usize, usize)> {
    let mut starts: Vec<(u64, usize, usize)> = Vec::new();
    for block in header.first_block()..image.blocks() {
        let Some(number) = image.batch_of_block(block, header.generation) else { continue };
        match starts.last_mut() {
            Some((current, _, last)) if *current == number => *last = block,
            // Numbers only rise; a lower one is a stray sector, and belongs to nothing.
            Some((current, _, _)) if *current > number => {}
            _ => starts.push((number, block, block)),
        }
    }
    starts
}

struct Extent {
    first: usize,
    last: usize,
    limit: usize,
}

struct Judge<'a> {
    image: &'a Image,
    stamp: Stamp,
    first_sector: usize,
    soundness: Soundness,
}

impl Judge<'_> {
    fn sectors(&self, range: Range<usize>) -> Range<usize> {
        let sectors = sectors_of(range);
        self.first_sector + sectors.start..self.first_sector + sectors.end
    }

    /// Whether every sector under a piece of the stream bears the batch's stamp.
    fn stamped(&self, range: Range<usize>) -> bool {
        self.sectors(range).all(|sector| self.image.stamp(sector) == Some(self.stamp))
    }

    fn damaged(&mut self, range: Range<usize>) {
        let sectors = self.sectors(range);
        let last = self.image.blocks() * BLOCK_SECTORS;
        let unwritten =
            |sector: usize| sector >= last || self.image.never_reached(sector, self.stamp);
        let there = sectors.start..sectors.end.min(last);
        let excused = sectors.clone().any(unwritten)
            && !there.into_iter().any(|sector| self.image.is_unreadable(sector));
        self.soundness = match (excused, self.soundness) {
            (false, _) | (_, Soundness::Corrupt) => Soundness::Corrupt,
            (true, _) => Soundness::Torn,
        };
    }
}

fn parse(image: &Image, generation: u32, number: u64, extent: &Extent) -> Parsed {
    let stamp = Stamp { generation, batch: number };
    let mut judge = Judge {
        image,
        stamp,
        first_sector: extent.first * BLOCK_SECTORS,
        soundness: Soundness::Sound,
    };
    let available = image.data(extent.first..extent.limit);
    let header = Header::decode(&available)
        .filter(|header| header.number == number && header.generation == generation)
        .filter(|_| judge.stamped(0..HEADER_BYTES));
    let end = match &header {
        Some(header) => (extent.first + header.blocks as usize).min(extent.limit),
        None => extent.last + 1,
    };
    let stream = available[..(end - extent.first) * BLOCK_DATA_BYTES].to_vec();
    let mut parsed = Parsed {
        number,
        header,
        previous: None,
        records: Vec::new(),
        directory: None,
        soundness: Soundness::Sound,
        stream,
    };
    match header {
        None => judge.damaged(0..HEADER_BYTES),
        Some(header) => {
            let copy = HEADER_BYTES..header.records_at();
            if judge.stamped(copy.clone()) || copy.is_empty() {
                parsed.previous = header
                    .previous_directory(&parsed.stream)
                    .map(|directory| (header.previous, directory));
            }
            read_records(&mut parsed, &header, &mut judge);
        }
    }
    if let Some((directory, start)) = Directory::open(&parsed.stream, number)
        && judge.stamped(start..parsed.stream.len())
    {
        parsed.directory = Some(directory);
    }
    parsed.soundness = judge.soundness;
    parsed
}

fn read_records(parsed: &mut Parsed, header: &Header, judge: &mut Judge<'_>) {
    let mut at = header.records_at();
    let end = at + header.records_bytes as usize;
    let stream_start = judge.first_sector / BLOCK_SECTORS * BLOCK_DATA_BYTES;
    for _ in 0..header.records {
        let decoded = parsed.stream.get(at..end.min(parsed.stream.len())).and_then(decode);
        let stamped = judge.stamped(at..(at + RECORD_HEADER_BYTES).min(end));
        let Some(decoded) = decoded.filter(|_| stamped) else {
            // Without its length nothing after it can be told apart: it is one damaged piece, and
            // it is judged by the sectors of its header alone.
            judge.damaged(at..at + RECORD_HEADER_BYTES);
            return;
        };
        let next = at + decoded.payload.end;
        if decoded.payload_sound && judge.stamped(at..next) {
            let location = location(judge.stamp.generation, stream_start + at, decoded.payload.end);
            parsed.records.push(Found { decoded, location, start: at });
        } else {
            judge.damaged(at..next);
        }
        at = next;
    }
}
