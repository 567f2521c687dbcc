//! The engine on disk: one fjall database a node, one fjall keyspace a tree.
//!
//! Commits reach the operating system and are not synced; a keyspace is never cleared, only
//! deleted (design §6). fjall has no cap on all write buffers together, so it is kept here.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use bytes::Bytes;
use fjall::compaction::Leveled;
use fjall::{
    AbstractTree, Database, Keyspace, KeyspaceCreateOptions, LsmError, PersistMode, Readable,
    Snapshot,
};

mod verify;

use super::{Changes, Engine, EngineError, RowRange, Rows, Tree, View};

/// What the engine may take of the machine.
#[derive(Clone, Copy, Debug)]
pub struct FjallLimits {
    /// Unflushed rows of all trees together.
    pub write_buffers_bytes: u64,
    /// Unflushed rows of one tree.
    pub write_buffer_bytes: u64,
    /// Blocks kept in memory.
    pub cache_bytes: u64,
    /// Journal files on disk.
    pub journal_bytes: u64,
}

impl Default for FjallLimits {
    /// A small agent: half of the 32 MiB may be on its way to disk while the other half fills.
    fn default() -> Self {
        Self {
            write_buffers_bytes: 16 << 20,
            write_buffer_bytes: 8 << 20,
            cache_bytes: 8 << 20,
            journal_bytes: 128 << 20,
        }
    }
}

/// Values below this are copied out of their block: holding it would cost more than copying.
const COPY_BYTES_MAX: usize = 4 << 10;
/// Bytes of one table. A compaction holds every block of the table that it writes: each block's last
/// key, which the index takes, keeps the block that it was read from.
const TABLE_BYTES: u64 = 16 << 20;
/// Files that fjall keeps open; the agent's connections need descriptors too.
const OPEN_FILES_MAX: usize = 256;

/// Trees in a folder.
pub struct FjallEngine {
    database: Database,
    shared: Arc<Shared>,
}

struct Shared {
    limits: FjallLimits,
    /// Trees that somebody holds, for the cap on their write buffers.
    trees: Mutex<BTreeMap<String, Weak<FjallTree>>>,
}

impl Shared {
    fn trees(&self) -> MutexGuard<'_, BTreeMap<String, Weak<FjallTree>>> {
        self.trees.lock().expect("nothing panics while it holds the list of trees")
    }
}

impl FjallEngine {
    /// Opens the folder's database, or makes one; what it shows has been synced.
    pub fn open(folder: &Path, limits: FjallLimits) -> Result<Self, EngineError> {
        let builder = Database::builder(folder)
            .cache_size(limits.cache_bytes)
            .worker_threads(1)
            .max_cached_files(Some(OPEN_FILES_MAX))
            .max_journaling_size(limits.journal_bytes.max(64 << 20));
        // fjall meets some rot with an assertion. Nothing of it is left behind: nothing was opened.
        let opened = catch_unwind(AssertUnwindSafe(|| builder.open()));
        let database = opened
            .unwrap_or_else(|_| Err(fjall::Error::Unrecoverable))
            .map_err(|source| explain_open("the database", source))?;
        let shared = Shared { limits, trees: Mutex::default() };
        Ok(Self { database, shared: Arc::new(shared) })
    }

    /// Unflushed rows of all trees that somebody holds.
    pub fn write_buffers_bytes(&self) -> u64 {
        let trees = self.shared.trees();
        let live = trees.values().filter_map(Weak::upgrade);
        live.map(|tree| tree.buffered_bytes.load(Ordering::Relaxed)).sum()
    }
}

