//! Going on with an upload: its pages are compared with the local file, and the rest is sent.

use super::{Begun, Progress, Source, nothing_yet};
use crate::files::layout::{part_of, read_page};
use crate::files::{FileError, FileName, Files, Hash, Hasher, Keys, Part, Refusal, Upload, keys};
use crate::limits::FILE_PAGE_CHUNKS;

/// What an unfinished upload has in common with the local file.
struct Common {
    /// Whole pages.
    pages: u64,
    /// The hash of their bytes so far.
    hasher: Hasher,
}

impl<K: Keys> Files<K> {
    /// Takes an unfinished upload of the same source over, if there is one that fits.
    pub(super) async fn resume<S: Source>(
        &self,
        name: &FileName,
        source: &mut S,
        chunk_bytes: u32,
        watch: &mut (impl FnMut(Progress) + Send),
    ) -> Result<Option<Begun>, FileError> {
        let Some(id) = source.id() else { return Ok(None) };
        let (record, _) = self.look(name).await?;
        let Some(upload) = record.unfinished(id, chunk_bytes) else { return Ok(None) };
        let Some(owner) = upload.owner() else { return Ok(None) };
        let common = self.common(name, upload, source, watch).await?;
        if common.pages == 0 {
            source.seek(0).map_err(FileError::Local)?;
            return Ok(None);
        }
        let part = Part { id: self.new_id(), from_page: common.pages };
        let taken = self.change(name, |record, now_ms| record.resume(owner, part, now_ms));
        match taken.await.map_err(nothing_yet)? {
            Ok(()) => {
                let from_chunk = common.pages * FILE_PAGE_CHUNKS;
                Ok(Some(Begun { owner: part.id, from_chunk, hasher: common.hasher }))
            }
            // Somebody was faster, or it was collected.
            Err(Refusal::GivenUp) => {
                source.seek(0).map_err(FileError::Local)?;
                Ok(None)
            }
            Err(refusal) => Err(super::refused(name, refusal)),
        }
    }

    async fn common<S: Source>(
        &self,
        name: &FileName,
        upload: &Upload,
        source: &mut S,
        watch: &mut (impl FnMut(Progress) + Send),
    ) -> Result<Common, FileError> {
        let mut common = Common { pages: 0, hasher: Hasher::default() };
        let chunk_bytes = upload.chunk_bytes as usize;
        loop {
            let Some(part) = part_of(&upload.parts, common.pages) else { return Ok(common) };
            let stored = self.keys.get(keys::page(name, part, common.pages)).await?;
            let hashes = stored.and_then(|(value, _)| read_page(&value)).unwrap_or_default();
            // The last page of a file may be short: it is sent again.
            if hashes.len() as u64 != FILE_PAGE_CHUNKS {
                return Ok(common);
            }
            let mut hasher = common.hasher.clone();
            for hash in hashes {
                let chunk = source.read(chunk_bytes).map_err(FileError::Local)?;
                if chunk.len() < chunk_bytes || Hash::of(&chunk) != hash {
                    return Ok(common);
                }
                hasher.update(&chunk);
            }
            common = Common { pages: common.pages + 1, hasher };
            let bytes = common.pages * FILE_PAGE_CHUNKS * u64::from(upload.chunk_bytes);
            watch(Progress { bytes, resumed: bytes });
        }
    }
}
