//! What a replica would hold if all of its log were committed, for a shard whose majority is gone:
//! an acknowledged write may be in the log of a survivor that never heard that it was committed.
//!
//! Invariant: it is worked out in a tree of its own, which goes again; the replica is not touched.

use std::sync::Arc;

use evenkeel_shared::view::ClusterFacts;

use super::apply::Applier;
use super::image::Image;
use super::snapshot::{NewTree, Outgoing, decode_chunk};
use super::state::State;
use super::{Machine, MachineError};
use crate::store::raft::Entry;

/// A copy of a replica's rows, to which entries can be applied.
pub struct Salvage {
    state: State,
    tree: NewTree,
}

impl Salvage {
    /// The last index in it.
    pub fn index(&self) -> u64 {
        self.state.meta.applied.as_ref().map_or(0, |id| id.index)
    }

    /// Applies the next entries, as if they were committed.
    pub async fn apply(mut self, entries: Vec<Entry>) -> Result<Self, MachineError> {
        let work = self.tree.work();
        work.run(move || {
            let tree = self.tree.tree();
            let mut applier = Applier::new(&mut self.state, &*tree);
            for entry in entries {
                applier.entry(entry)?;
            }
            tree.commit(applier.finish().changes)?;
            Ok(self)
        })
        .await
    }

    /// The cluster's facts as of its last entry; only of the system shard.
    pub fn facts(&self) -> Option<Arc<ClusterFacts>> {
        self.state.facts.clone()
    }

    /// The records in it; read them before this is dropped.
    pub fn image(&self) -> Result<Image, MachineError> {
        Image::of(self.tree.tree().view())
    }
}

impl Machine {
    /// Copies what this replica has applied.
    pub async fn salvage(&self) -> Result<Salvage, MachineError> {
        let inner = Arc::clone(&self.inner);
        let outgoing: Outgoing = self.outgoing();
        let shard = self.inner.id.shard;
        self.inner
            .work
            .run(move || {
                let tree = NewTree::open(inner)?;
                let rows = tree.tree();
                for chunk in outgoing.chunks() {
                    rows.commit(decode_chunk(chunk?)?)?;
                }
                let state = State::load(shard, &*rows.view())?;
                Ok(Salvage { state, tree })
            })
            .await
    }
}
