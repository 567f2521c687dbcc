//! Makes the next segment ahead of its use, so that the writer never waits for zeroes.
//!
//! Invariant: a running number goes to one file once; the reserve is given up only when the disk
//! is full, and made again as soon as there is room.

use std::io;
use std::path::Path;
use std::sync::Arc;

use tokio::sync::mpsc;

use crate::env::fs::{Create, Disk};

use super::segment::{RESERVE_NAME, Segment, create_zeroed, file_name, open};
use super::{Shared, WalConfig};

/// Recycled files kept for later; more are given back to the disk.
const SPARES_MAX: usize = 4;

/// A segment that the writer may open.
pub(super) struct Prepared {
    /// The file.
    pub(super) segment: Segment,
    /// Whether it was the emergency reserve.
    pub(super) was_reserve: bool,
}

/// Asks for segments and receives them.
pub(super) struct Preparer {
    requests: mpsc::UnboundedSender<u32>,
    answers: mpsc::UnboundedReceiver<io::Result<Prepared>>,
    asked: bool,
}

impl Preparer {
    /// Starts the loop that prepares.
    pub(super) fn start(shared: &Arc<Shared>, next_file: u64) -> Self {
        let (requests, mut inbox) = mpsc::unbounded_channel();
        let (outbox, answers) = mpsc::unbounded_channel();
        let making = Arc::clone(shared);
        let mut next_file = next_file;
        let future = async move {
            while let Some(generation) = inbox.recv().await {
                let made = making.make(generation, &mut next_file);
                if outbox.send(made).is_err() {
                    return;
                }
            }
        };
        shared.env.work.background("wal-prepare", Box::pin(future));
        Self { requests, answers, asked: false }
    }

    /// Whether an answer is on its way, or here.
    pub(super) fn asked(&self) -> bool {
        self.asked
    }

    /// Asks for a segment with this running number.
    pub(super) fn ask(&mut self, generation: u32) {
        // If the loop has ended, the answer that never comes is the error.
        let _ = self.requests.send(generation);
        self.asked = true;
    }

    /// The answer, if it is here.
    pub(super) fn poll(&mut self) -> Option<io::Result<Prepared>> {
        let answer = self.answers.try_recv().ok()?;
        self.asked = false;
        Some(answer)
    }

    /// Waits for the answer.
    pub(super) async fn wait(&mut self) -> io::Result<Prepared> {
        self.asked = false;
        let gone = || Err(io::Error::other("the loop that prepares segments has ended"));
        self.answers.recv().await.unwrap_or_else(gone)
    }
}

impl Shared {
    fn make(&self, generation: u32, next_file: &mut u64) -> io::Result<Prepared> {
        let disk = &*self.env.disk;
        self.shed_spares()?;
        let bytes = self.config.segment_bytes();
        let spare = self.state().spares.pop_front();
        let (name, was_reserve) = match spare {
            Some(name) if length(disk, &self.folder.join(&name))? == bytes => (name, false),
            other => {
                if let Some(odd) = other {
                    disk.remove(&self.folder.join(odd))?;
                }
                let name = file_name(*next_file);
                *next_file += 1;
                let was_reserve = self.new_file(&name, bytes)?;
                (name, was_reserve)
            }
        };
        let segment = open(disk, &self.folder, &name, generation)?;
        segment.prepare()?;
        if !was_reserve {
            // Without room there is no reserve yet; the next segment tries again.
            if let Err(why) = ensure_reserve(disk, &self.folder, &self.config) {
                tracing::warn!(%why, "no room for the log's emergency reserve");
            }
        }
        Ok(Prepared { segment, was_reserve })
    }

    /// Makes a file of zeroes; true if it had to be the reserve.
    fn new_file(&self, name: &str, bytes: u64) -> io::Result<bool> {
        let disk = &*self.env.disk;
        let path = self.folder.join(name);
        match create_zeroed(disk, &path, bytes) {
            Ok(()) => Ok(false),
            Err(full) if full.kind() == io::ErrorKind::StorageFull => {
                disk.rename(&self.folder.join(RESERVE_NAME), &path).map_err(|_| full)?;
                disk.sync_dir(&self.folder)?;
                tracing::error!("disk full, the log goes on in its emergency reserve");
                Ok(true)
            }
            Err(other) => Err(other),
        }
    }

    fn shed_spares(&self) -> io::Result<()> {
        let surplus = {
            let mut state = self.state();
            let keep = state.spares.len().min(SPARES_MAX);
            state.spares.split_off(keep)
        };
        for name in surplus {
            self.env.disk.remove(&self.folder.join(name))?;
        }
        Ok(())
    }
}

fn length(disk: &dyn Disk, path: &Path) -> io::Result<u64> {
    disk.open(path, Create::Never)?.len()
}

/// The length of the segments that are there; of a file that a crash has cut short, another tells.
pub(super) fn known_bytes(disk: &dyn Disk, folder: &Path) -> Option<u64> {
    let names = disk.list(folder).unwrap_or_default();
    let lengths = names.iter().filter_map(|name| length(disk, &folder.join(name)).ok());
    lengths.max().filter(|bytes| *bytes > 0)
}

/// Makes the emergency reserve if it is absent or of another length.
pub(super) fn ensure_reserve(disk: &dyn Disk, folder: &Path, config: &WalConfig) -> io::Result<()> {
    let path = folder.join(RESERVE_NAME);
    if length(disk, &path).is_ok_and(|length| length == config.segment_bytes()) {
        return Ok(());
    }
    create_zeroed(disk, &path, config.segment_bytes())
}
