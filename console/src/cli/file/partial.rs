//! Where a file goes: a `.partial` beside its target until it is whole, or standard output.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use evenkeel_shared::files::Sink;

/// A file that is not whole yet. It takes its target's name when it is, and not before.
pub(super) struct Partial {
    file: File,
    path: PathBuf,
    target: PathBuf,
    /// How much was there when it was opened.
    held_bytes: u64,
}

impl Partial {
    /// Opens what a get before has left, or begins. Only one process may.
    pub(super) fn open(target: &Path) -> io::Result<Self> {
        let mut name = target.file_name().unwrap_or_default().to_owned();
        name.push(".partial");
        let path = target.with_file_name(name);
        loop {
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(&path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    let why = format!("another get is writing {}", path.display());
                    return Err(io::Error::new(io::ErrorKind::ResourceBusy, why));
                }
                Err(TryLockError::Error(error)) => return Err(error),
            }
            let opened = file.metadata()?;
            // Whoever had it before may have finished it meanwhile.
            let is_there = std::fs::metadata(&path).is_ok_and(|now| now.ino() == opened.ino());
            if is_there {
                let target = target.to_owned();
                return Ok(Self { file, path, target, held_bytes: opened.len() });
            }
        }
    }

    /// It is whole: it is on the disk under its own name when this returns.
    pub(super) fn finish(self, bytes: u64) -> io::Result<()> {
        tokio::task::block_in_place(|| {
            self.file.set_len(bytes)?;
            self.file.sync_all()?;
            std::fs::rename(&self.path, &self.target)?;
            let folder = self.target.parent().filter(|folder| !folder.as_os_str().is_empty());
            let folder = folder.unwrap_or_else(|| Path::new("."));
            OpenOptions::new().read(true).open(folder)?.sync_all()
        })
    }
}

impl Sink for Partial {
    fn held(&mut self, at: u64, bytes: usize) -> io::Result<Option<Bytes>> {
        if at + bytes as u64 > self.held_bytes {
            return Ok(None);
        }
        tokio::task::block_in_place(|| {
            let mut held = vec![0; bytes];
            self.file.read_exact_at(&mut held, at)?;
            Ok(Some(held.into()))
        })
    }

    fn write(&mut self, at: u64, bytes: &Bytes) -> io::Result<()> {
        tokio::task::block_in_place(|| self.file.write_all_at(bytes, at))
    }
}

/// Standard output: it takes everything once, in order.
pub(super) struct StandardOutput;

impl Sink for StandardOutput {
    fn held(&mut self, _: u64, _: usize) -> io::Result<Option<Bytes>> {
        Ok(None)
    }

    fn write(&mut self, _: u64, bytes: &Bytes) -> io::Result<()> {
        tokio::task::block_in_place(|| {
            let mut stdout = io::stdout().lock();
            stdout.write_all(bytes).and_then(|()| stdout.flush())
        })
    }
}
