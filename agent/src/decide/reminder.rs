//! Whom a leader owes a word. A replica that comes back may hold every entry and not know that
//! they are committed; an idle leader says nothing, since no tick of Raft's own does.
//!
//! Invariant: judged by what the replica itself says, again and again, so that one word that got
//! lost delays it and nothing more.

use std::time::Duration;

/// A commit index that rested for this long has reached every follower that listens.
const REST: Duration = Duration::from_millis(300);

/// What a leader knew to be committed at its heartbeats, and since when it is that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    index: u64,
    since: Duration,
}

impl Committed {
    /// At the next heartbeat.
    pub fn update(before: Option<Self>, now: Duration, index: u64) -> Self {
        before.filter(|known| known.index == index).unwrap_or(Self { index, since: now })
    }

    /// Whether a replica that says now how much it has applied must be sent an append.
    pub fn is_owed_to(&self, now: Duration, applied: u64) -> bool {
        applied < self.index && now.saturating_sub(self.since) >= REST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn a_replica_behind_a_resting_leader_is_owed_a_word() {
        let mut known = None;
        for beat in 0..=4 {
            known = Some(Committed::update(known, ms(100 * beat), 7));
        }
        let known = known.unwrap();
        assert!(known.is_owed_to(ms(400), 6));
        assert!(!known.is_owed_to(ms(400), 7), "it knows");
        assert!(!known.is_owed_to(ms(400), 8), "it knows more");
    }

    #[test]
    fn a_busy_leader_owes_nothing_its_appends_say_it() {
        let mut known = None;
        for beat in 0..=40 {
            known = Some(Committed::update(known, ms(100 * beat), beat));
        }
        assert!(!known.unwrap().is_owed_to(ms(4_100), 2));
    }
}
