//! A simulated disk: keeps what was written apart from what is durable, and loses the difference.
//!
//! Invariant: nothing survives [`SimDisk::crash`] for certain but sectors of synced files under
//! names whose folder was synced; of the rest a seed chooses, a sector is never half written.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::{Create, Disk, DiskFile, Space};

mod file;

use file::{Coin, File, NameChange, SECTOR_BYTES};

/// A disk in memory. Clones share it.
#[derive(Clone, Default)]
pub struct SimDisk {
    inner: Arc<Mutex<Inner>>,
    /// Wakes syncs that are held.
    released: Arc<Condvar>,
    /// The life that this handle belongs to; `None` for the test's own.
    life: Option<u64>,
}

#[derive(Default)]
struct Inner {
    files: BTreeMap<u64, File>,
    names: BTreeMap<PathBuf, u64>,
    durable_names: BTreeMap<PathBuf, u64>,
    /// Changes of names that no folder sync has made durable, oldest first.
    pending_names: Vec<NameChange>,
    next_file: u64,
    /// Files opened before the last crash answer with errors.
    life: u64,
    writes: u64,
    syncs: u64,
    crash_after_writes: Option<u64>,
    fail_syncs: bool,
    hold_syncs: bool,
    fail_writes: bool,
    capacity_bytes: Option<u64>,
    unreadable: BTreeSet<(PathBuf, u64)>,
}

impl SimDisk {
    /// An empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    /// A handle for one process: it dies with the next crash or kill, like the process.
    #[must_use]
    pub fn mount(&self) -> Self {
        Self { life: Some(self.inner().life), ..self.clone() }
    }

    fn alive(&self) -> io::Result<MutexGuard<'_, Inner>> {
        let inner = self.inner();
        inner.alive()?;
        if self.life.is_some_and(|life| life != inner.life) {
            return Err(io::Error::other("the process had ended"));
        }
        Ok(inner)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Cuts the power: keeps the durable state and a seeded part of the rest. Open files die.
    pub fn crash(&self, seed: u64) {
        let mut inner = self.inner();
        let mut coin = Coin(seed);
        for file in inner.files.values_mut() {
            file.crash(&mut coin);
        }
        // Folders are journalled: the changes that got through are the first ones, in order.
        let pending = std::mem::take(&mut inner.pending_names);
        for change in pending {
            if !coin.toss() {
                break;
            }
            change.apply(&mut inner.durable_names);
        }
        inner.names = inner.durable_names.clone();
        inner.revive();
        self.released.notify_all();
    }

    /// Ends the process without a power cut: every write stays, open files die.
    pub fn kill(&self) {
        self.inner().revive();
        self.released.notify_all();
    }

    /// From the n-th write on, counted from now, no operation has an effect: the machine is off.
    pub fn crash_after_writes(&self, writes: u64) {
        let mut inner = self.inner();
        inner.crash_after_writes = Some(inner.writes + writes);
    }

    /// How many writes there have been.
    pub fn writes(&self) -> u64 {
        self.inner().writes
    }

    /// How many syncs there have been.
    pub fn syncs(&self) -> u64 {
        self.inner().syncs
    }

    /// Makes every sync fail, or work again.
    pub fn fail_syncs(&self, fail: bool) {
        self.inner().fail_syncs = fail;
    }

    /// Lets no file's sync begin until the next crash or kill. It blocks the thread that syncs, so
    /// it is for logs whose writer has a thread of its own.
    pub fn hold_syncs(&self) {
        self.inner().hold_syncs = true;
    }

    /// Makes every write fail, or work again.
    pub fn fail_writes(&self, fail: bool) {
        self.inner().fail_writes = fail;
    }

    /// Limits the disk's size; `None` lifts the limit.
    pub fn set_capacity_bytes(&self, capacity: Option<u64>) {
        self.inner().capacity_bytes = capacity;
    }

    /// Makes one sector of a file unreadable.
    pub fn make_unreadable(&self, path: &Path, sector: u64) {
        self.inner().unreadable.insert((path.to_owned(), sector));
    }

