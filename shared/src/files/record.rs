//! The record of a name: which version is the file, which uploads are under way, which versions
//! wait to be collected. Pure; on disk.
//!
//! It is the one thing of a file that changes, and whoever changes it does so by compare-and-swap.
//! A part that is in no record is nobody's: once it has left the record it never comes back.

use serde::{Deserialize, Serialize};

use super::{Hash, Layout, Part, PartId};
use crate::limits::{
    FILE_DROPPED_KEPT, FILE_DROPPED_MAX, FILE_PAGE_CHUNKS, FILE_PARTS_MAX, FILE_SILENT,
    FILE_UPLOADS_MAX,
};

/// The first byte of a record: what follows is of this format.
const FORMAT: u8 = 1;

/// What a name's key holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRecord {
    /// The file, if there is one.
    pub current: Option<Manifest>,
    /// Uploads under way.
    pub uploads: Vec<Upload>,
    /// What is to be collected, oldest first.
    pub dropped: Vec<Dropped>,
}

/// One version of a file, whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Where its bytes lie.
    pub layout: Layout,
    /// The hash of all its bytes.
    pub hash: Hash,
    /// When it became the file, by the cluster's time.
    pub committed_ms: u64,
}

/// What a local file is recognised by when its upload is resumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceId {
    /// Its length.
    pub bytes: u64,
    /// When it was modified, in nanoseconds since 1970.
    pub modified_ns: u64,
}

/// An upload under way. Whoever wrote its last part owns it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upload {
    /// What is being sent; `None`: a stream, which can't be sent twice.
    pub source: Option<SourceId>,
    /// Bytes in a chunk.
    pub chunk_bytes: u32,
    /// What was sent by whom.
    pub parts: Vec<Part>,
    /// When it began.
    pub started_ms: u64,
    /// When its owner last said that it goes on.
    pub renewed_ms: u64,
    /// At least so many pages are there.
    pub pages: u64,
}

/// A version or an upload that is to be collected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// Where its chunks lie.
    pub parts: Vec<Part>,
    /// At least so many pages are there.
    pub pages: u64,
    /// Whether it has ever been the file: somebody may be reading it.
    pub was_current: bool,
    /// When it was dropped.
    pub dropped_ms: u64,
}

/// Why a record was not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The upload is no longer this owner's.
    GivenUp,
    /// There is nothing to delete.
    Absent,
    /// Too many uploads are under way.
    TooManyUploads,
    /// Collect first.
    TooManyDropped,
}

/// What has become of an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is the file, or has been.
    Committed,
    /// It is under way.
    Open,
    /// It was given up, or nothing is known of it any more.
    Gone,
}

impl Upload {
    /// Who owns it.
    pub fn owner(&self) -> Option<PartId> {
        self.parts.last().map(|part| part.id)
    }

    /// At least so many bytes of it are there.
    pub fn sent_bytes(&self) -> u64 {
        self.pages * FILE_PAGE_CHUNKS * u64::from(self.chunk_bytes)
    }
}

impl Manifest {
    /// What tells it from any other version of any file.
    pub fn version(&self) -> PartId {
        self.layout.parts.last().map_or(PartId(0), |part| part.id)
    }
}

impl Dropped {
    /// Who owned it.
    pub fn owner(&self) -> Option<PartId> {
        self.parts.last().map(|part| part.id)
    }
}

impl FileRecord {
    /// As bytes.
    pub fn encode(&self) -> Vec<u8> {
        let bytes = vec![FORMAT];
        postcard::to_extend(self, bytes).expect("memory takes what is written to it")
    }

