//! Ordered trees of bytes under one roof: the little that a state machine needs of a storage engine.
//!
//! A commit is atomic and visible at once, and survives the process; only [`Engine::sync`] makes it
//! survive the machine. A view never changes. What a freshly opened engine shows is durable.

pub mod fjall;
pub mod memory;

use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

/// Rows to set (`Some`) and to remove (`None`). Each row stands here once, so the order of a
/// commit's parts can't matter.
pub type Changes = BTreeMap<Bytes, Option<Bytes>>;

/// Rows of a view in key order; keeps what it reads from alive.
pub type Rows = Box<dyn Iterator<Item = Result<(Bytes, Bytes), EngineError>> + Send>;

/// Why the engine did not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Quarantine whatever lives in this tree: its bytes are not what was written.
    #[error("tree {tree} is damaged")]
    Damaged {
        /// The tree.
        tree: String,
        /// What was found.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Stop the node: what has been written since the last sync may be lost.
    #[error("engine failed to {what}")]
    Failed {
        /// What was being done.
        what: String,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// All trees of one node. Calls block; whoever makes them runs on `env.work`.
pub trait Engine: Send + Sync {
    /// Opens a tree, empty when there was none of that name.
    fn open(&self, name: &str) -> Result<Arc<dyn Tree>, EngineError>;
    /// Removes a tree; views of it stay readable until they are dropped.
    fn delete(&self, name: &str) -> Result<(), EngineError>;
    /// The names of all trees, sorted.
    fn list(&self) -> Result<Vec<String>, EngineError>;
    /// Makes every commit up to now durable. An error is never retried: the node stops.
    fn sync(&self) -> Result<(), EngineError>;
}

/// One tree.
pub trait Tree: Send + Sync {
    /// The files that it lies in now.
    fn files(&self) -> Vec<PathBuf>;
    /// Reads a file back from the disk, and compares it with what was written; its length, or 0 if
    /// it is no file of the tree any more.
    fn verify(&self, file: &Path) -> Result<u64, EngineError>;
    /// The newest value of a row.
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, EngineError>;
    /// Writes all of the changes or, after a crash, none of them.
    fn commit(&self, changes: Changes) -> Result<(), EngineError>;
    /// The tree as it is now.
    fn view(&self) -> Arc<dyn View>;
    /// Bytes that it takes, roughly.
    fn size_bytes(&self) -> u64;
}

/// A tree as it was at one moment.
pub trait View: Send + Sync {
    /// The value of a row.
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, EngineError>;
    /// The rows between two bounds.
    fn range(&self, range: RowRange) -> Rows;
}

/// Which rows to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowRange {
    /// Where to begin.
    pub from: Bound<Bytes>,
    /// Where to end.
    pub to: Bound<Bytes>,
}

impl RowRange {
    /// Every row.
    pub fn all() -> Self {
        Self { from: Bound::Unbounded, to: Bound::Unbounded }
    }

    /// Every row whose key begins with the prefix.
    pub fn prefix(prefix: &[u8]) -> Self {
        let from = Bound::Included(Bytes::copy_from_slice(prefix));
        Self { from, to: end_of(prefix) }
    }

    /// The rows of a prefix from a key on.
    pub fn prefix_from(prefix: &[u8], from: Bound<Bytes>) -> Self {
        Self { from, to: end_of(prefix) }
    }

    /// Whether no key can lie between the bounds; ordered maps panic on such ranges.
    pub fn is_empty(&self) -> bool {
        match (&self.from, &self.to) {
            (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
            (Bound::Included(from), Bound::Included(to)) => from > to,
            (Bound::Included(from) | Bound::Excluded(from), Bound::Excluded(to))
            | (Bound::Excluded(from), Bound::Included(to)) => from >= to,
        }
    }
}

/// The first key after every key with that prefix.
fn end_of(prefix: &[u8]) -> Bound<Bytes> {
    let Some(last) = prefix.iter().rposition(|byte| *byte < u8::MAX) else {
        return Bound::Unbounded;
    };
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Bound::Excluded(end.into())
}

#[cfg(test)]
mod tests;
