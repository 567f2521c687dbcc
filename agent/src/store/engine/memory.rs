//! The engine in memory, for the simulation: what was not synced can be made to vanish.
//!
//! Maps are shared between tree, views and the synced state, and copied by the first write after.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;

use super::{Changes, Engine, EngineError, RowRange, Rows, Tree, View};

type Map = Arc<BTreeMap<Bytes, Bytes>>;

/// Trees in memory. Clones share them: a clone kept outside a simulated node is its disk.
#[derive(Clone, Default)]
pub struct MemoryEngine {
    shelf: Arc<Mutex<Shelf>>,
}

#[derive(Default)]
struct Shelf {
    live: BTreeMap<String, Map>,
    synced: BTreeMap<String, Map>,
}

impl MemoryEngine {
    /// An engine without trees.
    pub fn new() -> Self {
        Self::default()
    }

    /// Loses power: every tree is again what it was at the last sync. Nobody may hold a tree.
    pub fn lose_unsynced(&self) {
        let mut shelf = lock(&self.shelf);
        shelf.live = shelf.synced.clone();
    }
}

fn lock(shelf: &Mutex<Shelf>) -> MutexGuard<'_, Shelf> {
    shelf.lock().expect("nothing panics while it holds the shelf")
}

impl Engine for MemoryEngine {
    fn open(&self, name: &str) -> Result<Arc<dyn Tree>, EngineError> {
        lock(&self.shelf).live.entry(name.to_owned()).or_default();
        Ok(Arc::new(MemoryTree { shelf: Arc::clone(&self.shelf), name: name.to_owned() }))
    }

    fn delete(&self, name: &str) -> Result<(), EngineError> {
        lock(&self.shelf).live.remove(name);
        Ok(())
    }

    fn list(&self) -> Result<Vec<String>, EngineError> {
        Ok(lock(&self.shelf).live.keys().cloned().collect())
    }

    fn sync(&self) -> Result<(), EngineError> {
        let mut shelf = lock(&self.shelf);
        shelf.synced = shelf.live.clone();
        Ok(())
    }
}

struct MemoryTree {
    shelf: Arc<Mutex<Shelf>>,
    name: String,
}

impl MemoryTree {
    /// The map as it is; empty once the tree has been deleted.
    fn map(&self) -> Map {
        lock(&self.shelf).live.get(&self.name).map(Arc::clone).unwrap_or_default()
    }
}

impl Tree for MemoryTree {
    fn files(&self) -> Vec<PathBuf> {
        Vec::new()
    }

    fn verify(&self, _: &Path) -> Result<u64, EngineError> {
        Ok(0)
    }

    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, EngineError> {
        let shelf = lock(&self.shelf);
        Ok(shelf.live.get(&self.name).and_then(|map| map.get(key)).cloned())
    }

    fn commit(&self, changes: Changes) -> Result<(), EngineError> {
        let mut shelf = lock(&self.shelf);
        let Some(map) = shelf.live.get_mut(&self.name) else { return Ok(()) };
        let map = Arc::make_mut(map);
        for (key, value) in changes {
            match value {
                Some(value) => map.insert(key, value),
                None => map.remove(&key),
            };
        }
        Ok(())
    }

    fn view(&self) -> Arc<dyn View> {
        Arc::new(MemoryView(self.map()))
    }

    fn size_bytes(&self) -> u64 {
        let bytes: usize = self.map().iter().map(|(key, value)| key.len() + value.len()).sum();
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }
}

struct MemoryView(Map);

impl View for MemoryView {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, EngineError> {
        Ok(self.0.get(key).cloned())
    }

    fn range(&self, range: RowRange) -> Rows {
        Box::new(MemoryRows { map: Arc::clone(&self.0), range })
    }
}

/// Walks a shared map without borrowing it: each step looks up the row after the last one.
struct MemoryRows {
    map: Map,
    range: RowRange,
}

impl Iterator for MemoryRows {
    type Item = Result<(Bytes, Bytes), EngineError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.range.is_empty() {
            return None;
        }
        let bounds = (self.range.from.clone(), self.range.to.clone());
        let (key, value) = self.map.range::<Bytes, _>(bounds).next()?;
        self.range.from = std::ops::Bound::Excluded(key.clone());
        Some(Ok((key.clone(), value.clone())))
    }
}
