//! What a session has seen: for each shard, how far its log had got in the freshest copy that was
//! read or written. Advanced on every reply, found or not (safety rule 18).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use crate::ids::ShardId;
use crate::version::Position;

/// How fresh a read must be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Freshness {
    /// Sees every write acknowledged before the read began.
    #[default]
    Linearizable,
    /// Sees all that the session has seen and written.
    Session,
    /// Sees every write acknowledged longer ago than this.
    Bounded(Duration),
    /// Whatever the nearest copy has.
    Any,
}

/// What has been seen. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Session(Arc<Mutex<BTreeMap<ShardId, Position>>>);

impl Session {
    /// A session that goes on where these positions were.
    pub fn at(positions: impl IntoIterator<Item = Position>) -> Self {
        let session = Self::default();
        for position in positions {
            session.saw(Some(position));
        }
        session
    }

    /// Everything that has been seen.
    pub fn positions(&self) -> Vec<Position> {
        self.lock().values().copied().collect()
    }

    /// How far a shard has been seen.
    pub fn position(&self, shard: ShardId) -> Option<Position> {
        self.lock().get(&shard).copied()
    }

    /// Takes what a reply shows. It never goes back within a history; in another one, what was
    /// seen before says nothing.
    pub(super) fn saw(&self, position: Option<Position>) {
        let Some(position) = position else { return };
        let mut seen = self.lock();
        let known = seen.entry(position.shard).or_insert(position);
        if !known.covers(&position) {
            *known = position;
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ShardId, Position>> {
        self.0.lock().expect("no holder of this lock panics")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::History;

    fn position(history: u64, term: u64, index: u64) -> Position {
        let history = History { number: history, salt: 1 };
        Position { shard: ShardId(1), history, term, index }
    }

    #[test]
    fn rule_18_a_session_never_goes_back() {
        let session = Session::default();
        for seen in [position(1, 2, 10), position(1, 2, 7), position(1, 1, 99)] {
            session.saw(Some(seen));
        }
        assert_eq!(session.position(ShardId(1)), Some(position(1, 2, 10)));
        session.saw(Some(position(1, 3, 11)));
        session.saw(None);
        assert_eq!(session.positions(), [position(1, 3, 11)]);
        session.saw(Some(position(2, 1, 1)));
        assert_eq!(session.position(ShardId(1)), Some(position(2, 1, 1)), "another history");
        assert_eq!(session.position(ShardId(2)), None);
    }
}