    /// From bytes; `None` when they are no record of this format.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (format, rest) = bytes.split_first()?;
        if *format != FORMAT {
            return None;
        }
        postcard::from_bytes(rest).ok()
    }

    /// Whether nothing of the name is left.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a part is anybody's: what it holds must not be collected as stray.
    pub fn holds(&self, id: PartId) -> bool {
        let current = self.current.iter().flat_map(|manifest| &manifest.layout.parts);
        let uploads = self.uploads.iter().flat_map(|upload| &upload.parts);
        let dropped = self.dropped.iter().flat_map(|dropped| &dropped.parts);
        current.chain(uploads).chain(dropped).any(|part| part.id == id)
    }

    /// What has become of the upload that this part was the last of.
    pub fn fate(&self, owner: PartId) -> Fate {
        let is = |id: Option<PartId>| id == Some(owner);
        if self.current.as_ref().is_some_and(|manifest| manifest.version() == owner)
            || self.dropped.iter().any(|dropped| dropped.was_current && is(dropped.owner()))
        {
            return Fate::Committed;
        }
        if self.uploads.iter().any(|upload| is(upload.owner())) { Fate::Open } else { Fate::Gone }
    }

    /// The unfinished upload of a local file that has come farthest and may be resumed.
    pub fn unfinished(&self, source: SourceId, chunk_bytes: u32) -> Option<&Upload> {
        let same = |upload: &&Upload| {
            let like = upload.source == Some(source) && upload.chunk_bytes == chunk_bytes;
            like && upload.parts.len() < FILE_PARTS_MAX
        };
        self.uploads.iter().filter(same).max_by_key(|upload| upload.pages)
    }

    /// Begins an upload. Of too many, the one that has been silent longest is given up.
    pub fn begin(&mut self, upload: Upload, now_ms: u64) -> Result<(), Refusal> {
        if self.uploads.len() >= FILE_UPLOADS_MAX {
            let silent = |upload: &&Upload| is_over(now_ms, upload.renewed_ms, FILE_SILENT);
            let silent = self.uploads.iter().filter(silent).min_by_key(|upload| upload.renewed_ms);
            let owner = silent.and_then(Upload::owner).ok_or(Refusal::TooManyUploads)?;
            self.give_up(owner, now_ms)?;
        }
        self.uploads.push(upload);
        Ok(())
    }

    /// Goes on with an upload in a new part; the owner before owns it no more.
    pub fn resume(&mut self, owner: PartId, part: Part, now_ms: u64) -> Result<(), Refusal> {
        let upload = self.upload(owner)?;
        upload.parts.push(part);
        upload.renewed_ms = now_ms;
        upload.pages = part.from_page;
        Ok(())
    }

    /// Says that an upload goes on, and how far it has come.
    pub fn renew(&mut self, owner: PartId, pages: u64, now_ms: u64) -> Result<(), Refusal> {
        let upload = self.upload(owner)?;
        upload.renewed_ms = now_ms;
        upload.pages = pages;
        Ok(())
    }

    /// Makes an upload the file. What was the file before is dropped.
    pub fn commit(
        &mut self,
        bytes: u64,
        hash: Hash,
        owner: PartId,
        now_ms: u64,
    ) -> Result<(), Refusal> {
        let upload = self.upload(owner)?.clone();
        if self.current.is_some() {
            self.drop_current(now_ms)?;
        }
        self.uploads.retain(|upload| upload.owner() != Some(owner));
        let layout = Layout { bytes, chunk_bytes: upload.chunk_bytes, parts: upload.parts };
        self.current = Some(Manifest { layout, hash, committed_ms: now_ms });
        Ok(())
    }

    /// Deletes the file. Uploads under way go on, and may make a new one.
    pub fn delete(&mut self, now_ms: u64) -> Result<(), Refusal> {
        if self.current.is_none() {
            return Err(Refusal::Absent);
        }
        self.drop_current(now_ms)
    }

    /// Gives an upload up: from now on it can't be committed.
    pub fn give_up(&mut self, owner: PartId, now_ms: u64) -> Result<(), Refusal> {
        let Upload { parts, pages, .. } = self.upload(owner)?.clone();
        self.drop_parts(Dropped { parts, pages, was_current: false, dropped_ms: now_ms })?;
        self.uploads.retain(|upload| upload.owner() != Some(owner));
        Ok(())
    }

    /// Gives up uploads that have been silent for longer than the lease, as many as there is room
    /// for; whether there were any.
    pub fn expire(&mut self, now_ms: u64, lease: std::time::Duration) -> bool {
        let over = |upload: &&Upload| is_over(now_ms, upload.renewed_ms, lease);
        let over = self.uploads.iter().filter(over).filter_map(Upload::owner);
        let over: Vec<PartId> = over.collect();
        let given_up = over.into_iter().filter(|owner| self.give_up(*owner, now_ms).is_ok());
        given_up.count() > 0
    }

    /// What may be collected now: what nobody has ever read, what is older than the grace, and the
    /// oldest of too many.
    pub fn due(&self, now_ms: u64, grace: std::time::Duration) -> Vec<Dropped> {
        let too_many = self.dropped.len().saturating_sub(FILE_DROPPED_KEPT);
        let due = |(place, dropped): &(usize, &Dropped)| {
            !dropped.was_current || *place < too_many || is_over(now_ms, dropped.dropped_ms, grace)
        };
        self.dropped.iter().enumerate().filter(due).map(|(_, dropped)| dropped.clone()).collect()
    }

    /// Forgets what has been collected.
    pub fn forget(&mut self, collected: &[Dropped]) {
        self.dropped.retain(|dropped| collected.iter().all(|done| done.owner() != dropped.owner()));
    }

    fn upload(&mut self, owner: PartId) -> Result<&mut Upload, Refusal> {
        let mut uploads = self.uploads.iter_mut();
        uploads.find(|upload| upload.owner() == Some(owner)).ok_or(Refusal::GivenUp)
    }

    fn drop_current(&mut self, now_ms: u64) -> Result<(), Refusal> {
        let Some(Manifest { layout, .. }) = self.current.clone() else { return Ok(()) };
        let pages = layout.pages();
        let parts = layout.parts;
        self.drop_parts(Dropped { parts, pages, was_current: true, dropped_ms: now_ms })?;
        self.current = None;
        Ok(())
    }

    fn drop_parts(&mut self, dropped: Dropped) -> Result<(), Refusal> {
        if self.dropped.len() >= FILE_DROPPED_MAX {
            return Err(Refusal::TooManyDropped);
        }
        self.dropped.push(dropped);
        Ok(())
    }
}

/// Whether that much time has passed. Of a moment that lies ahead, none has.
fn is_over(now_ms: u64, then_ms: u64, span: std::time::Duration) -> bool {
    u128::from(now_ms.saturating_sub(then_ms)) >= span.as_millis()
}

#[cfg(test)]
mod tests;
