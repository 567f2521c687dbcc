//! Reads below linearizable: from this node's own copy, whoever leads, if it is as fresh as asked
//! for. Otherwise the leader is asked, which is never behind.

use std::time::Duration;

use evenkeel_shared::error::StoreError;
use evenkeel_shared::key::Slot;
use evenkeel_shared::service::store::{ReadLevel, ReadReply, ReadRequest, Routing, SessionToken};
use evenkeel_shared::version::Position;
use evenkeel_shared::wire::deadline::Deadline;

use super::{Router, no_shards};
use crate::store::group::Group;

/// How long a copy that is behind is waited for, before the leader is asked instead.
const CATCH_UP_MAX: Duration = Duration::from_millis(150);
/// Between two looks at a copy that is behind.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// What a copy is worth now.
enum Worth {
    /// As fresh as asked for; its age where that is known.
    Enough(Option<u64>),
    /// Not yet.
    Behind,
}

impl Router {
    /// Reads this node's copy at the level asked for; `None`: it can't serve that, ask the leader.
    pub(super) async fn read_copy(
        &self,
        request: &ReadRequest,
        slot: Slot,
        deadline: Deadline,
    ) -> Result<Option<ReadReply>, StoreError> {
        let shard = self.facts.borrow().shard_of(request.keyspace, slot).ok_or_else(no_shards)?;
        if let ReadLevel::Session(token) = &request.level
            && let Some(other) = positions(token).find(|seen| seen.shard != shard)
        {
            // The slots were restored, or have moved: that log is not this one's past.
            let why = format!("{} no longer holds the key, {shard} does", other.shard);
            return Err(StoreError::SessionBroken { why });
        }
        let Some(group) = self.replicas.get(shard) else { return Ok(None) };
        // Whoever was passed a request on has nobody else to ask.
        let wait = if request.routing == Routing::Local || group.is_leader() {
            deadline.remaining()
        } else {
            CATCH_UP_MAX.min(deadline.remaining())
        };
        let caught_up = tokio::time::timeout(wait, self.until_worth(&group, &request.level)).await;
        let age_ms = match caught_up {
            Ok(worth) => worth?,
            Err(_) => return Ok(None),
        };
        let given = (request.level.name(), age_ms);
        match self.read_now(&group, request, slot, given) {
            Ok(reply) => Ok(Some(reply)),
            // Damaged, sealed, or not told its slots yet: the leader may serve it.
            Err(StoreError::Unavailable { .. } | StoreError::WrongShard { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Waits until the copy is as fresh as asked for; its age where known.
    pub(super) async fn until_worth(
        &self,
        group: &Group,
        level: &ReadLevel,
    ) -> Result<Option<u64>, StoreError> {
        loop {
            if let Worth::Enough(age_ms) = self.worth(group, level)? {
                return Ok(age_ms);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    fn worth(&self, group: &Group, level: &ReadLevel) -> Result<Worth, StoreError> {
        let applied = group.machine().status().applied_index();
        let freshness = self.leaders.freshness(group.shard());
        let age = freshness.filter(|(_, committed)| applied >= *committed).map(|(age, _)| age);
        let age_ms = age.map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
        Ok(match level {
            ReadLevel::Bounded(limit) => match age_ms {
                Some(age_ms) if age_ms <= u64::from(*limit) => Worth::Enough(Some(age_ms)),
                _ => Worth::Behind,
            },
            ReadLevel::Session(token) => {
                let mut behind = false;
                for seen in positions(token) {
                    behind |= !shows(group, seen)?;
                }
                if behind { Worth::Behind } else { Worth::Enough(age_ms) }
            }
            ReadLevel::Any | ReadLevel::Linearizable | ReadLevel::Default(_) => {
                Worth::Enough(age_ms)
            }
        })
    }
}

/// Everything that a session has seen and written of a shard.
fn positions(token: &SessionToken) -> impl Iterator<Item = &Position> {
    token.seen.iter().chain(&token.provisional)
}

/// Whether the copy has applied what stands at a position; an error if that will never be.
fn shows(group: &Group, seen: &Position) -> Result<bool, StoreError> {
    check_history(group, seen)?;
    let (term, applied) = group.machine().status().applied.unwrap_or_default();
    if applied >= seen.index {
        check_term(group, seen)?;
        return Ok(true);
    }
    if term > seen.term {
        // Terms never fall along a log: whatever will stand there is of a later term.
        let why = format!(
            "entry {} of {} was lost with its leader: the session saw it in term {}, and term \
             {term} went on without it",
            seen.index, seen.shard, seen.term
        );
        return Err(StoreError::SessionBroken { why });
    }
    Ok(false)
}

fn check_history(group: &Group, seen: &Position) -> Result<(), StoreError> {
    let history = group.key().history;
    if history == seen.history {
        return Ok(());
    }
    let why = format!("{} began history {}, the session saw {}", seen.shard, history, seen.history);
    Err(StoreError::SessionBroken { why })
}

/// Another entry stands where the session saw one: what it saw was replaced (safety rule 18).
fn check_term(group: &Group, seen: &Position) -> Result<(), StoreError> {
    let unreadable = |error: crate::store::machine::MachineError| StoreError::Unavailable {
        why: error.to_string(),
    };
    let Some(term) = group.machine().term_at(seen.index).map_err(unreadable)? else {
        let why = format!("entry {} of {} is too old to be known", seen.index, seen.shard);
        return Err(StoreError::SessionBroken { why });
    };
    if term == seen.term {
        return Ok(());
    }
    let why = format!(
        "entry {} of {} was replaced: the session saw it in term {}, it is of term {term}",
        seen.index, seen.shard, seen.term
    );
    Err(StoreError::SessionBroken { why })
}
