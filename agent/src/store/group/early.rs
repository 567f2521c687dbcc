//! The planted bug [`Bug::AckBeforeQuorum`]: puts are acknowledged from the leader's own log.
//!
//! It is compiled for the simulation alone. The version given is the one that the entry will have
//! if it is ever committed.

use std::time::Duration;

use super::proposer::{Waiters, Written};
use crate::planted::{self, Bug};
use crate::store::machine::Machine;
use crate::store::raft::Raft;
use evenkeel_shared::command::{Batch, OperationResult, WriteAction};
use evenkeel_shared::ids::ShardId;
use evenkeel_shared::version::Version;
use evenkeel_shared::view::SyncPolicy;
use openraft::async_runtime::WatchReceiver;

/// How long the leader's own log may take.
const APPEND_MAX: Duration = Duration::from_millis(500);

/// What is said of a batch before a quorum has it.
pub(super) struct Acknowledgement {
    shard: ShardId,
    /// Whether each put found a record, if it looks; `None` when others than puts are in it.
    existed: Option<Vec<Option<bool>>>,
}

impl Acknowledgement {
    pub(super) fn of(shard: ShardId, batch: &Batch, machine: &Machine) -> Self {
        let keyspace = machine.status().keyspace.filter(|_| planted::has(Bug::AckBeforeQuorum));
        let puts = batch.operations.iter().map(|operation| {
            let keyspace = keyspace?;
            match operation.action {
                WriteAction::PutBlind { .. } => return Some(None),
                WriteAction::Put { .. } => {}
                _ => return None,
            }
            let there = machine.get(keyspace, operation.slot, &operation.key, batch.hlc);
            Some(Some(there.ok()?.is_some()))
        });
        Self { shard, existed: puts.collect() }
    }

    /// Answers whoever is answered early; gives back who must wait.
    pub(super) async fn give(
        self,
        raft: &Raft,
        machine: &Machine,
        mut waiters: Waiters,
    ) -> Waiters {
        if !planted::has(Bug::AckBeforeQuorum) {
            return waiters;
        }
        // The entry is queued and not yet in the log.
        let last = raft.metrics().borrow_watched().last_log_index;
        let index = last.map_or(0, |last| last + 1);
        let appended = raft.wait(Some(APPEND_MAX)).log_index_at_least(Some(index), "").await;
        let (Ok(metrics), Some(existed)) = (appended, self.existed) else { return waiters };
        let status = machine.status();
        let (shard, epoch, term) = (self.shard, status.epoch, metrics.current_term);
        let version = Version { shard, epoch, term, index };
        for waiter in waiters.all_mut() {
            let done = |existed: &Option<bool>| match *existed {
                Some(existed) => OperationResult::Done { version, existed },
                None => OperationResult::Written { version },
            };
            let results = existed.get(waiter.range()).unwrap_or_default().iter().map(done);
            let (place, sync) = ((term, index), SyncPolicy::Quorum);
            waiter.answer(Ok(Written { results: results.collect(), place, sync }));
        }
        waiters
    }
}
