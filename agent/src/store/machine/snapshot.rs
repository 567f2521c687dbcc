//! Snapshots for Raft: a view that goes out in pieces, and a tree that is filled from them.
//!
//! A replica lives in one tree or in another, never in a mixture: which one is a row that is
//! written, synced, after the new tree is complete and synced. Leftovers go at the next open.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::rows;
use super::state::{Meta, State};
use super::{Home, Inner, Machine, MachineError, POINTERS};
use crate::env::work::Work;
use crate::store::engine::{Changes, RowRange, Rows, Tree, View};
use crate::store::raft::SnapshotMeta;

/// About how large a piece is: far below a frame, large enough that its call is cheap.
const CHUNK_BYTES: usize = 512 << 10;

/// A snapshot's data.
pub enum SnapshotData {
    /// What this replica has, to be sent.
    Outgoing(Outgoing),
    /// What another one has sent, to be installed.
    Incoming(Box<Staged>),
}

impl SnapshotData {
    /// What it covers.
    pub fn meta(&self) -> Result<SnapshotMeta, MachineError> {
        match self {
            Self::Outgoing(outgoing) => outgoing.meta(),
            Self::Incoming(staged) => Ok(staged.meta.clone()),
        }
    }
}

fn snapshot_meta(meta: &Meta) -> SnapshotMeta {
    SnapshotMeta { last_log_id: meta.applied, last_membership: meta.membership.clone() }
}

/// A replica's rows at one moment.
pub struct Outgoing {
    view: Arc<dyn View>,
}

impl Outgoing {
    pub(super) fn new(view: Arc<dyn View>) -> Self {
        Self { view }
    }

    /// What it covers.
    pub fn meta(&self) -> Result<SnapshotMeta, MachineError> {
        Ok(snapshot_meta(&Meta::of(&*self.view)?))
    }

    /// Every row, in pieces. Blocks on the disk: walk it on `env.work`.
    pub fn chunks(&self) -> Chunks {
        Chunks { rows: self.view.range(RowRange::all()), ended: false }
    }
}

/// The pieces of a snapshot.
pub struct Chunks {
    rows: Rows,
    ended: bool,
}

impl Iterator for Chunks {
    type Item = Result<Bytes, MachineError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut chunk = BytesMut::new();
        while !self.ended && chunk.len() < CHUNK_BYTES {
            match self.rows.next() {
                None => self.ended = true,
                Some(Ok((key, value))) => {
                    put_bytes(&mut chunk, &key);
                    put_bytes(&mut chunk, &value);
                }
                Some(Err(error)) => {
                    self.ended = true;
                    return Some(Err(error.into()));
                }
            }
        }
        (!chunk.is_empty()).then(|| Ok(chunk.freeze()))
    }
}

fn put_bytes(chunk: &mut BytesMut, bytes: &[u8]) {
    chunk.put_u32_le(u32::try_from(bytes.len()).expect("rows are bounded by key and value"));
    chunk.put_slice(bytes);
}

fn take_bytes(chunk: &mut Bytes) -> Option<Bytes> {
    let length = usize::try_from(chunk.try_get_u32_le().ok()?).ok()?;
    (length <= chunk.len()).then(|| chunk.split_to(length))
}

/// The rows of one piece.
pub(super) fn decode_chunk(mut chunk: Bytes) -> Result<Changes, MachineError> {
    let mut changes = Changes::new();
    while !chunk.is_empty() {
        let row = take_bytes(&mut chunk).zip(take_bytes(&mut chunk));
        let (key, value) = row.ok_or_else(|| refused("a piece ends within a row"))?;
        changes.insert(key, Some(value));
    }
    Ok(changes)
}

fn refused(why: impl Into<String>) -> MachineError {
    MachineError::BadSnapshot { why: why.into() }
}

/// A new tree for a replica; deleted unless the replica moves into it.
pub(super) struct NewTree {
    inner: Arc<Inner>,
    home: Home,
    kept: bool,
}

impl Drop for NewTree {
    fn drop(&mut self) {
        if !self.kept {
            // If it fails, the next open removes the tree.
            let _ = self.inner.engine.delete(&self.inner.id.tree_name(self.home.generation));
        }
    }
}

/// A transfer under way. Dropped, it leaves nothing behind.
pub struct Staging {
    transfer: u64,
    next: u64,
    hasher: blake3::Hasher,
    tree: NewTree,
}

