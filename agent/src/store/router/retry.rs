//! What is remembered between the attempts of one request, and when another attempt is of no use. An
//! outcome that may be is never forgotten for a later refusal.

use evenkeel_shared::error::StoreError;
use evenkeel_shared::ids::ShardId;
use evenkeel_shared::view::ReplicaRole;
use evenkeel_shared::wire::deadline::Deadline;

use super::{LOOK_AGAIN, Router};

/// What is remembered between the attempts of one request.
pub(super) struct Retry {
    pub(super) deadline: Deadline,
    /// What an attempt said whose outcome is not known: later refusals don't undo it.
    pub(super) unknown: Option<StoreError>,
}

impl Retry {
    pub(super) fn new(deadline: Deadline) -> Self {
        Self { deadline, unknown: None }
    }

    /// Waits a moment; at the deadline, says the worst that is true.
    async fn pause(&mut self, error: StoreError) -> Result<(), StoreError> {
        if error.is_unknown() {
            self.unknown = Some(error.clone());
        }
        if self.deadline.remaining() <= LOOK_AGAIN {
            return Err(self.last_word(error));
        }
        tokio::time::sleep(LOOK_AGAIN).await;
        Ok(())
    }

    /// A read has no outcome that matters later: what is unknown is just unavailable.
    pub(super) async fn pause_read(
        &mut self,
        router: &Router,
        shard: Option<ShardId>,
        error: StoreError,
    ) -> Result<(), StoreError> {
        let error = match error {
            StoreError::Unknown { why } => StoreError::Unavailable { why },
            other => other,
        };
        self.pause_for(router, shard, error).await
    }

    /// The same for a shard: a node that can reach no majority of its voters says so at once. Others
    /// may still serve it, and a minority must not keep its callers from asking them.
    pub(super) async fn pause_for(
        &mut self,
        router: &Router,
        shard: Option<ShardId>,
        error: StoreError,
    ) -> Result<(), StoreError> {
        if let Some(shard) = shard.filter(|shard| router.is_cut_off_from(*shard)) {
            if error.is_unknown() {
                self.unknown = Some(error);
            }
            return Err(self.last_word(StoreError::NoQuorum { shard }));
        }
        self.pause(error).await
    }

    pub(super) fn last_word(&mut self, error: StoreError) -> StoreError {
        self.unknown.take().unwrap_or(error)
    }
}

impl Router {
    /// Whether so many of a shard's voters are held dead here that the others are no majority: this
    /// node can have nothing confirmed by them, whoever leads.
    pub fn is_cut_off_from(&self, shard: ShardId) -> bool {
        let facts = self.facts.borrow().clone();
        let Some(known) = facts.shards.get(&shard) else { return false };
        let voters = known.replicas.iter().filter(|(_, held)| held.role == ReplicaRole::Voter);
        let (mut all, mut living) = (0, 0);
        for (voter, _) in voters {
            all += 1;
            living += usize::from(!self.is_held_dead(voter.node()));
        }
        all > 0 && living * 2 <= all
    }
}