    /// Flips one bit of a file, both of what is read and of what is durable.
    pub fn flip(&self, path: &Path, offset: usize, bit: u8) {
        let mut inner = self.inner();
        let Some(id) = inner.names.get(path).copied() else { return };
        let Some(file) = inner.files.get_mut(&id) else { return };
        for bytes in [&mut file.bytes, &mut file.durable] {
            if let Some(byte) = bytes.get_mut(offset) {
                *byte ^= 1 << (bit % 8);
            }
        }
    }

    /// A copy of a file's bytes as a reader sees them.
    pub fn bytes(&self, path: &Path) -> Option<Vec<u8>> {
        let inner = self.inner();
        let id = inner.names.get(path)?;
        inner.files.get(id).map(|file| file.bytes.clone())
    }

    /// Sets a file's bytes, durable at once; makes the file if need be.
    pub fn set_bytes(&self, path: &Path, bytes: &[u8]) {
        let mut inner = self.inner();
        let id = inner.names.get(path).copied().unwrap_or_else(|| inner.add(path));
        inner.durable_names.insert(path.to_owned(), id);
        let whole = File { bytes: bytes.to_vec(), durable: bytes.to_vec(), ..File::default() };
        inner.files.insert(id, whole);
    }

    /// An independent copy of the whole disk, as a reader sees it now.
    #[must_use]
    pub fn fork(&self) -> Self {
        let inner = self.inner();
        let copy = Inner {
            files: inner.files.clone(),
            names: inner.names.clone(),
            durable_names: inner.durable_names.clone(),
            pending_names: inner.pending_names.clone(),
            next_file: inner.next_file,
            ..Inner::default()
        };
        Self { inner: Arc::new(Mutex::new(copy)), ..Self::default() }
    }
}

impl Inner {
    fn revive(&mut self) {
        self.life += 1;
        self.crash_after_writes = None;
        self.fail_syncs = false;
        self.hold_syncs = false;
        self.fail_writes = false;
    }

    fn add(&mut self, path: &Path) -> u64 {
        self.next_file += 1;
        let id = self.next_file;
        self.files.insert(id, File::default());
        self.change(NameChange::Bind(path.to_owned(), id));
        id
    }

    fn change(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        self.pending_names.push(change);
    }

    fn alive(&self) -> io::Result<()> {
        match self.crash_after_writes {
            Some(limit) if self.writes >= limit => Err(io::Error::other("the machine is off")),
            _ => Ok(()),
        }
    }

    fn used(&self) -> u64 {
        let live: BTreeSet<u64> = self.names.values().copied().collect();
        live.iter().filter_map(|id| self.files.get(id)).map(|file| file.bytes.len() as u64).sum()
    }

    fn grow(&self, file: u64, length: usize) -> io::Result<()> {
        let now = self.files.get(&file).map_or(0, |file| file.bytes.len());
        let more = length.saturating_sub(now) as u64;
        match self.capacity_bytes {
            Some(capacity) if more > 0 && self.used() + more > capacity => {
                Err(io::Error::new(io::ErrorKind::StorageFull, "no space left on the disk"))
            }
            _ => Ok(()),
        }
    }
}

impl Disk for SimDisk {
    fn create_dir_all(&self, _path: &Path) -> io::Result<()> {
        self.alive().map(drop)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let inner = self.alive()?;
        let inside = inner.names.keys().filter(|name| name.parent() == Some(path));
        Ok(inside
            .filter_map(|name| name.file_name())
            .map(|name| name.to_string_lossy().into_owned())
            .collect())
    }