impl Engine for FjallEngine {
    fn open(&self, name: &str) -> Result<Arc<dyn Tree>, EngineError> {
        let mut trees = self.shared.trees();
        if let Some(tree) = trees.get(name).and_then(Weak::upgrade) {
            return Ok(tree);
        }
        let bytes = self.shared.limits.write_buffer_bytes;
        let tables = Arc::new(Leveled::default().with_table_target_size(TABLE_BYTES));
        let options = || {
            KeyspaceCreateOptions::default()
                .max_memtable_size(bytes)
                .compaction_strategy(Arc::clone(&tables) as _)
        };
        let keyspace = self
            .database
            .keyspace(name, options)
            .map_err(|source| explain(name, "open a tree", source))?;
        let buffered_bytes = AtomicU64::new(keyspace.tree.active_memtable().size());
        let tree = Arc::new(FjallTree {
            name: name.to_owned(),
            database: self.database.clone(),
            keyspace,
            buffered_bytes,
            shared: Arc::clone(&self.shared),
        });
        trees.retain(|_, tree| tree.strong_count() > 0);
        trees.insert(name.to_owned(), Arc::downgrade(&tree));
        Ok(tree)
    }

    fn delete(&self, name: &str) -> Result<(), EngineError> {
        self.shared.trees().remove(name);
        if !self.database.keyspace_exists(name) {
            return Ok(());
        }
        let failed = |source| explain(name, "delete a tree", source);
        let keyspace =
            self.database.keyspace(name, KeyspaceCreateOptions::default).map_err(failed)?;
        self.database.delete_keyspace(keyspace).map_err(failed)
    }

    fn list(&self) -> Result<Vec<String>, EngineError> {
        let names = self.database.list_keyspace_names();
        let mut names: Vec<String> = names.iter().map(ToString::to_string).collect();
        names.sort();
        Ok(names)
    }

    fn sync(&self) -> Result<(), EngineError> {
        self.database
            .persist(PersistMode::SyncAll)
            .map_err(|source| explain("the journal", "sync the journal", source))
    }
}

struct FjallTree {
    name: String,
    database: Database,
    keyspace: Keyspace,
    /// Bytes of its active write buffer after its last commit.
    buffered_bytes: AtomicU64,
    shared: Arc<Shared>,
}

impl FjallTree {
    fn note_buffer(&self) {
        self.buffered_bytes.store(self.keyspace.tree.active_memtable().size(), Ordering::Relaxed);
    }

    /// Sends the largest write buffer of the node to disk when all together pass the cap.
    fn hold_cap(&self) -> Result<(), EngineError> {
        let largest = {
            let trees = self.shared.trees();
            let live: Vec<Arc<Self>> = trees.values().filter_map(Weak::upgrade).collect();
            let bytes = |tree: &Arc<Self>| tree.buffered_bytes.load(Ordering::Relaxed);
            if live.iter().map(bytes).sum::<u64>() <= self.shared.limits.write_buffers_bytes {
                return Ok(());
            }
            live.into_iter().max_by_key(bytes)
        };
        let Some(largest) = largest else { return Ok(()) };
        largest
            .keyspace
            .rotate_memtable()
            .map_err(|source| explain(&largest.name, "flush a write buffer", source))?;
        largest.note_buffer();
        Ok(())
    }
}

impl Tree for FjallTree {
    fn files(&self) -> Vec<PathBuf> {
        let version = self.keyspace.tree.current_version();
        version.iter_tables().map(|table| table.path.to_path_buf()).collect()
    }

    fn verify(&self, file: &Path) -> Result<u64, EngineError> {
        // The version keeps its files: none is removed while it is held.
        let version = self.keyspace.tree.current_version();
        let table = version.iter_tables().find(|table| table.path.as_path() == file);
        let Some(table) = table else { return Ok(0) };
        verify::file(&self.name, file, table.checksum().into_u128())
    }

    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, EngineError> {
        let value = self.keyspace.get(key);
        let value = value.map_err(|source| explain(&self.name, "read a row", source))?;
        Ok(value.map(share))
    }

