//! Images: a replica's records at one moment, for backups and for comparing replicas.
//!
//! An image at a cut holds every effect up to the cut and none above it. Records that had ended by
//! then are left out, for sweeping them is each replica's own affair.

use evenkeel_shared::command::StoredRecord;
use evenkeel_shared::ids::KeyspaceId;
use evenkeel_shared::key::SlotRange;
use evenkeel_shared::version::Hlc;
use std::sync::Arc;
use tokio::sync::oneshot;

use super::apply::is_expired;
use super::rows::{self, DATA};
use super::state::{MachinePhase, Meta};
use super::{Machine, MachineError};
use crate::content::{ContentHasher, ContentSummary};
use crate::store::engine::{RowRange, View};

/// A replica's records at one moment.
#[derive(Clone)]
pub struct Image {
    view: Arc<dyn View>,
    meta: Arc<Meta>,
}

/// A replica's content hash, and where in the log it was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentAt {
    /// The last applied index.
    pub index: u64,
    /// Records and their hash.
    pub content: ContentSummary,
}

impl Image {
    pub(super) fn of(view: Arc<dyn View>) -> Result<Self, MachineError> {
        let meta = Arc::new(Meta::of(&*view)?);
        Ok(Self { view, meta })
    }

    /// The last index in it.
    pub fn index(&self) -> u64 {
        self.meta.applied.as_ref().map_or(0, |id| id.index)
    }

    /// The time of the last entry in it.
    pub fn hlc(&self) -> Hlc {
        self.meta.hlc
    }

    /// Whose keys it holds.
    pub fn keyspace(&self) -> Option<KeyspaceId> {
        self.meta.keyspace
    }

    /// The shard's slots.
    pub fn slots(&self) -> &[SlotRange] {
        &self.meta.slots
    }

    /// The records in slot and key order. Blocks on the disk: walk it on `env.work`.
    pub fn records(
        &self,
    ) -> impl Iterator<Item = Result<StoredRecord, MachineError>> + Send + use<> {
        let meta = Arc::clone(&self.meta);
        // What a restore has put in stays as it is until the shard opens.
        let sweeps = meta.phase != MachinePhase::Building;
        let rows = self.view.range(RowRange::prefix(&[DATA]));
        let records = rows.map(|row| {
            let (key, row) = row?;
            rows::decode_stored(&key, &row)
        });
        records.filter(move |stored| {
            let ended = |stored: &StoredRecord| is_expired(&stored.record, meta.hlc);
            !(sweeps && stored.as_ref().is_ok_and(ended))
        })
    }

    /// Hashes every record, as read back from disk. Blocks.
    pub fn content_hash(&self) -> Result<ContentAt, MachineError> {
        let mut hasher = ContentHasher::new();
        for record in self.records() {
            hasher.feed(&record?);
        }
        Ok(ContentAt { index: self.index(), content: hasher.finish() })
    }
}

/// Images that wait for the first entry above their cut.
#[derive(Default)]
pub(super) struct Cuts {
    waiting: Vec<(Hlc, oneshot::Sender<Result<Image, MachineError>>)>,
}

impl Cuts {
    /// Whether an entry of that time is above a cut that is waited for.
    pub(super) fn ends_before(&self, hlc: Hlc) -> bool {
        self.waiting.iter().any(|(cut, _)| *cut < hlc)
    }

    /// Hands the view, which holds everything before an entry of that time, to those it ends.
    pub(super) fn take(&mut self, hlc: Hlc, view: &Arc<dyn View>) {
        for (_, waiter) in self.ended(hlc) {
            // Whoever asked may have given up.
            let _ = waiter.send(Image::of(Arc::clone(view)));
        }
    }

    /// Refuses those whose moment was jumped over by a snapshot at that time.
    pub(super) fn jump(&mut self, hlc: Hlc) {
        for (cut, waiter) in self.ended(hlc) {
            let _ = waiter.send(Err(MachineError::PastCut { cut, hlc }));
        }
    }

    fn ended(
        &mut self,
        hlc: Hlc,
    ) -> impl Iterator<Item = (Hlc, oneshot::Sender<Result<Image, MachineError>>)> + use<> {
        let waiting = std::mem::take(&mut self.waiting);
        let (ended, waiting): (Vec<_>, Vec<_>) =
            waiting.into_iter().partition(|(cut, _)| *cut < hlc);
        self.waiting = waiting;
        ended.into_iter()
    }
}

impl Machine {
    /// The records as they are now.
    pub fn image_now(&self) -> Result<Image, MachineError> {
        Image::of(self.inner.tree().view())
    }

    /// Asks for the records exactly before the first entry above the cut. The inner future waits
    /// until there is one: once the outer one is done, somebody has to propose a barrier above it.
    pub async fn image_at(
        &self,
        cut: Hlc,
    ) -> Result<impl Future<Output = Result<Image, MachineError>> + use<>, MachineError> {
        let inner = Arc::clone(&self.inner);
        let (sender, receiver) = oneshot::channel();
        let register = move || {
            let mut core = inner.core()?;
            let hlc = core.state.meta.hlc;
            if hlc > cut {
                return Err(MachineError::PastCut { cut, hlc });
            }
            core.cuts.waiting.retain(|(_, waiter)| !waiter.is_closed());
            core.cuts.waiting.push((cut, sender));
            Ok(())
        };
        self.inner.work.run(register).await?;
        let shard = self.inner.id.shard;
        Ok(async move { receiver.await.map_err(|_| MachineError::Stopped(shard))? })
    }

    /// Hashes every record at the applied index.
    pub async fn content_hash(&self) -> Result<ContentAt, MachineError> {
        self.hash_image(self.image_now()?).await
    }
}
