//! Those who wait for one entry: answered by the leader's own sync, by the quorum, or by everybody.

use std::ops::Range;

use evenkeel_shared::command::{Applied, Operation, OperationResult, RequestId};
use evenkeel_shared::error::StoreError;
use evenkeel_shared::version::Version;
use evenkeel_shared::view::SyncPolicy;
use evenkeel_shared::wire::deadline::Deadline;
use futures::future::BoxFuture;
use tokio::sync::oneshot;

use super::{Reply, Write, Written};
use crate::store::wal::{Notices, Place};

/// The future of an entry: what applying it gave, and where it stands.
pub(super) type EntryAnswer = BoxFuture<'static, Result<(Applied, Place), StoreError>>;

/// Who waits for some of an entry's operations.
pub(in crate::store::group) struct Waiter {
    first: usize,
    count: usize,
    /// When they are acknowledged.
    pub(super) sync: SyncPolicy,
    /// When the caller stops waiting.
    pub(super) by: Deadline,
    /// `None` once it is answered.
    reply: Option<Reply<Written>>,
}

impl Waiter {
    /// Which of the entry's operations.
    pub(in crate::store::group) fn range(&self) -> Range<usize> {
        self.first..self.first + self.count
    }

    /// Whether nobody waits any more.
    pub(super) fn is_gone(&self) -> bool {
        self.reply.as_ref().is_none_or(oneshot::Sender::is_closed)
    }

    /// Answers, once.
    pub(in crate::store::group) fn answer(&mut self, outcome: Result<Written, StoreError>) {
        if let Some(reply) = self.reply.take() {
            // The caller may have stopped waiting.
            let _ = reply.send(outcome);
        }
    }
}

/// All who wait for one entry.
#[derive(Default)]
pub(in crate::store::group) struct Waiters(Vec<Waiter>);

/// The leader's own sync of an entry, on its way.
pub(super) struct OwnSync {
    pub(super) place: oneshot::Receiver<Place>,
    pub(super) first: RequestId,
    pub(super) notices: Notices,
    /// What the entry's operations will write, but for its place.
    pub(super) version: Version,
}

impl Drop for OwnSync {
    fn drop(&mut self) {
        self.notices.forget(&self.first);
    }
}

/// An entry that is applied, and those who wait until all voters have synced it.
pub(super) struct Settling {
    pub(super) place: Place,
    pub(super) waiting: Vec<(Waiter, Vec<OperationResult>)>,
}

impl Waiters {
    /// Adds one who waits; gives back the operations, for the entry.
    pub(super) fn add(&mut self, write: Write, reply: Reply<Written>) -> Vec<Operation> {
        let first = self.0.last().map_or(0, |last| last.range().end);
        let Write { operations, sync, by } = write;
        self.0.push(Waiter { first, count: operations.len(), sync, by, reply: Some(reply) });
        operations
    }

    /// Each of them.
    pub(in crate::store::group) fn all(&self) -> &[Waiter] {
        &self.0
    }

    /// Each of them.
    pub(in crate::store::group) fn all_mut(&mut self) -> &mut [Waiter] {
        &mut self.0
    }

    /// Answers everybody whom the leader's sync and the quorum can answer; gives back the others.
    pub(super) async fn answer(
        mut self,
        mut entry: EntryAnswer,
        own_sync: Option<OwnSync>,
    ) -> Option<Settling> {
        if let Some(mut own) = own_sync {
            tokio::select! {
                biased;
                synced = &mut own.place => {
                    if let Ok(place) = synced {
                        self.answer_provisionally(own.version, place);
                    }
                }
                outcome = &mut entry => return self.answer_all(outcome),
            }
        }
        let outcome = entry.await;
        self.answer_all(outcome)
    }

    fn answer_provisionally(&mut self, version: Version, (term, index): Place) {
        let version = Version { term, index, ..version };
        for waiter in self.0.iter_mut().filter(|waiter| waiter.sync == SyncPolicy::Leader) {
            let results = vec![OperationResult::Provisional { version }; waiter.count];
            let (place, sync) = ((term, index), SyncPolicy::Leader);
            waiter.answer(Ok(Written { results, place, sync }));
        }
    }

    fn answer_all(self, outcome: Result<(Applied, Place), StoreError>) -> Option<Settling> {
        let (results, place) = match outcome {
            Ok((Applied::Batch(results), place)) => (results, place),
            other => {
                let why = "a batch was answered with something else".to_owned();
                let error = other.err().unwrap_or(StoreError::Unknown { why });
                for mut waiter in self.0 {
                    waiter.answer(Err(error.clone()));
                }
                return None;
            }
        };
        let mut waiting = Vec::new();
        for mut waiter in self.0 {
            let results = results.get(waiter.range()).unwrap_or_default().to_vec();
            let refused = results.iter().all(|result| result.version().is_none());
            if waiter.sync == SyncPolicy::All && !refused {
                waiting.push((waiter, results));
            } else {
                let sync = SyncPolicy::Quorum;
                waiter.answer(Ok(Written { results, place, sync }));
            }
        }
        (!waiting.is_empty()).then_some(Settling { place, waiting })
    }
}
