//! What is sent: a local file, or standard input.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use bytes::Bytes;
use evenkeel_shared::files::{Hash, Hasher, Source, SourceId};

/// Bytes that are read at once for a hash.
const PIECE_BYTES: usize = 1 << 20;

/// A regular file, as it was when it was opened.
pub(super) struct LocalFile {
    file: File,
    id: SourceId,
}

impl LocalFile {
    /// Opens it; a folder or a device is none.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        // A pipe would wait for somebody to write into it.
        let kind = std::fs::metadata(path)?.file_type();
        if kind.is_dir() {
            return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder"));
        }
        if !kind.is_file() {
            return Err(io::Error::other("it is no regular file: send it through `-`"));
        }
        let file = OpenOptions::new().read(true).open(path)?;
        let id = id(&file.metadata()?);
        Ok(Self { file, id })
    }

    /// How long it is.
    pub(super) fn bytes(&self) -> u64 {
        self.id.bytes
    }

    /// The hash of all of it.
    pub(super) fn hash(&mut self) -> io::Result<Hash> {
        let mut hasher = Hasher::default();
        loop {
            let piece = self.read(PIECE_BYTES)?;
            hasher.update(&piece);
            if piece.len() < PIECE_BYTES {
                self.seek(0)?;
                return Ok(hasher.hash());
            }
        }
    }
}

fn id(metadata: &Metadata) -> SourceId {
    let seconds = u64::try_from(metadata.mtime()).unwrap_or(0);
    let rest = u64::try_from(metadata.mtime_nsec()).unwrap_or(0);
    let modified_ns = seconds.saturating_mul(1_000_000_000).saturating_add(rest);
    SourceId { bytes: metadata.len(), modified_ns }
}

impl Source for LocalFile {
    fn id(&self) -> Option<SourceId> {
        Some(self.id)
    }

    fn read(&mut self, bytes: usize) -> io::Result<Bytes> {
        read(&mut self.file, bytes)
    }

    fn seek(&mut self, at: u64) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(at)).map(drop)
    }

    fn is_unchanged(&mut self) -> io::Result<bool> {
        Ok(id(&self.file.metadata()?) == self.id)
    }
}

/// Standard input: it comes once.
pub(super) struct StandardInput;

impl Source for StandardInput {
    fn id(&self) -> Option<SourceId> {
        None
    }

    fn read(&mut self, bytes: usize) -> io::Result<Bytes> {
        read(&mut io::stdin().lock(), bytes)
    }

    fn seek(&mut self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::NotSeekable.into())
    }

    fn is_unchanged(&mut self) -> io::Result<bool> {
        Ok(true)
    }
}

/// As many bytes as asked for, fewer at the end only.
fn read(from: &mut impl Read, bytes: usize) -> io::Result<Bytes> {
    tokio::task::block_in_place(|| {
        let mut read = Vec::with_capacity(bytes);
        from.take(bytes as u64).read_to_end(&mut read)?;
        Ok(read.into())
    })
}
