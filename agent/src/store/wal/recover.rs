//! Reads the segments back after a start, and tells a torn tail from corruption.
//!
//! Invariant: whatever is kept after the last confirmed batch stands, synced, in a fresh segment
//! before anybody hears of it; nothing is ever written behind a cut.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use crate::env::fs::Disk;

use super::batch::{self, Directory, Opening};
use super::front::{write_front_again, write_table_again};
use super::record::{Chain, Kind, Record, encode};
use super::replay::Replay;
use super::scan::{Parsed, Soundness, batches};
use super::segment::{
    Segment, SegmentHeader, compose_table, location, read_image, read_table, table_blocks,
};
use super::survey::{Survey, survey, take_spare};
use super::{ReplicaKey, WalConfig, WalError};

/// What a start found and made.
pub(super) struct Recovered {
    /// What each log holds.
    pub(super) replay: Replay,
    /// The chain values with which the writer goes on.
    pub(super) chains: BTreeMap<ReplicaKey, Chain>,
    /// Segments in use, oldest first; the fresh one last.
    pub(super) segments: Vec<Segment>,
    /// Files ready to be used again.
    pub(super) spares: Vec<String>,
    /// The first free block of the fresh segment.
    pub(super) next_block: usize,
    /// The last batch written, and its directory.
    pub(super) last_batch: (u64, Directory),
    /// The next batch's number.
    pub(super) next_batch: u64,
    /// The oldest segment in use.
    pub(super) oldest: u32,
    /// A number above every file's.
    pub(super) next_file: u64,
    /// Whether an unfinished batch was dropped.
    pub(super) torn_tail: bool,
}

struct Opened {
    segment: Segment,
    header: SegmentHeader,
    table: Option<Directory>,
    batches: Vec<Parsed>,
}

/// Reads everything back and opens a fresh segment.
pub(super) fn recover(
    disk: &dyn Disk,
    folder: &Path,
    config: &WalConfig,
) -> Result<Recovered, WalError> {
    let at = |source: io::Error| WalError::Disk { folder: folder.to_owned(), source };
    disk.create_dir_all(folder).map_err(at)?;
    let mut survey = survey(disk, folder).map_err(at)?;
    let mut reading = Reading::default();
    let oldest = Reading::oldest(&survey).map_err(at)?;
    let mut stale: Vec<_> = Vec::new();
    survey.used.retain(|(segment, header)| {
        let live = header.generation >= oldest;
        if !live {
            stale.push(segment.name.clone());
        }
        live
    });
    survey.spares.extend(stale);
    reading.all(&survey, oldest).map_err(at)?;
    reading.into_fresh(disk, folder, config, survey, oldest).map_err(at)
}

#[derive(Default)]
struct Reading {
    replay: Replay,
    /// The chain values at the last confirmed batch.
    confirmed: Option<Directory>,
    /// The last batch that counts, and its directory.
    last: (u64, Directory),
    /// The highest number that any batch bore.
    highest: u64,
    tail: Option<Parsed>,
    torn_tail: bool,
    /// Segments whose table can't be read, and what must have stood in it.
    tables: Vec<(Segment, Directory)>,
}

fn read(segment: &Segment, header: &SegmentHeader) -> io::Result<Opened> {
    let image = read_image(segment)?;
    Ok(Opened {
        segment: segment.clone(),
        header: *header,
        table: read_table(&image, header),
        batches: batches(&image, header),
    })
}

impl Reading {
    /// The oldest segment that still counts, by the newest word on it.
    fn oldest(survey: &Survey) -> io::Result<u32> {
        let Some((segment, header)) = survey.used.last() else { return Ok(0) };
        let opened = read(segment, header)?;
        let said = opened.batches.iter().filter_map(|batch| batch.header).map(|own| own.oldest);
        Ok(said.chain([header.oldest]).max().unwrap_or(0))
    }

    fn all(&mut self, survey: &Survey, oldest: u32) -> io::Result<()> {
        let mut ahead: Option<Opened> = None;
        let mut previous = None;
        for (nth, (segment, header)) in survey.used.iter().enumerate() {
            let opened = match ahead.take() {
                Some(opened) => opened,
                None => read(segment, header)?,
            };
            if let Some((segment, header)) = survey.used.get(nth + 1) {
                ahead = Some(read(segment, header)?);
            }
            self.open_segment(&opened, previous, oldest);
            previous = Some(opened.header.generation);
            self.segment(opened, ahead.as_ref());
        }
        let newest_used = previous.unwrap_or(0);
        if survey.headless.iter().any(|generation| *generation > newest_used) {
            self.settle();
            self.replay.suspect_all("a segment's header is damaged");
        }
        self.settle_into_confirmed();
        Ok(())
    }

