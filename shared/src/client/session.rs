//! What a session has seen and written: for each shard, how far its log had got in the freshest
//! copy that was read or written, and where provisional writes stand. Advanced on every reply,
//! found or not (safety rule 18).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use crate::ids::ShardId;
use crate::service::store::SessionToken;
use crate::version::Position;
use crate::view::SyncPolicy;

/// Terms of one shard in which a session may have unconfirmed writes: a token must stay small.
const PROVISIONAL_TERMS_MAX: usize = 8;

/// How fresh a read must be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Freshness {
    /// As the keyspace says.
    #[default]
    Default,
    /// Sees every write acknowledged before the read began.
    Linearizable,
    /// Sees all that the session has seen and written.
    Session,
    /// Sees every write acknowledged longer ago than this.
    Bounded(Duration),
    /// Whatever the nearest copy has.
    Any,
}

/// What has been seen and written. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Session(Arc<Mutex<BTreeMap<ShardId, SessionToken>>>);

impl Session {
    /// A session that goes on where these tokens were.
    pub fn at(tokens: impl IntoIterator<Item = SessionToken>) -> Self {
        let shard = |token: &SessionToken| {
            token.seen.iter().chain(&token.provisional).next().map(|position| position.shard)
        };
        let known = tokens.into_iter().filter_map(|token| Some((shard(&token)?, token)));
        Self(Arc::new(Mutex::new(known.collect())))
    }

    /// Everything that has been seen and written.
    pub fn tokens(&self) -> Vec<SessionToken> {
        self.lock().values().cloned().collect()
    }

    /// What is known of a shard.
    pub fn token(&self, shard: ShardId) -> Option<SessionToken> {
        self.lock().get(&shard).cloned()
    }

    /// Whether a further provisional write could not be kept track of.
    pub(super) fn is_full(&self, shard: ShardId) -> bool {
        let seen = self.lock();
        seen.get(&shard).is_some_and(|token| token.provisional.len() >= PROVISIONAL_TERMS_MAX)
    }

    /// Takes what a reply shows. It never goes back within a history; in another one, what was
    /// seen before says nothing.
    pub fn saw(&self, position: Option<Position>) {
        let Some(position) = position else { return };
        let mut seen = self.lock();
        let token = seen.entry(position.shard).or_default();
        if !token.seen.is_some_and(|known| known.covers(&position)) {
            token.seen = Some(position);
        }
        // An entry of that term stands, and so does everything before it in the same term.
        token.provisional.retain(|written| !is_confirmed(written, &position));
    }

    /// Takes what the reply to a write shows.
    pub fn wrote(&self, position: Option<Position>, sync: SyncPolicy) {
        match sync {
            SyncPolicy::Leader => self.wrote_provisionally(position),
            SyncPolicy::Quorum | SyncPolicy::All => self.saw(position),
        }
    }

    /// Begins anew with a shard: what was seen and written there is given up.
    pub fn forget(&self, shard: ShardId) {
        self.lock().remove(&shard);
    }

    /// Takes where a write stands that only the leader's disk has.
    fn wrote_provisionally(&self, position: Option<Position>) {
        let Some(position) = position else { return };
        let mut seen = self.lock();
        let written = &mut seen.entry(position.shard).or_default().provisional;
        let same = |known: &&mut Position| {
            (known.history, known.term) == (position.history, position.term)
        };
        match written.iter_mut().find(same) {
            Some(known) => known.index = known.index.max(position.index),
            None => written.push(position),
        }
    }

    /// A copy has shown all that this token asked for: what it held of provisional writes stands.
    pub fn confirmed(&self, shown: &SessionToken) {
        for position in &shown.provisional {
            if let Some(token) = self.lock().get_mut(&position.shard) {
                token.provisional.retain(|written| !is_confirmed(written, position));
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ShardId, SessionToken>> {
        self.0.lock().expect("no holder of this lock panics")
    }
}

fn is_confirmed(written: &Position, stands: &Position) -> bool {
    (written.history, written.term) == (stands.history, stands.term)
        && written.index <= stands.index
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::History;

    fn position(history: u64, term: u64, index: u64) -> Position {
        let history = History { number: history, salt: 1 };
        Position { shard: ShardId(1), history, term, index }
    }

    fn seen(session: &Session) -> Option<Position> {
        session.token(ShardId(1))?.seen
    }

    fn provisional(session: &Session) -> Vec<Position> {
        session.token(ShardId(1)).unwrap_or_default().provisional
    }

    #[test]
    fn rule_18_a_session_never_goes_back() {
        let session = Session::default();
        for seen in [position(1, 2, 10), position(1, 2, 7), position(1, 1, 99)] {
            session.saw(Some(seen));
        }
        assert_eq!(seen(&session), Some(position(1, 2, 10)));
        session.saw(Some(position(1, 3, 11)));
        session.saw(None);
        assert_eq!(seen(&session), Some(position(1, 3, 11)));
        session.saw(Some(position(2, 1, 1)));
        assert_eq!(seen(&session), Some(position(2, 1, 1)), "another history");
        assert_eq!(session.token(ShardId(2)), None);
    }

    #[test]
    fn rule_18_a_provisional_write_is_remembered_until_its_term_is_seen_beyond_it() {
        let session = Session::default();
        session.wrote_provisionally(Some(position(1, 5, 100)));
        session.saw(Some(position(1, 6, 120)));
        session.saw(Some(position(1, 5, 99)));
        assert_eq!(provisional(&session), [position(1, 5, 100)], "nothing of term 5 beyond it");
        session.wrote_provisionally(Some(position(1, 6, 121)));
        session.wrote_provisionally(Some(position(1, 6, 119)));
        assert_eq!(provisional(&session), [position(1, 5, 100), position(1, 6, 121)]);
        session.saw(Some(position(1, 6, 121)));
        assert_eq!(provisional(&session), [position(1, 5, 100)]);
        let token = session.token(ShardId(1)).unwrap();
        session.wrote_provisionally(Some(position(1, 5, 101)));
        session.confirmed(&token);
        assert_eq!(provisional(&session), [position(1, 5, 101)], "written after the read began");
    }

    #[test]
    fn a_session_goes_on_where_its_tokens_were() {
        let session = Session::default();
        session.saw(Some(position(1, 2, 10)));
        session.wrote_provisionally(Some(position(1, 2, 11)));
        let again = Session::at(session.tokens());
        assert_eq!(again.tokens(), session.tokens());
        assert!(!again.is_full(ShardId(1)));
        for term in 3..10 {
            again.wrote_provisionally(Some(position(1, term, 20)));
        }
        assert!(again.is_full(ShardId(1)));
    }
}
