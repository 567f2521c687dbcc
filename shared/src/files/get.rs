//! Reading a file: chunks ahead, a few at once, each compared with its hash, handed over in order.

use std::collections::VecDeque;
use std::io;

use bytes::Bytes;
use tokio_util::task::AbortOnDropHandle;

use super::{FileError, FileName, Files, Hash, Hasher, Keys, Layout, Manifest, Progress};
use crate::client::ClientError;
use crate::limits::{FILE_CHUNKS_IN_FLIGHT, FILE_PAGE_CHUNKS};

/// Where a file goes. Reading and writing may block for a moment.
pub trait Sink: Send {
    /// What is there already, as many bytes from there; `None`: fewer, or nothing is kept here.
    fn held(&mut self, at: u64, bytes: usize) -> io::Result<Option<Bytes>>;
    /// Takes the bytes that belong there.
    fn write(&mut self, at: u64, bytes: &Bytes) -> io::Result<()>;
}

/// What was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Got {
    /// The file.
    pub manifest: Manifest,
    /// Bytes that were there before.
    pub resumed: u64,
}

/// A chunk that is there, or on its way.
enum Chunk {
    Held(Bytes),
    Coming(Hash, AbortOnDropHandle<Result<Option<Bytes>, ClientError>>),
}

impl<K: Keys> Files<K> {
    /// Reads the file of that name.
    pub async fn get<S: Sink>(
        &self,
        name: &FileName,
        sink: &mut S,
        watch: impl FnMut(Progress) + Send,
    ) -> Result<Got, FileError> {
        let manifest = self.manifest(name).await?;
        let read = Reading { files: self, name, manifest: &manifest };
        match read.all(sink, watch).await {
            Ok(resumed) => Ok(Got { manifest, resumed }),
            // What is missing may have been collected, because the file is another one by now.
            Err(damaged @ FileError::Damaged { .. }) => {
                let now = self.stat(name).await?.record;
                let same = now.current.is_some_and(|now| now.version() == manifest.version());
                Err(if same { damaged } else { FileError::Replaced { name: name.clone() } })
            }
            Err(error) => Err(error),
        }
    }
}

/// One version of one file, being read.
struct Reading<'a, K> {
    files: &'a Files<K>,
    name: &'a FileName,
    manifest: &'a Manifest,
}

impl<K: Keys> Reading<'_, K> {
    async fn all<S: Sink>(
        &self,
        sink: &mut S,
        mut watch: impl FnMut(Progress) + Send,
    ) -> Result<u64, FileError> {
        let layout = &self.manifest.layout;
        let (mut coming, mut hashes) = (VecDeque::new(), Vec::new());
        let (mut hasher, mut progress) = (Hasher::default(), Progress::default());
        let mut done = 0;
        for chunk in 0..layout.chunks() {
            let in_page = usize::try_from(chunk % FILE_PAGE_CHUNKS).unwrap_or_default();
            if in_page == 0 {
                hashes = self.page(chunk / FILE_PAGE_CHUNKS).await?;
            }
            let hash = hashes.get(in_page).copied().unwrap_or_default();
            if coming.len() >= FILE_CHUNKS_IN_FLIGHT {
                self.take(&mut coming, done, sink, (&mut hasher, &mut progress)).await?;
                done += 1;
                watch(progress);
            }
            coming.push_back(self.begin(chunk, hash, sink)?);
        }
        while !coming.is_empty() {
            self.take(&mut coming, done, sink, (&mut hasher, &mut progress)).await?;
            done += 1;
            watch(progress);
        }
        if hasher.hash() != self.manifest.hash {
            return Err(self.damaged("all chunks are sound, and don't make the file".to_owned()));
        }
        Ok(progress.resumed)
    }

    /// Begins with a chunk: what is there and right is not asked for.
    fn begin<S: Sink>(&self, chunk: u64, hash: Hash, sink: &mut S) -> Result<Chunk, FileError> {
        let layout = &self.manifest.layout;
        let (at, length) = (layout.chunk_at(chunk), layout.chunk_length(chunk));
        let held = sink.held(at, length).map_err(FileError::Local)?;
        if let Some(bytes) = held.filter(|bytes| Hash::of(bytes) == hash) {
            return Ok(Chunk::Held(bytes));
        }
        let key = layout.chunk_key(self.name, chunk).ok_or_else(|| self.no_part())?;
        let keys = self.files.keys.clone();
        let read = async move { Ok(keys.get(key).await?.map(|(value, _)| value)) };
        Ok(Chunk::Coming(hash, AbortOnDropHandle::new(tokio::spawn(read))))
    }

    async fn take<S: Sink>(
        &self,
        coming: &mut VecDeque<Chunk>,
        number: u64,
        sink: &mut S,
        (hasher, progress): (&mut Hasher, &mut Progress),
    ) -> Result<(), FileError> {
        let Some(chunk) = coming.pop_front() else { return Ok(()) };
        let bytes = match chunk {
            Chunk::Held(bytes) => {
                progress.resumed += bytes.len() as u64;
                bytes
            }
            Chunk::Coming(hash, read) => {
                let ended =
                    |error| FileError::Local(io::Error::other::<tokio::task::JoinError>(error));
                let bytes = read.await.map_err(ended)??;
                let missing = || self.damaged(format!("chunk {number} is not there"));
                let bytes = bytes.ok_or_else(missing)?;
                if Hash::of(&bytes) != hash {
                    let what = format!("chunk {number} is not what was written");
                    return Err(self.damaged(what));
                }
                let at = self.layout().chunk_at(number);
                sink.write(at, &bytes).map_err(FileError::Local)?;
                bytes
            }
        };
        hasher.update(&bytes);
        progress.bytes += bytes.len() as u64;
        Ok(())
    }

    async fn page(&self, page: u64) -> Result<Vec<Hash>, FileError> {
        let key = self.layout().page_key(self.name, page).ok_or_else(|| self.no_part())?;
        let found = self.files.keys.get(key).await?;
        let hashes = found.and_then(|(value, _)| self.layout().page_hashes(page, &value));
        hashes.ok_or_else(|| {
            self.damaged(format!("page {page} of its hashes is not there or not whole"))
        })
    }

    fn layout(&self) -> &Layout {
        &self.manifest.layout
    }

    fn no_part(&self) -> FileError {
        self.damaged("its record names no chunks".to_owned())
    }

    fn damaged(&self, what: String) -> FileError {
        FileError::Damaged { name: self.name.clone(), what }
    }
}
