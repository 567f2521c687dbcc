//! Chunks and pages on their way: a bounded number at once, acknowledged in order.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use tokio_util::task::AbortOnDropHandle;

use super::{Begun, nothing_yet, whole_pages};
use crate::client::ClientError;
use crate::command::WriteAction;
use crate::files::files_of::done;
use crate::files::layout::write_page;
use crate::files::{FileError, FileName, Files, Hash, Keys, PartId, keys};
use crate::limits::{FILE_CHUNKS_IN_FLIGHT, FILE_PAGE_CHUNKS, FILE_RENEW};

/// Pages on their way at once: they are small and seldom.
const PAGES_IN_FLIGHT: usize = 4;

/// A write that is under way; it ends with its value.
type Write = AbortOnDropHandle<Result<(), FileError>>;

/// One upload's chunks and pages on their way.
pub(super) struct Sending<'a, K> {
    files: &'a Files<K>,
    name: &'a FileName,
    owner: PartId,
    /// Chunks that have been handed over, those from before included.
    sent: u64,
    /// Chunks that are not acknowledged yet, with their length, oldest first.
    chunks: VecDeque<(u64, Write)>,
    pages: VecDeque<Write>,
    /// Hashes of the page that is being filled, of chunks that are on their way or there.
    hashes: Vec<Hash>,
    /// Pages whose chunks are not all acknowledged yet: the number of chunks that must be, and
    /// the page.
    full: VecDeque<(u64, u64, Bytes)>,
    acknowledged: u64,
    acknowledged_bytes: u64,
    renewed_ms: u64,
}

impl<'a, K: Keys> Sending<'a, K> {
    pub(super) fn new(files: &'a Files<K>, name: &'a FileName, begun: &Begun) -> Self {
        Self {
            files,
            name,
            owner: begun.owner,
            sent: begun.from_chunk,
            chunks: VecDeque::new(),
            pages: VecDeque::new(),
            hashes: Vec::new(),
            full: VecDeque::new(),
            acknowledged: begun.from_chunk,
            acknowledged_bytes: 0,
            renewed_ms: files.keys.now_ms(),
        }
    }

    /// Bytes that were sent and are there.
    pub(super) fn acknowledged_bytes(&self) -> u64 {
        self.acknowledged_bytes
    }

    /// Takes the next chunk; waits while too many are under way.
    pub(super) async fn send(&mut self, chunk: Bytes) -> Result<(), FileError> {
        while self.chunks.len() >= FILE_CHUNKS_IN_FLIGHT {
            self.acknowledge().await?;
        }
        self.renew_in_time().await?;
        self.hashes.push(Hash::of(&chunk));
        let length = chunk.len() as u64;
        let key = keys::chunk(self.name, self.owner, self.sent);
        self.chunks.push_back((length, self.write(key, chunk)));
        self.sent += 1;
        if self.hashes.len() as u64 == FILE_PAGE_CHUNKS {
            self.close_page();
        }
        Ok(())
    }

    /// Waits until everything is there.
    pub(super) async fn finish(mut self, mut watch: impl FnMut(u64)) -> Result<(), FileError> {
        if !self.hashes.is_empty() {
            self.close_page();
        }
        while !self.chunks.is_empty() {
            self.acknowledge().await?;
            watch(self.acknowledged_bytes);
        }
        while let Some(page) = self.pages.pop_front() {
            joined(page).await?;
        }
        Ok(())
    }

    fn close_page(&mut self) {
        let page = (self.sent - 1) / FILE_PAGE_CHUNKS;
        let hashes = std::mem::take(&mut self.hashes);
        self.full.push_back((self.sent, page, write_page(&hashes)));
    }

    /// Waits for the oldest chunk. A page is written once all of its chunks are there: whoever
    /// resumes trusts it.
    async fn acknowledge(&mut self) -> Result<(), FileError> {
        let Some((length, chunk)) = self.chunks.pop_front() else { return Ok(()) };
        joined(chunk).await?;
        self.acknowledged += 1;
        self.acknowledged_bytes += length;
        while self.full.front().is_some_and(|(chunks, ..)| *chunks <= self.acknowledged)
            && let Some((_, page, hashes)) = self.full.pop_front()
        {
            if self.pages.len() >= PAGES_IN_FLIGHT
                && let Some(oldest) = self.pages.pop_front()
            {
                joined(oldest).await?;
            }
            let key = keys::page(self.name, self.owner, page);
            self.pages.push_back(self.write(key, hashes));
        }
        Ok(())
    }

    async fn renew_in_time(&mut self) -> Result<(), FileError> {
        let now_ms = self.files.keys.now_ms();
        let since = Duration::from_millis(now_ms.saturating_sub(self.renewed_ms));
        if since >= FILE_RENEW {
            self.renewed_ms = now_ms;
            let pages = whole_pages(self.acknowledged);
            self.files.renew(self.name, self.owner, pages).await?;
        }
        Ok(())
    }

    fn write(&self, key: Bytes, value: Bytes) -> Write {
        let keys = self.files.keys.clone();
        let name = self.name.clone();
        AbortOnDropHandle::new(tokio::spawn(async move {
            let item = keys.item(key, WriteAction::PutBlind { value, expires: None });
            // Whether an attempt of unknown outcome was the one does not matter: it writes the
            // same under a key that nobody else writes.
            let written = match keys.write(item.clone()).await {
                Err(ClientError::Unknown { .. }) => keys.write(item).await,
                other => other,
            };
            let result = written.map_err(FileError::from).map_err(nothing_yet)?;
            match done(&result) {
                Ok(_) => Ok(()),
                Err(Some(error)) => Err(error),
                Err(None) => {
                    let last = format!("a shard has forgotten a write of {name}");
                    Err(FileError::Store(ClientError::Unavailable { attempts: 1, last }))
                }
            }
        }))
    }
}

async fn joined(write: Write) -> Result<(), FileError> {
    let ended = |error: tokio::task::JoinError| FileError::Local(std::io::Error::other(error));
    write.await.map_err(ended)?
}
