//! Sending a file: chunks over all shards, a few at once, then one change of the record.
//!
//! Until that change nobody sees anything of it; what was sent stays for whoever goes on with it.

mod resume;
mod sending;

use std::io;

use bytes::Bytes;

use super::files_of::refused;
use super::{
    Fate, FileError, FileName, Files, Hash, Hasher, Keys, Part, PartId, Refusal, SourceId, Upload,
};
use crate::client::ClientError;
use crate::limits::{FILE_CHUNK_BYTES, FILE_PAGE_CHUNKS};
use sending::Sending;

/// What is sent. Reading may block for a moment.
pub trait Source: Send {
    /// By what it is recognised when it is sent again; `None`: it can't be.
    fn id(&self) -> Option<SourceId>;
    /// The next bytes: as many as asked for, fewer at the end only.
    fn read(&mut self, bytes: usize) -> io::Result<Bytes>;
    /// Goes on from there.
    fn seek(&mut self, at: u64) -> io::Result<()>;
    /// Whether it is still what it was when it was opened.
    fn is_unchanged(&mut self) -> io::Result<bool>;
}

/// How far it has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes that are done, those from before included.
    pub bytes: u64,
    /// Bytes that were done before.
    pub resumed: u64,
}

/// What was sent: a version that is the file now, or was it for a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Put {
    /// What tells it from any other version of any file.
    pub version: PartId,
    /// How many bytes it has.
    pub bytes: u64,
    /// How many chunks they are.
    pub chunks: u64,
    /// The hash of all bytes.
    pub hash: Hash,
    /// Bytes that an upload before this one had sent.
    pub resumed: u64,
}

/// An upload that has begun: who owns it, and what was sent before.
struct Begun {
    owner: PartId,
    from_chunk: u64,
    hasher: Hasher,
}

impl<K: Keys> Files<K> {
    /// Sends what the source holds and makes it the file of that name. An unfinished upload of the
    /// same source is gone on with.
    pub async fn put<S: Source>(
        &self,
        name: &FileName,
        source: &mut S,
        mut watch: impl FnMut(Progress) + Send,
    ) -> Result<Put, FileError> {
        let chunk_bytes = FILE_CHUNK_BYTES;
        let begun = match self.resume(name, source, chunk_bytes, &mut watch).await? {
            Some(begun) => begun,
            None => self.begin(name, source, chunk_bytes).await?,
        };
        let owner = begun.owner;
        let put = self.transfer(name, source, begun, watch).await;
        if put.is_err() && source.id().is_none() {
            // Nobody can go on with it. Where even that can't be said, its lease runs out.
            let _ = self.give_up(name, owner).await;
        }
        put
    }

    /// Sends what has not been sent, and commits.
    async fn transfer<S: Source>(
        &self,
        name: &FileName,
        source: &mut S,
        begun: Begun,
        mut watch: impl FnMut(Progress) + Send,
    ) -> Result<Put, FileError> {
        let (owner, chunk_bytes) = (begun.owner, FILE_CHUNK_BYTES);
        let resumed = begun.from_chunk * u64::from(chunk_bytes);
        if resumed > 0 {
            source.seek(resumed).map_err(FileError::Local)?;
        }
        let mut sending = Sending::new(self, name, &begun);
        let mut hasher = begun.hasher;
        let mut bytes = resumed;
        loop {
            let chunk = source.read(chunk_bytes as usize).map_err(FileError::Local)?;
            let is_last = chunk.len() < chunk_bytes as usize;
            if !chunk.is_empty() {
                hasher.update(&chunk);
                bytes += chunk.len() as u64;
                sending.send(chunk).await?;
                watch(Progress { bytes: resumed + sending.acknowledged_bytes(), resumed });
            }
            if is_last {
                break;
            }
        }
        sending
            .finish(|acknowledged| watch(Progress { bytes: resumed + acknowledged, resumed }))
            .await?;
        let is_whole = source.id().is_none_or(|id| id.bytes == bytes);
        if !is_whole || !source.is_unchanged().map_err(FileError::Local)? {
            self.give_up(name, owner).await?;
            return Err(FileError::Changed { name: name.clone() });
        }
        let hash = hasher.hash();
        self.commit(name, owner, bytes, hash).await?;
        let chunks = bytes.div_ceil(u64::from(chunk_bytes));
        Ok(Put { version: owner, bytes, chunks, hash, resumed })
    }

    async fn begin<S: Source>(
        &self,
        name: &FileName,
        source: &mut S,
        chunk_bytes: u32,
    ) -> Result<Begun, FileError> {
        let owner = self.new_id();
        let id = source.id();
        let begin = self.change_with_room(name, |record, now_ms| {
            let upload = Upload {
                source: id,
                chunk_bytes,
                parts: vec![Part { id: owner, from_page: 0 }],
                started_ms: now_ms,
                renewed_ms: now_ms,
                pages: 0,
            };
            record.begin(upload, now_ms)
        });
        begin.await.map_err(nothing_yet)?;
        Ok(Begun { owner, from_chunk: 0, hasher: Hasher::default() })
    }

    /// Makes an upload the file. When that can't be told, the record tells whether it is.
    async fn commit(
        &self,
        name: &FileName,
        owner: PartId,
        bytes: u64,
        hash: Hash,
    ) -> Result<(), FileError> {
        let commit = self.change_with_room(name, |record, now_ms| {
            match record.commit(bytes, hash, owner, now_ms) {
                // An answer that got lost: it is done, whoever has replaced it since.
                Err(Refusal::GivenUp) if record.fate(owner) == Fate::Committed => Ok(()),
                other => other,
            }
        });
        let last = match commit.await {
            Err(FileError::Unknown { last, .. }) => last,
            known => return known,
        };
        let unknown = |last: String| FileError::Unknown { name: name.clone(), last };
        match self.look(name).await {
            Ok((record, _)) if record.fate(owner) == Fate::Committed => Ok(()),
            // It may still be on its way.
            Ok(_) => Err(unknown(last)),
            Err(error) => Err(unknown(error.to_string())),
        }
    }

    async fn give_up(&self, name: &FileName, owner: PartId) -> Result<(), FileError> {
        match self.change_with_room(name, |record, now_ms| record.give_up(owner, now_ms)).await {
            Ok(()) | Err(FileError::GivenUp { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Says that an upload goes on.
    async fn renew(&self, name: &FileName, owner: PartId, pages: u64) -> Result<(), FileError> {
        let renewed = self.change(name, |record, now_ms| record.renew(owner, pages, now_ms));
        renewed.await.map_err(nothing_yet)?.map_err(|refusal| refused(name, refusal))
    }
}

/// Before the commit, an unknown outcome changes nothing that anybody sees: it is no answer.
fn nothing_yet(error: FileError) -> FileError {
    match error {
        FileError::Unknown { last, .. } => {
            FileError::Store(ClientError::Unavailable { attempts: 1, last })
        }
        other => other,
    }
}

/// How many whole pages so many chunks fill.
fn whole_pages(chunks: u64) -> u64 {
    chunks / FILE_PAGE_CHUNKS
}
