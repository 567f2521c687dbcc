//! One file of the simulated disk: what was written, what is durable, and what a crash leaves.
//!
//! Invariant: a sector is durable as a whole or not at all.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What a disk writes whole or not at all.
pub(super) const SECTOR_BYTES: usize = 512;

/// A change of names that a folder sync makes durable.
#[derive(Clone)]
pub(super) enum NameChange {
    /// The name leads to the file.
    Bind(PathBuf, u64),
    /// The name is gone.
    Drop(PathBuf),
}

impl NameChange {
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Bind(path, _) | Self::Drop(path) => path,
        }
    }

    pub(super) fn apply(&self, names: &mut BTreeMap<PathBuf, u64>) {
        match self {
            Self::Bind(path, file) => drop(names.insert(path.clone(), *file)),
            Self::Drop(path) => drop(names.remove(path)),
        }
    }
}

#[derive(Clone, Default)]
pub(super) struct File {
    pub(super) bytes: Vec<u8>,
    pub(super) durable: Vec<u8>,
    pub(super) unsynced: BTreeSet<usize>,
}

impl File {
    pub(super) fn sync(&mut self) {
        self.durable.resize(self.bytes.len(), 0);
        for sector in std::mem::take(&mut self.unsynced) {
            let (from, to) = sector_range(sector, self.bytes.len());
            if from < to {
                self.durable[from..to].copy_from_slice(&self.bytes[from..to]);
            }
        }
    }

    /// Keeps the durable sectors and those of the others that the coin chooses.
    pub(super) fn crash(&mut self, coin: &mut Coin) {
        let mut after = self.durable.clone();
        if self.bytes.len() != after.len() && coin.toss() {
            after.resize(self.bytes.len(), 0);
        }
        for &sector in &self.unsynced {
            let (from, to) = sector_range(sector, self.bytes.len().min(after.len()));
            if from < to && coin.toss() {
                after[from..to].copy_from_slice(&self.bytes[from..to]);
            }
        }
        self.bytes.clone_from(&after);
        self.durable = after;
        self.unsynced.clear();
    }
}

fn sector_range(sector: usize, length: usize) -> (usize, usize) {
    (sector * SECTOR_BYTES, ((sector + 1) * SECTOR_BYTES).min(length))
}

/// A seeded coin (splitmix64).
pub(super) struct Coin(pub(super) u64);

impl Coin {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    pub(super) fn toss(&mut self) -> bool {
        self.next() & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crash_keeps_synced_sectors_and_some_of_the_others() {
        let mut outcomes = BTreeSet::new();
        for seed in 0..32 {
            let bytes = vec![1; 2 * SECTOR_BYTES];
            let mut file = File { bytes, durable: Vec::new(), unsynced: BTreeSet::from([0, 1]) };
            file.sync();
            file.bytes = vec![2; 2 * SECTOR_BYTES];
            file.unsynced.insert(1);
            file.crash(&mut Coin(seed));
            assert_eq!(file.bytes[..SECTOR_BYTES], [1; SECTOR_BYTES]);
            outcomes.insert(file.bytes[SECTOR_BYTES..].to_vec());
        }
        assert_eq!(outcomes, BTreeSet::from([vec![1; SECTOR_BYTES], vec![2; SECTOR_BYTES]]));
    }
}