    fn open(&self, path: &Path, create: Create) -> io::Result<Arc<dyn DiskFile>> {
        let mut inner = self.alive()?;
        let id = match (inner.names.get(path).copied(), create) {
            (Some(_), Create::New) => return Err(io::ErrorKind::AlreadyExists.into()),
            (Some(id), _) => id,
            (None, Create::Never) => return Err(io::ErrorKind::NotFound.into()),
            (None, _) => inner.add(path),
        };
        let life = inner.life;
        Ok(Arc::new(SimFile { disk: self.clone(), path: path.to_owned(), id, life }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut inner = self.alive()?;
        let id = inner.names.get(from).copied().ok_or(io::ErrorKind::NotFound)?;
        inner.change(NameChange::Bind(to.to_owned(), id));
        inner.change(NameChange::Drop(from.to_owned()));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut inner = self.alive()?;
        if !inner.names.contains_key(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        inner.change(NameChange::Drop(path.to_owned()));
        Ok(())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut inner = self.alive()?;
        if inner.fail_syncs {
            return Err(io::Error::other("injected sync error"));
        }
        inner.syncs += 1;
        let pending = std::mem::take(&mut inner.pending_names);
        let (here, elsewhere): (Vec<_>, Vec<_>) =
            pending.into_iter().partition(|change| change.path().parent() == Some(path));
        for change in here {
            change.apply(&mut inner.durable_names);
        }
        inner.pending_names = elsewhere;
        Ok(())
    }

    fn space(&self, _path: &Path) -> io::Result<Space> {
        let inner = self.inner();
        let total_bytes = inner.capacity_bytes.unwrap_or(1 << 40);
        Ok(Space { free_bytes: total_bytes.saturating_sub(inner.used()), total_bytes })
    }
}

struct SimFile {
    disk: SimDisk,
    path: PathBuf,
    id: u64,
    life: u64,
}

impl SimFile {
    fn with<T>(&self, act: impl FnOnce(&mut Inner) -> io::Result<T>) -> io::Result<T> {
        let mut inner = self.disk.inner();
        inner.alive()?;
        if inner.life != self.life {
            return Err(io::Error::other("the file was opened before the crash"));
        }
        act(&mut inner)
    }

    fn sync(&self) -> io::Result<()> {
        let held = |inner: &mut Inner| inner.hold_syncs;
        let freed = self.disk.released.wait_while(self.disk.inner(), held);
        drop(freed.unwrap_or_else(PoisonError::into_inner));
        self.with(|inner| {
            if inner.fail_syncs {
                return Err(io::Error::other("injected sync error"));
            }
            inner.syncs += 1;
            inner.file(self.id)?.sync();
            Ok(())
        })
    }
}

impl Inner {
    fn file(&mut self, id: u64) -> io::Result<&mut File> {
        self.files.get_mut(&id).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

fn position(offset: u64) -> io::Result<usize> {
    usize::try_from(offset).map_err(io::Error::other)
}

impl DiskFile for SimFile {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let from = position(offset)?;
        self.with(|inner| {
            let sectors = from / SECTOR_BYTES..(from + buffer.len()).div_ceil(SECTOR_BYTES);
            let bad = |sector| inner.unreadable.contains(&(self.path.clone(), sector as u64));
            if !inner.unreadable.is_empty() && sectors.into_iter().any(bad) {
                return Err(io::Error::other("unreadable sector"));
            }
            let file = inner.file(self.id)?;
            let bytes = file.bytes.get(from..from + buffer.len());
            buffer.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
            Ok(())
        })
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let from = position(offset)?;
        self.with(|inner| {
            if inner.fail_writes {
                return Err(io::Error::other("injected write error"));
            }
            inner.grow(self.id, from + bytes.len())?;
            inner.writes += 1;
            let file = inner.file(self.id)?;
            let to = from + bytes.len();
            if file.bytes.len() < to {
                file.bytes.resize(to, 0);
            }
            file.bytes[from..to].copy_from_slice(bytes);
            file.unsynced.extend(from / SECTOR_BYTES..to.div_ceil(SECTOR_BYTES));
            Ok(())
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        self.sync()
    }

    fn sync_all(&self) -> io::Result<()> {
        self.sync()
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let length = position(length)?;
        self.with(|inner| {
            inner.grow(self.id, length)?;
            let file = inner.file(self.id)?;
            let before = file.bytes.len();
            file.bytes.resize(length, 0);
            file.unsynced.extend(before / SECTOR_BYTES..length.div_ceil(SECTOR_BYTES));
            Ok(())
        })
    }

    fn len(&self) -> io::Result<u64> {
        self.with(|inner| Ok(inner.file(self.id)?.bytes.len() as u64))
    }
}
