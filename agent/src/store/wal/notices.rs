//! Who is told when records are on this disk: openraft, callers, and writes that are acknowledged by
//! the leader's own sync, before a quorum has them.
//!
//! The entries of such writes are known by the first request in them: openraft gives out the index
//! only afterwards.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use evenkeel_shared::command::{Command, RequestId};
use openraft::EntryPayload;
use openraft::entry::RaftEntry;
use tokio::sync::oneshot;

use super::WalError;
use crate::store::raft::{Entry, TypeConfig};

/// Who waits for a sync.
pub(super) enum Done {
    /// Nobody.
    Nobody,
    /// openraft, and who asked for a request's entry.
    Flushed(openraft::storage::IOFlushed<TypeConfig>, Vec<Notice>),
    /// A caller.
    Reply(oneshot::Sender<Result<(), WalError>>),
}

impl Done {
    /// Tells the outcome; `failed` is the reason why the log has given up.
    pub(super) fn tell(self, failed: Option<&str>) {
        let stopped = |reason: &str| WalError::Stopped { reason: reason.to_owned() };
        let outcome = failed.map_or(Ok(()), |reason| Err(stopped(reason)));
        match self {
            Self::Nobody => {}
            Self::Flushed(flushed, notices) => {
                if outcome.is_ok() {
                    notices.into_iter().for_each(Notice::tell);
                }
                flushed.io_completed(outcome.map_err(Into::into));
            }
            // The caller may have gone.
            Self::Reply(reply) => drop(reply.send(outcome)),
        }
    }
}

/// Where an entry stands: term and index.
pub type Place = (u64, u64);

/// One replica's list of who waits. Clones share it.
#[derive(Clone, Default)]
pub struct Notices(Arc<Inner>);

#[derive(Default)]
struct Inner {
    waiting: Mutex<BTreeMap<RequestId, oneshot::Sender<Place>>>,
    /// Spares appends the lock while nobody waits.
    count: AtomicUsize,
}

/// Somebody who is told once the entry is synced.
pub(super) struct Notice {
    reply: oneshot::Sender<Place>,
    place: Place,
}

impl Notice {
    /// Tells where the entry stands.
    pub(super) fn tell(self) {
        // Whoever waited may have been answered by the quorum first.
        let _ = self.reply.send(self.place);
    }
}

impl Notices {
    /// Asks to be told where the entry that begins with this request stands, once it is synced.
    pub fn ask(&self, request: RequestId) -> oneshot::Receiver<Place> {
        let (reply, place) = oneshot::channel();
        self.change(|waiting| drop(waiting.insert(request, reply)));
        place
    }

    /// Nobody waits for this request any more.
    pub fn forget(&self, request: &RequestId) {
        self.change(|waiting| drop(waiting.remove(request)));
    }

    /// Who waits for an entry that is about to be written.
    pub(super) fn of(&self, entry: &Entry) -> Option<Notice> {
        if self.0.count.load(Ordering::Acquire) == 0 {
            return None;
        }
        let EntryPayload::Normal(Command::Batch(batch)) = &entry.payload else { return None };
        let request = batch.operations.first()?.request;
        let reply = self.change(|waiting| waiting.remove(&request))?;
        let log_id = entry.log_id();
        Some(Notice { reply, place: (log_id.committed_leader_id().term, log_id.index) })
    }

    fn change<T>(
        &self,
        change: impl FnOnce(&mut BTreeMap<RequestId, oneshot::Sender<Place>>) -> T,
    ) -> T {
        let mut waiting = self.lock();
        let outcome = change(&mut waiting);
        self.0.count.store(waiting.len(), Ordering::Release);
        outcome
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<RequestId, oneshot::Sender<Place>>> {
        self.0.waiting.lock().expect("no holder of this lock panics")
    }
}
