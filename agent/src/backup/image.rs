//! One shard's image: records go in and come out in slot and key order, in chunks.
//!
//! What comes out is checked: each chunk by its hash, the order of keys, and at the end the count
//! and the content hash of the whole.

use bytes::Bytes;
use evenkeel_shared::backup::{Chunk, ShardImage};
use evenkeel_shared::command::StoredRecord;
use evenkeel_shared::key::Slot;
use evenkeel_shared::limits::BATCH_BYTES_MAX;

use super::archive::Archive;
use super::chunk::{ChunkBuilder, ChunkRecords};
use super::{ArchiveError, CHUNK_BYTES_TARGET};
use crate::content::{ContentHasher, ContentSummary};

/// Encoded records in one batch that is read: it must fit a log entry with room to spare.
pub(super) const BATCH_BYTES: usize = BATCH_BYTES_MAX / 2;

/// What a finished image adds to its manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageParts {
    /// Its chunks, in key order.
    pub chunks: Vec<Chunk>,
    /// Records in it.
    pub records: u64,
    /// BLAKE3 over its records.
    pub content_hash: String,
}

/// Takes a shard's records in slot and key order.
pub struct ImageWriter {
    archive: Archive,
    chunk: ChunkBuilder,
    chunks: Vec<Chunk>,
    content: ContentHasher,
    last: Option<(Slot, Bytes)>,
}

impl ImageWriter {
    /// Begins an image.
    pub fn new(archive: &Archive) -> Self {
        Self {
            archive: archive.clone(),
            chunk: ChunkBuilder::new(),
            chunks: Vec::new(),
            content: ContentHasher::new(),
            last: None,
        }
    }

    /// Takes the next record; a full chunk goes out before this returns.
    pub async fn add(&mut self, record: &StoredRecord) -> Result<(), ArchiveError> {
        if !comes_after(self.last.as_ref(), record) {
            let why = format!("record in slot {} is out of order", record.slot.0);
            return Err(ArchiveError::Misuse { why });
        }
        self.last = Some((record.slot, record.key.clone()));
        self.content.feed(record);
        self.chunk.add(record);
        if self.chunk.len() >= CHUNK_BYTES_TARGET {
            self.put().await?;
        }
        Ok(())
    }

    /// Writes what is left.
    pub async fn finish(mut self) -> Result<ImageParts, ArchiveError> {
        if !self.chunk.is_empty() {
            self.put().await?;
        }
        let ContentSummary { records, hash: content_hash } = self.content.finish();
        Ok(ImageParts { chunks: self.chunks, records, content_hash })
    }

    async fn put(&mut self) -> Result<(), ArchiveError> {
        let full = std::mem::replace(&mut self.chunk, ChunkBuilder::new());
        self.chunks.push(self.archive.put_chunk(full.finish()).await?);
        Ok(())
    }
}

/// Gives a shard's records back, in batches for `Command::Ingest`.
pub struct ImageReader {
    archive: Archive,
    image: ShardImage,
    next_chunk: usize,
    open: Option<ChunkRecords>,
    held: Option<(StoredRecord, usize)>,
    content: ContentHasher,
    last: Option<(Slot, Bytes)>,
}

impl ImageReader {
    /// Begins at the first record.
    pub fn new(archive: &Archive, image: ShardImage) -> Self {
        Self {
            archive: archive.clone(),
            image,
            next_chunk: 0,
            open: None,
            held: None,
            content: ContentHasher::new(),
            last: None,
        }
    }

    /// The next batch; `None` once all records were given and the whole was found to be right.
    /// Until then nothing that was built from the batches may be opened.
    pub async fn next(&mut self) -> Result<Option<Vec<StoredRecord>>, ArchiveError> {
        let mut batch = Vec::new();
        let mut room = BATCH_BYTES;
        while let Some((record, bytes)) = self.take().await? {
            if bytes > room && !batch.is_empty() {
                self.held = Some((record, bytes));
                break;
            }
            room = room.saturating_sub(bytes);
            batch.push(record);
        }
        if !batch.is_empty() {
            return Ok(Some(batch));
        }
        self.check_whole()?;
        Ok(None)
    }

    async fn take(&mut self) -> Result<Option<(StoredRecord, usize)>, ArchiveError> {
        if let Some(held) = self.held.take() {
            return Ok(Some(held));
        }
        loop {
            if let Some(open) = &mut self.open {
                let name = &self.image.chunks[self.next_chunk - 1].hash;
                if let Some((record, bytes)) = open.next(name)? {
                    self.check_record(&record)?;
                    return Ok(Some((record, bytes)));
                }
            }
            let Some(chunk) = self.image.chunks.get(self.next_chunk) else { return Ok(None) };
            let bytes = self.archive.get_chunk(chunk).await?;
            self.open = Some(ChunkRecords::open(&chunk.hash, bytes)?);
            self.next_chunk += 1;
        }
    }

    fn check_record(&mut self, record: &StoredRecord) -> Result<(), ArchiveError> {
        if !comes_after(self.last.as_ref(), record) {
            return Err(self.damaged("its records are out of order".to_owned()));
        }
        if !self.image.slots.iter().any(|range| range.contains(record.slot)) {
            let why = format!("it holds a record of slot {}, which is not its own", record.slot.0);
            return Err(self.damaged(why));
        }
        self.last = Some((record.slot, record.key.clone()));
        self.content.feed(record);
        Ok(())
    }

    fn check_whole(&self) -> Result<(), ArchiveError> {
        let ContentSummary { records, hash } = self.content.finish();
        if records != self.image.records {
            let expected = self.image.records;
            return Err(self.damaged(format!("it holds {records} records instead of {expected}")));
        }
        if hash != self.image.content_hash {
            return Err(self.damaged("its records are not those that its hash says".to_owned()));
        }
        Ok(())
    }

    fn damaged(&self, why: String) -> ArchiveError {
        ArchiveError::Damaged { what: format!("image of {}", self.image.shard), why }
    }
}

fn comes_after(last: Option<&(Slot, Bytes)>, record: &StoredRecord) -> bool {
    last.is_none_or(|(slot, key)| (*slot, key) < (record.slot, &record.key))
}