    fn commit(&self, changes: Changes) -> Result<(), EngineError> {
        let mut batch = self.database.batch();
        for (key, value) in changes {
            match value {
                Some(value) => batch.insert(&self.keyspace, &key[..], &value[..]),
                None => batch.remove(&self.keyspace, &key[..]),
            }
        }
        batch.commit().map_err(|source| explain(&self.name, "commit", source))?;
        self.note_buffer();
        self.hold_cap()
    }

    fn view(&self) -> Arc<dyn View> {
        Arc::new(FjallView {
            name: self.name.clone(),
            snapshot: self.database.snapshot(),
            keyspace: self.keyspace.clone(),
        })
    }

    fn size_bytes(&self) -> u64 {
        self.keyspace.disk_space() + self.buffered_bytes.load(Ordering::Relaxed)
    }
}

struct FjallView {
    name: String,
    snapshot: Snapshot,
    keyspace: Keyspace,
}

impl View for FjallView {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, EngineError> {
        let value = self.snapshot.get(&self.keyspace, key);
        let value = value.map_err(|source| explain(&self.name, "read a row", source))?;
        Ok(value.map(share))
    }

    fn range(&self, range: RowRange) -> Rows {
        if range.is_empty() {
            return Box::new(std::iter::empty());
        }
        let rows = self.snapshot.range::<Bytes, _>(&self.keyspace, (range.from, range.to));
        Box::new(FjallRows { rows, name: self.name.clone(), _keyspace: self.keyspace.clone() })
    }
}

struct FjallRows {
    rows: fjall::Iter,
    name: String,
    /// A deleted keyspace's files live as long as one handle does.
    _keyspace: Keyspace,
}

impl Iterator for FjallRows {
    type Item = Result<(Bytes, Bytes), EngineError>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = self.rows.next()?.into_inner();
        Some(match row {
            Ok((key, value)) => Ok((Bytes::copy_from_slice(&key), share(value))),
            Err(source) => Err(explain(&self.name, "read rows", source)),
        })
    }
}

/// Large values are handed on as they lie in their block, small ones are copied.
fn share(value: fjall::Slice) -> Bytes {
    if value.len() < COPY_BYTES_MAX {
        Bytes::copy_from_slice(&value)
    } else {
        Bytes::from_owner(value)
    }
}

/// Whether the bytes are not what was written: one thing; a failing disk is another.
fn is_damage(source: &fjall::Error) -> bool {
    matches!(
        source,
        fjall::Error::Storage(
            LsmError::ChecksumMismatch { .. }
                | LsmError::InvalidHeader(_)
                | LsmError::InvalidTag(_)
                | LsmError::InvalidTrailer
                | LsmError::Decompress(_)
                | LsmError::Unrecoverable
        ) | fjall::Error::JournalRecovery(_)
            | fjall::Error::InvalidTag(_)
            | fjall::Error::InvalidTrailer
            | fjall::Error::Decompress(_)
            | fjall::Error::Unrecoverable
    )
}

fn explain(tree: &str, what: &str, source: fjall::Error) -> EngineError {
    if is_damage(&source) {
        EngineError::Damaged { tree: tree.to_owned(), source: Box::new(source) }
    } else {
        EngineError::Failed { what: what.to_owned(), source: Box::new(source) }
    }
}

/// The same while files are opened that were written before: one that is cut short, missing or of
/// no sense is damage too. A version of the format that this fjall does not know is none.
fn explain_open(tree: &str, source: fjall::Error) -> EngineError {
    let short = |error: &std::io::Error| {
        use std::io::ErrorKind::{InvalidData, InvalidInput, NotFound, UnexpectedEof};
        // A seek to before a file's beginning is an invalid input.
        matches!(error.kind(), InvalidData | InvalidInput | NotFound | UnexpectedEof)
    };
    let cut = match &source {
        fjall::Error::Io(error) | fjall::Error::Storage(LsmError::Io(error)) => short(error),
        _ => false,
    };
    if cut {
        return EngineError::Damaged { tree: tree.to_owned(), source: Box::new(source) };
    }
    explain(tree, "open the database", source)
}
