//! Planned moves of leadership: hold, wait, check, hand over, or release and report (safety
//! rule 11).

use std::sync::atomic::Ordering;
use std::time::Duration;

use evenkeel_shared::error::StoreError;
use evenkeel_shared::ids::ReplicaId;
use openraft::ServerState;
use openraft::async_runtime::WatchReceiver;
use tokio::time::timeout;

use super::Group;
use super::proposer::Gate;

/// How long new proposals are held while the target catches up with what was proposed before.
const HOLD_MAX: Duration = Duration::from_millis(100);
/// How long a transfer may take to show; then the elector asks another voter to stand.
const EFFECT_MAX: Duration = Duration::from_secs(1);

impl Group {
    /// Hands leadership to a voter. Gives back how long proposals were held.
    pub async fn transfer(&self, to: ReplicaId) -> Result<Duration, StoreError> {
        let refuse = |why: String| StoreError::Refused { why };
        if !self.is_leader() {
            return Err(StoreError::NotLeader {
                shard: self.key.shard,
                leader: self.leader_node(),
            });
        }
        if !self.metrics().membership_config.membership().voter_ids().any(|voter| voter == to) {
            return Err(refuse(format!("{to} is no voter of {}", self.key.shard)));
        }
        let begun = self.env.clock.now();
        self.proposer.set_gate(Gate::Held);
        let outcome = self.hand_over(to).await;
        self.transfer_since_us.store(0, Ordering::Relaxed);
        self.proposer.set_gate(Gate::Open);
        outcome.map(|()| self.env.clock.now().saturating_sub(begun)).map_err(refuse)
    }

    async fn hand_over(&self, to: ReplicaId) -> Result<(), String> {
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
        if timeout(HOLD_MAX, matched).await.is_err() {
            return Err(format!("{to} did not catch up within {} ms", HOLD_MAX.as_millis()));
        }
        let since_us = u64::try_from(self.env.clock.now().as_micros()).unwrap_or(u64::MAX);
        self.transfer_since_us.store(since_us.max(1), Ordering::Relaxed);
        self.raft.trigger().transfer_leader(to).await.map_err(|error| error.to_string())?;
        let mut metrics = self.raft.metrics();
        let stepped_down = async {
            while metrics.borrow_watched().state == ServerState::Leader {
                if metrics.changed().await.is_err() {
                    return;
                }
            }
        };
        timeout(EFFECT_MAX, stepped_down)
            .await
            .map_err(|_| format!("{to} did not take over within {} ms", EFFECT_MAX.as_millis()))
    }
}