impl Staging {
    /// The sender's number of this transfer.
    pub fn transfer(&self) -> u64 {
        self.transfer
    }

    /// Writes the next piece; the one before may come again, any other is refused.
    pub async fn add(&mut self, number: u64, chunk: Bytes) -> Result<(), MachineError> {
        if number.checked_add(1) == Some(self.next) {
            return Ok(());
        }
        if number != self.next {
            return Err(refused(format!("piece {number} came instead of {}", self.next)));
        }
        self.hasher.update(&chunk);
        self.next += 1;
        let tree = Arc::clone(&self.tree.home.tree);
        let write = move || -> Result<(), MachineError> { Ok(tree.commit(decode_chunk(chunk)?)?) };
        self.tree.inner.work.run(write).await
    }

    /// Checks that all has come, and as it was sent.
    pub async fn finish(self, chunks: u64, hash: [u8; 32]) -> Result<SnapshotData, MachineError> {
        if self.next != chunks {
            return Err(refused(format!("{} pieces came of {chunks}", self.next)));
        }
        if *self.hasher.finalize().as_bytes() != hash {
            return Err(refused("its hash is not the sender's"));
        }
        let (shard, tree) = (self.tree.inner.id.shard, Arc::clone(&self.tree.home.tree));
        let load = move || State::load(shard, &*tree.view());
        let state = self.tree.inner.work.run(load).await?;
        if state.meta.applied.is_none() {
            return Err(refused("it covers no entry"));
        }
        let meta = snapshot_meta(&state.meta);
        Ok(SnapshotData::Incoming(Box::new(Staged { meta, state, tree: self.tree })))
    }
}

/// A complete transfer that waits to be installed.
pub struct Staged {
    meta: SnapshotMeta,
    state: State,
    tree: NewTree,
}

impl Machine {
    /// Begins a transfer into a new tree.
    pub async fn stage(&self, transfer: u64) -> Result<Staging, MachineError> {
        let inner = Arc::clone(&self.inner);
        let tree = self.inner.work.run(move || NewTree::open(inner)).await?;
        Ok(Staging { transfer, next: 0, hasher: blake3::Hasher::new(), tree })
    }

    /// What this replica has now.
    pub fn outgoing(&self) -> Outgoing {
        Outgoing::new(self.inner.tree().view())
    }
}

impl NewTree {
    /// The tree itself.
    pub(super) fn tree(&self) -> Arc<dyn Tree> {
        Arc::clone(&self.home.tree)
    }

    /// Where blocking does no harm.
    pub(super) fn work(&self) -> Arc<dyn Work> {
        Arc::clone(&self.inner.work)
    }

    pub(super) fn open(inner: Arc<Inner>) -> Result<Self, MachineError> {
        // Not while the machine is being destroyed.
        let core = inner.core()?;
        let generation = inner.generation_next.fetch_add(1, Ordering::Relaxed);
        let tree: Arc<dyn Tree> = inner.engine.open(&inner.id.tree_name(generation))?;
        drop(core);
        Ok(Self { inner, home: Home { generation, tree }, kept: false })
    }
}

impl Inner {
    /// Moves the replica into the staged tree; durable when it returns.
    pub(super) fn install(&self, mut staged: Staged) -> Result<(), MachineError> {
        let mut core = self.core()?;
        // From here on nobody knows whether the pointer names it, unless all goes well.
        staged.tree.kept = true;
        let moved = self.move_in(&staged.tree.home);
        if moved.is_err() {
            self.stop();
        }
        moved?;
        let old = {
            let mut home = self.tree.write().expect("nothing panics while it swaps trees");
            std::mem::replace(&mut *home, staged.tree.home.clone())
        };
        core.cuts.jump(staged.state.meta.hlc);
        core.state = staged.state;
        self.publish(&core.state, Vec::new());
        drop(core);
        let name = self.id.tree_name(old.generation);
        drop(old);
        if let Err(error) = self.engine.delete(&name) {
            // The next open tries again.
            tracing::warn!(shard = %self.id.shard, tree = name, %error, "old tree not deleted");
        }
        Ok(())
    }

    fn move_in(&self, home: &Home) -> Result<(), MachineError> {
        self.engine.sync()?;
        let pointer = (self.id.pointer_key(), Some(rows::encode(&home.generation)));
        self.engine.open(POINTERS)?.commit(Changes::from([pointer]))?;
        Ok(self.engine.sync()?)
    }
}
