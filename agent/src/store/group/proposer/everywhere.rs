//! Writes that are acknowledged once every voter has synced them: the leader watches how far each
//! one is. At the deadline the caller is told by how many.

use std::time::Duration;

use evenkeel_shared::error::StoreError;
use evenkeel_shared::view::SyncPolicy;
use openraft::async_runtime::WatchReceiver;

use super::waiters::Settling;
use super::{Metrics, Raft, Written};

/// So long before the caller's own deadline it is told, so that the answer still arrives.
const ANSWER_BEFORE: Duration = Duration::from_millis(25);

/// How many voters of the current membership have synced the entry, of how many; only a leader
/// knows.
fn persisted_by(metrics: &Metrics, index: u64) -> Option<(usize, usize)> {
    let all = metrics.replication.as_ref()?;
    let reached = |voter| all.get(voter)?.as_ref().map(|log_id| log_id.index);
    let voters = metrics.membership_config.membership().voter_ids();
    let voters: Vec<_> = voters.collect();
    let synced = voters.iter().filter(|voter| reached(voter).is_some_and(|at| at >= index));
    Some((synced.count(), voters.len()))
}

impl Settling {
    fn give_up(self, why: &str) {
        for (mut waiter, _) in self.waiting {
            waiter.answer(Err(StoreError::Unknown { why: why.to_owned() }));
        }
    }
}

/// Answers those who wait for all voters, each by its own deadline.
pub(super) async fn settle(raft: Raft, mut settling: Settling) {
    let mut metrics = raft.metrics();
    loop {
        let Some((synced, voters)) = persisted_by(&metrics.borrow_watched(), settling.place.1)
        else {
            return settling.give_up("another replica leads now, and knows which voters have it");
        };
        let (place, sync) = (settling.place, SyncPolicy::All);
        settling.waiting.retain_mut(|(waiter, results)| {
            if synced == voters {
                let results = std::mem::take(results);
                waiter.answer(Ok(Written { results, place, sync }));
            } else if waiter.by.remaining() <= ANSWER_BEFORE {
                let count = |many: usize| u8::try_from(many).unwrap_or(u8::MAX);
                let (persisted_by, voters) = (count(synced), count(voters));
                waiter.answer(Err(StoreError::NotEverywhere { persisted_by, voters }));
            }
            !waiter.is_gone()
        });
        let next = settling.waiting.iter().map(|(waiter, _)| waiter.by.remaining()).min();
        let Some(next) = next else { return };
        let patience = next.saturating_sub(ANSWER_BEFORE);
        match tokio::time::timeout(patience, metrics.changed()).await {
            // In time, or one of them has no more of it.
            Ok(Ok(())) | Err(_) => {}
            Ok(Err(_)) => return settling.give_up("the replica closed before all voters had it"),
        }
    }
}
