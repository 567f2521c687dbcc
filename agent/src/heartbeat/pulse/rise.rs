//! Leaderships that begin: why, and how long each part of getting there took.
//!
//! Invariant: each is told once; one that was won is told when its parts are known, or after a
//! second without them.

use std::collections::BTreeMap;
use std::time::Duration;

use evenkeel_shared::explain::Phases;
use evenkeel_shared::heartbeat::RaftRole;
use evenkeel_shared::ids::ShardId;

use super::Pulse;
use super::state::State;
use crate::decide::elector::{ElectorAction, Unled};
use crate::heartbeat::ports::Held;
use crate::heartbeat::registry::PulseEvent;

/// How long the last parts may take before a leadership is told without them.
const TELL_AFTER: Duration = Duration::from_secs(1);
/// For how long a candidate that was told to stand, and has not won, does it for that word's sake
/// when it stands again.
const ORDER_MAX: Duration = Duration::from_secs(5);
/// How often they are looked for.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// A shard that nobody leads, as this node sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lost {
    /// Since when it is held unled.
    pub(super) since: Duration,
    /// When the leader's node was last heard.
    pub(super) last_sign: Option<Duration>,
}

/// An election that this node has started.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stood {
    cause: Unled,
    lost: Lost,
    at: Duration,
    /// When this node was told to.
    ordered: Option<Duration>,
}

/// A leadership that was won, and is about to be known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rising {
    term: u64,
    stood: Stood,
    won: Duration,
    published: Option<Duration>,
    written: Option<Duration>,
}

impl Rising {
    fn phases(&self) -> Phases {
        let part =
            |from: Duration, to: Duration| u64::try_from(to.saturating_sub(from).as_micros()).ok();
        let Stood { lost, at, .. } = self.stood;
        Phases {
            detect_us: lost.last_sign.and_then(|sign| part(sign, lost.since)),
            agree_us: part(lost.since, at),
            elect_us: part(at, self.won),
            publish_us: self.published.and_then(|at| part(self.won, at)),
            first_write_us: self.written.and_then(|at| part(self.won, at)),
        }
    }
}

impl State {
    /// Remembers the elections that are started now.
    pub(super) fn note_stands(&mut self, now: Duration, actions: &[ElectorAction]) {
        for action in actions {
            if let ElectorAction::Elect { shard, cause, .. } = action {
                let ordered = self.still_ordered(now, *shard, *cause);
                self.note_stand(now, *shard, (*cause, ordered));
            }
        }
    }

    /// Remembers that this node was told to stand.
    pub(super) fn note_order(&mut self, now: Duration, shard: ShardId) {
        self.note_stand(now, shard, (Unled::Ordered, Some(now)));
    }

    fn note_stand(&mut self, at: Duration, shard: ShardId, why: (Unled, Option<Duration>)) {
        let unknown = Lost { since: at, last_sign: None };
        let lost = self.unled_since.get(&shard).copied().unwrap_or(unknown);
        let (cause, ordered) = why;
        let cause = ordered.map_or(cause, |_| Unled::Ordered);
        self.stood.insert(shard, Stood { cause, lost, at, ordered });
    }

    /// When it was told to stand, if it stands again because that was in vain: all that it knows of its
    /// own term is that nobody leads yet.
    fn still_ordered(&self, now: Duration, shard: ShardId, cause: Unled) -> Option<Duration> {
        let ordered = self.stood.get(&shard)?.ordered?;
        let lately = now.saturating_sub(ordered) < ORDER_MAX;
        (lately && cause == Unled::NoLeader).then_some(ordered)
    }

    /// Another node has heard of these leaderships.
    pub(super) fn note_published(&mut self, now: Duration, claims: &BTreeMap<ShardId, u64>) {
        for (shard, rising) in &mut self.rising {
            if claims.get(shard) == Some(&rising.term) {
                rising.published.get_or_insert(now);
            }
        }
    }
}

impl Pulse {
    /// This node stands for a shard because somebody said so.
    pub fn ordered_to_stand(&self, shard: ShardId) {
        let now = self.now();
        self.lock().note_order(now, shard);
    }

    /// Notices leaderships that have begun, and tells of those whose parts are known.
    pub(super) fn note_leaderships(&self, state: &mut State, now: Duration, held: &[Held]) {
        let leads = |held: &&Held| held.group.role == RaftRole::Leader;
        let leading: BTreeMap<ShardId, u64> =
            held.iter().filter(leads).map(|held| (held.group.shard, held.group.term)).collect();
        for (shard, term) in &leading {
            if state.leading.get(shard) == Some(term) {
                continue;
            }
            // Nobody can ask a leader that nobody has heard of.
            state.next_beat = now;
            let (shard, term) = (*shard, *term);
            match state.stood.remove(&shard) {
                Some(stood) => {
                    let rising = Rising { term, stood, won: now, published: None, written: None };
                    state.rising.insert(shard, rising);
                }
                None => self.tell(PulseEvent::Leads { shard, term, stood: None }),
            }
        }
        state.leading = leading;
        self.tell_risen(state, now, held);
    }

    fn tell_risen(&self, state: &mut State, now: Duration, held: &[Held]) {
        if state.rising.is_empty() {
            return;
        }
        for held in held {
            let Some(rising) = state.rising.get_mut(&held.group.shard) else { continue };
            if held.group.quorum_acked && held.group.term == rising.term {
                rising.written.get_or_insert(now);
            }
        }
        let State { rising, leading, .. } = state;
        rising.retain(|shard, rising| {
            let known = rising.published.is_some() && rising.written.is_some();
            let over = now.saturating_sub(rising.won) > TELL_AFTER;
            if !known && !over && leading.get(shard) == Some(&rising.term) {
                return true;
            }
            let took = rising.won.saturating_sub(rising.stood.lost.since);
            let stood = Some((rising.stood.cause, took, rising.phases()));
            self.tell(PulseEvent::Leads { shard: *shard, term: rising.term, stood });
            false
        });
    }

    /// How long to wait at most while parts are looked for.
    pub(super) fn wait_at_most(state: &State, wait: Duration) -> Duration {
        if state.rising.is_empty() { wait } else { wait.min(LOOK_EVERY) }
    }

    /// Nobody listens any more when the node is stopping.
    pub(super) fn tell(&self, event: PulseEvent) {
        drop(self.events.send(event));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use evenkeel_shared::ids::{NodeId, ShardId};

    use super::State;
    use crate::decide::elector::{ElectorAction, Unled};

    const SHARD: ShardId = ShardId(1);

    /// The cause of the last of several attempts, the first by order at 9 s.
    fn cause_after(attempts: &[(u64, Unled)]) -> Unled {
        let mut state = State::new(1);
        state.note_order(Duration::from_secs(9), SHARD);
        for (second, cause) in attempts {
            let elect = ElectorAction::Elect { shard: SHARD, term: 2, cause: *cause };
            state.note_stands(Duration::from_secs(*second), &[elect]);
        }
        state.stood[&SHARD].cause
    }

    #[test]
    fn who_stands_again_after_an_order_in_vain_does_it_for_that_order() {
        let again = Unled::NoLeader;
        assert_eq!(cause_after(&[(10, again), (13, again)]), Unled::Ordered);
        let dead = Unled::Dead(NodeId(3));
        assert_eq!(cause_after(&[(10, dead)]), dead, "that it knows by itself");
        assert_eq!(cause_after(&[(10, dead), (11, again)]), again, "and goes on from there");
        assert_eq!(
            cause_after(&[(10, again), (13, again), (14, again)]),
            again,
            "for five seconds"
        );
    }
}
