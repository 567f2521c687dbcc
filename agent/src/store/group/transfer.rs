//! Planned moves of leadership: hold, wait, check, hand over, or release and report (safety
//! rule 11).

use std::time::Duration;

use evenkeel_shared::error::StoreError;
use evenkeel_shared::ids::ReplicaId;
use openraft::ServerState;
use openraft::async_runtime::WatchReceiver;
use tokio::time::timeout;

use super::Group;
use super::proposer::Gate;
use crate::store::raft::Metrics;

/// How long new proposals are held, whatever becomes of the transfer.
const HOLD_MAX: Duration = Duration::from_millis(100);
/// How long the target may take to catch up with what was proposed before.
const CATCH_UP_MAX: Duration = Duration::from_millis(80);
/// How long a transfer may take to show; then the elector asks another voter to stand.
const EFFECT_MAX: Duration = Duration::from_secs(1);

/// A hand-over that openraft was told of. It refuses writes from then on for as long as it leads
/// that term, whether the target takes over or not.
#[derive(Clone, Copy, Debug)]
pub(super) struct HandOver {
    term: u64,
    since: Duration,
}

impl Group {
    /// Since when this replica is a leader that waits for its heir.
    pub(super) fn handing_over_since(&self, metrics: &Metrics) -> Option<Duration> {
        let begun = *self.handing_over.lock().expect("no holder of this lock panics");
        let stands = |begun: &HandOver| {
            metrics.state == ServerState::Leader && metrics.current_term == begun.term
        };
        begun.filter(stands).map(|begun| begun.since)
    }

    /// Hands leadership to a voter. Gives back how long proposals were held.
    pub async fn transfer(&self, to: ReplicaId) -> Result<Duration, StoreError> {
        let refuse = |why: String| StoreError::Refused { why };
        if !self.is_leader() {
            return Err(StoreError::NotLeader {
                shard: self.key.shard,
                leader: self.leader_node(),
            });
        }
        if to == self.key.replica {
            // Somebody else has moved it here meanwhile; openraft would wait for itself.
            return Ok(Duration::ZERO);
        }
        if !self.metrics().membership_config.membership().voter_ids().any(|voter| voter == to) {
            return Err(refuse(format!("{to} is no voter of {}", self.key.shard)));
        }
        // Two would open each other's gate, and have two heirs stand.
        let Ok(_alone) = self.transferring.try_lock() else {
            return Err(refuse(format!("{} is being handed over already", self.key.shard)));
        };
        let begun = self.env.clock.now();
        self.proposer.set_gate(Gate::Held);
        let mut moving = std::pin::pin!(self.hand_over(to));
        let in_time = timeout(HOLD_MAX, &mut moving).await;
        // Whoever still waits is sent to the heir, or told to ask again, rather than held.
        self.proposer.set_gate(Gate::Open);
        let outcome = match in_time {
            Ok(outcome) => outcome,
            Err(_) => moving.await,
        };
        outcome.map(|()| self.env.clock.now().saturating_sub(begun)).map_err(refuse)
    }

    async fn hand_over(&self, to: ReplicaId) -> Result<(), String> {
        let begun = self.env.clock.now();
        let mut metrics = self.raft.metrics();
        let matched = async {
            loop {
                {
                    let seen = metrics.borrow_watched();
                    let reached = seen.replication.as_ref().and_then(|all| all.get(&to));
                    let reached = reached.and_then(Option::as_ref).map(|log_id| log_id.index);
                    if seen.last_log_index.is_some() && reached >= seen.last_log_index {
                        return;
                    }
                }
                if metrics.changed().await.is_err() {
                    return;
                }
            }
        };
        if timeout(CATCH_UP_MAX, matched).await.is_err() {
            return Err(format!("{to} did not catch up within {} ms", CATCH_UP_MAX.as_millis()));
        }
        let caught_up = self.env.clock.now();
        self.set_handing_over(Some(HandOver { term: self.term(), since: caught_up }));
        if let Err(error) = self.raft.trigger().transfer_leader(to).await {
            self.set_handing_over(None);
            return Err(error.to_string());
        }
        let mut metrics = self.raft.metrics();
        let taken_over = async {
            loop {
                let heir = {
                    let seen = metrics.borrow_watched();
                    let follows = seen.state != ServerState::Leader;
                    seen.current_leader.filter(|heir| follows && *heir != self.key.replica)
                };
                if heir.is_some() || metrics.changed().await.is_err() {
                    return heir;
                }
            }
        };
        match timeout(EFFECT_MAX, taken_over).await {
            Ok(Some(heir)) if heir == to => {
                let (caught_up, now) = (caught_up.saturating_sub(begun), self.env.clock.now());
                let waited = now.saturating_sub(begun);
                tracing::info!(shard = %self.key.shard, %to, ?caught_up, ?waited, "handed over");
                Ok(())
            }
            Ok(Some(heir)) => Err(format!("{heir} has taken over, not {to}")),
            Ok(None) => Err("this replica is closing".to_owned()),
            Err(_) => Err(format!("{to} did not take over within {} ms", EFFECT_MAX.as_millis())),
        }
    }

    fn set_handing_over(&self, begun: Option<HandOver>) {
        *self.handing_over.lock().expect("no holder of this lock panics") = begun;
    }
}
