//! What is remembered between the attempts of one request, and when another attempt is of no use. An
//! outcome that may be is never forgotten for a later refusal.

use evenkeel_shared::error::StoreError;
use evenkeel_shared::ids::{NodeId, ShardId};
use evenkeel_shared::view::ReplicaRole;
use evenkeel_shared::wire::deadline::Deadline;

use super::{LOOK_AGAIN, Router};

/// What is remembered between the attempts of one request.
pub(super) struct Retry {
    pub(super) deadline: Deadline,
    /// What an attempt said whose outcome is not known: later refusals don't undo it.
    pub(super) unknown: Option<StoreError>,
    /// Whether this attempt came at once after the one before.
    at_once: bool,
}

impl Retry {
    pub(super) fn new(deadline: Deadline) -> Self {
        Self { deadline, unknown: None, at_once: false }
    }

    /// Whether the next attempt can go to the leader that was named, without a pause: the first in a
    /// row, for two nodes may name each other while neither has heard of the heir.
    fn follows(&mut self, error: &StoreError, next: Option<NodeId>) -> bool {
        let named = match error {
            StoreError::NotLeader { leader, .. } => *leader,
            _ => None,
        };
        self.at_once = !self.at_once && named.is_some() && named == next;
        self.at_once
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
        // Whoever has just handed a shard over knows the heir.
        let next =
            shard.and_then(|shard| router.leader_of(shard)).filter(|next| *next != router.me);
        if self.follows(&error, next) {
            return Ok(());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leader_that_was_named_is_asked_at_once_and_only_once_in_a_row() {
        let mut retry = Retry::new(Deadline::after(std::time::Duration::from_secs(1)));
        let named = |leader| StoreError::NotLeader { shard: ShardId(1), leader };
        let (one, two) = (Some(NodeId(1)), Some(NodeId(2)));
        assert!(retry.follows(&named(one), one));
        assert!(!retry.follows(&named(two), two), "two nodes may name each other");
        assert!(retry.follows(&named(one), one), "after a pause");
        let mut retry = Retry::new(Deadline::after(std::time::Duration::from_secs(1)));
        assert!(!retry.follows(&named(one), two), "that is not where the next attempt goes");
        assert!(!retry.follows(&named(None), None));
        assert!(!retry.follows(&StoreError::NoQuorum { shard: ShardId(1) }, one));
    }
}