    fn open_segment(&mut self, opened: &Opened, previous: Option<u32>, oldest: u32) {
        let Some(previous) = previous else {
            if let Some(table) = &opened.table {
                self.replay.seed(table);
                if opened.header.generation > oldest && oldest > 0 {
                    for key in table.0.keys() {
                        self.replay.quarantine(*key, "the log's oldest segment is missing");
                    }
                }
            }
            return;
        };
        if opened.header.previous != previous {
            self.replay.suspect_all("a segment is missing");
        }
        match &opened.table {
            Some(table) => self.replay.compare(table),
            None => self.tables.extend(self.lost_table(opened)),
        }
    }

    /// The table with which a segment must have opened, if every chain is known up to there.
    fn lost_table(&self, opened: &Opened) -> Option<(Segment, Directory)> {
        let table = self.replay.sound_chains()?;
        let fits = table_blocks(&table) == opened.header.table_blocks as usize;
        fits.then(|| (opened.segment.clone(), table))
    }

    /// Replays a segment's batches up to where the next segment cuts it.
    fn segment(&mut self, opened: Opened, next: Option<&Opened>) {
        let limit = next.map(|next| next.header.confirmed);
        let mut expected = opened.header.first_batch;
        let generation = opened.segment.generation;
        let copies: Vec<Option<(u64, Directory)>> = opened
            .batches
            .iter()
            .skip(1)
            .map(|batch| batch.previous.clone())
            .chain([next.and_then(|next| next.batches.first()?.previous.clone())])
            .collect();
        let count = opened.batches.len();
        for (nth, (parsed, copy)) in opened.batches.into_iter().zip(copies).enumerate() {
            self.highest = self.highest.max(parsed.number);
            if limit.is_some_and(|limit| parsed.number > limit) {
                continue;
            }
            self.missing(expected..parsed.number, parsed.previous.as_ref());
            expected = parsed.number + 1;
            if limit.is_none() && nth + 1 == count {
                self.confirmed = Some(self.replay.chains());
                self.tail(parsed, generation);
                return;
            }
            let copy = copy.filter(|(number, _)| *number == parsed.number);
            self.confirmed_batch(&parsed, copy.map(|(_, directory)| directory));
        }
        if let Some(limit) = limit {
            let copy = next.and_then(|next| next.batches.first()?.previous.as_ref());
            self.missing(expected..limit + 1, copy);
        }
    }

    /// Batches that nothing is left of; the header after the last of them may name its records. Of
    /// how many are missing there is only a header's word, so they are not gone through.
    fn missing(&mut self, numbers: std::ops::Range<u64>, copy: Option<&(u64, Directory)>) {
        let Some(last) = numbers.end.checked_sub(1).filter(|last| *last >= numbers.start) else {
            return;
        };
        let named = copy.filter(|(number, _)| numbers.contains(number));
        if let Some((number, directory)) = named {
            self.quarantine_all(directory, &format!("batch {number} is missing"));
        }
        let is_named = |number: &u64| named.is_some_and(|(named, _)| named == number);
        if let Some(number) = numbers.into_iter().take(2).find(|number| !is_named(number)) {
            self.replay.suspect_all(&format!("batch {number} is missing"));
        }
        self.last = (last, Directory::default());
    }

    fn quarantine_all(&mut self, directory: &Directory, reason: &str) {
        for key in directory.0.keys() {
            self.replay.quarantine(*key, reason);
        }
    }

    fn confirmed_batch(&mut self, parsed: &Parsed, copy: Option<Directory>) {
        let number = parsed.number;
        let directory = parsed.directory.clone().or(copy);
        self.replay.batch(parsed);
        match (parsed.soundness, &directory) {
            (Soundness::Sound, Some(directory)) => self.replay.check(directory, number),
            (Soundness::Sound, None) => {}
            (_, Some(directory)) => {
                self.quarantine_all(directory, &format!("batch {number} is damaged"));
            }
            (_, None) => self.replay.suspect_all(&format!("batch {number} is damaged")),
        }
        self.last = (number, directory.unwrap_or_default());
    }

    /// The last batch, which nothing confirms.
    fn tail(&mut self, parsed: Parsed, generation: u32) {
        let number = parsed.number;
        match parsed.soundness {
            Soundness::Sound => {
                self.replay.batch(&parsed);
                self.tail = Some(parsed);
            }
            Soundness::Torn => {
                tracing::info!(batch = number, segment = generation, "torn tail dropped");
                self.torn_tail = true;
            }
            Soundness::Corrupt => match &parsed.directory {
                Some(directory) => {
                    self.quarantine_all(directory, &format!("batch {number} is damaged"));
                }
                None => self.replay.suspect_all(&format!("batch {number} is damaged")),
            },
        }
    }

