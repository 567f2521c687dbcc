//! A disk whose syncs may not end, and that may seem full.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::Faults;
use crate::env::fs::{Create, Disk, DiskFile, Space};

pub(super) struct FaultyDisk {
    pub(super) real: Arc<dyn Disk>,
    pub(super) faults: Arc<Faults>,
}

struct FaultyFile {
    real: Arc<dyn DiskFile>,
    faults: Arc<Faults>,
}

impl Disk for FaultyDisk {
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.real.create_dir_all(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        self.real.list(path)
    }

    fn open(&self, path: &Path, create: Create) -> io::Result<Arc<dyn DiskFile>> {
        let real = self.real.open(path, create)?;
        Ok(Arc::new(FaultyFile { real, faults: self.faults.clone() }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.real.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.real.remove(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.faults.wait_for_disk();
        self.real.sync_dir(path)
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        let space = self.real.space(path)?;
        Ok(if self.faults.is_disk_full() { Space { free_bytes: 0, ..space } } else { space })
    }
}

impl DiskFile for FaultyFile {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.real.read_exact_at(buffer, offset)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.real.write_all_at(bytes, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.faults.wait_for_disk();
        self.real.sync_data()
    }

    fn sync_all(&self) -> io::Result<()> {
        self.faults.wait_for_disk();
        self.real.sync_all()
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.real.set_len(length)
    }

    fn len(&self) -> io::Result<u64> {
        self.real.len()
    }
}