    fn settle(&mut self) {
        self.confirmed.get_or_insert_with(|| self.replay.chains());
    }

    fn settle_into_confirmed(&mut self) {
        self.settle();
        self.replay.finish();
    }

    /// Writes what is kept into a fresh segment, and opens it once that is synced.
    fn into_fresh(
        mut self,
        disk: &dyn Disk,
        folder: &Path,
        config: &WalConfig,
        mut survey: Survey,
        oldest: u32,
    ) -> io::Result<Recovered> {
        if let Some((segment, header)) = survey.used.last() {
            write_front_again(segment, header)?;
        }
        for (segment, table) in &self.tables {
            write_table_again(segment, table)?;
        }
        let generation = survey.newest + 1;
        let segment = take_spare(disk, folder, config, &mut survey, generation)?;
        let mut table = self.confirmed.take().unwrap_or_default();
        table.0.retain(|key, _| self.replay.replicas.contains_key(key));
        let table_blocks = table_blocks(&table);
        let oldest = if oldest == 0 { generation } else { oldest };
        let header = SegmentHeader {
            open: true,
            generation,
            previous: survey.used.last().map_or(0, |(segment, _)| segment.generation),
            confirmed: self.last.0,
            first_batch: self.highest.max(self.last.0) + 1,
            oldest,
            table_blocks: super::bytes::count(table_blocks),
        };
        let mut chains: BTreeMap<_, _> =
            table.0.iter().map(|(key, share)| (*key, share.chain)).collect();
        let kept = self.rewrite(&mut chains, &header);
        let mut next_block = header.first_block();
        let mut last_batch = self.last.clone();
        let mut next_batch = header.first_batch;
        segment.write_stream(&compose_table(&table), 0, 1)?;
        if let Some((stream, directory)) = kept {
            let blocks = stream.len() / super::sector::BLOCK_DATA_BYTES;
            if next_block + blocks > segment.blocks {
                return Err(io::Error::other("what must be kept doesn't fit one segment"));
            }
            segment.write_stream(&stream, next_batch, next_block)?;
            next_block += blocks;
            last_batch = (next_batch, directory);
            next_batch += 1;
        }
        segment.file.sync_data()?;
        segment.write_header(&header)?;
        segment.file.sync_data()?;
        let mut segments: Vec<_> = survey.used.into_iter().map(|(segment, _)| segment).collect();
        segments.push(segment);
        Ok(Recovered {
            replay: self.replay,
            chains,
            segments,
            spares: survey.spares,
            next_block,
            last_batch,
            next_batch,
            oldest,
            next_file: survey.next_file,
            torn_tail: self.torn_tail,
        })
    }

    /// The tail's records and the marks of new quarantines, as one batch.
    fn rewrite(
        &mut self,
        chains: &mut BTreeMap<ReplicaKey, Chain>,
        header: &SegmentHeader,
    ) -> Option<(Vec<u8>, Directory)> {
        let mut records = Vec::new();
        let mut directory = Directory::default();
        let start = header.first_block() * super::sector::BLOCK_DATA_BYTES
            + batch::records_at(&self.last.1);
        if let Some(tail) = self.tail.take() {
            let mut again = BTreeMap::new();
            for found in &tail.records {
                let Record { key, .. } = found.decoded.record;
                let before = chains.get(&key).copied().unwrap_or_default();
                let at = records.len();
                let payload = tail.payload(found);
                let after = encode(&found.decoded.record, before, payload, &mut records);
                let place = location(header.generation, start + at, records.len() - at);
                again.insert(found.location, place);
                chains.insert(key, after);
                directory.add(key, after);
                if found.decoded.record.kind == Kind::Forget {
                    chains.remove(&key);
                }
            }
            self.replay.relocate(&again);
        }
        for (key, replica) in &mut self.replay.replicas {
            let Some(reason) = replica.quarantine.as_ref().filter(|_| replica.mark.is_none())
            else {
                continue;
            };
            let mark = Record { kind: Kind::Quarantine, key: *key, term: 0, index: 0 };
            let before = chains.get(key).copied().unwrap_or_default();
            let at = records.len();
            let after = encode(&mark, before, reason.as_bytes(), &mut records);
            replica.mark = Some(location(header.generation, start + at, records.len() - at));
            chains.insert(*key, after);
            directory.add(*key, after);
        }
        if directory.0.is_empty() {
            return None;
        }
        let opening = Opening {
            number: header.first_batch,
            generation: header.generation,
            previous: self.last.0,
            previous_directory: &self.last.1,
            oldest: header.oldest,
        };
        Some((batch::compose(&opening, &records, &directory), directory))
    }
}
