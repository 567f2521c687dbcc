//! Which shards come first, which are left alone, and whether all of them must be looked at.
//!
//! Invariant: whatever waits for an operator's word is never left out for want of its turn.

use evenkeel_shared::view::{ClusterFacts, NodeState, RecoveryPolicy, Rule};

use super::super::facts::Observed;
use super::Case;

/// Why a shard without a leader is left alone.
pub(super) const NO_LEADER: &str = "no leader";

/// Whether every step is done in its turn: nothing waits for a word, so that those beyond what may
/// be done at once need not be worked out yet.
pub(super) fn in_turn(facts: &ClusterFacts, observed: &Observed, policy: &RecoveryPolicy) -> bool {
    let rules = &policy.rules;
    let acting = [rules.down, rules.zone_lost, rules.slow, rules.disk_low];
    let suspected = || observed.nodes.values().any(|node| node.state == NodeState::Suspect);
    facts.recovery.decisions.is_empty()
        && policy.keyspaces.values().all(|care| care.down.is_none())
        && acting.iter().all(|rule| *rule == Rule::Act)
        && (rules.suspect == Rule::Act || !suspected())
}

impl Case<'_> {
    /// Why nothing may be done for the shard at all.
    pub(super) fn doubt(&self) -> Option<String> {
        if self.seen.leader.is_none() {
            return Some(NO_LEADER.to_owned());
        }
        let live = self.seen.answering(self.observed);
        let voters = self.seen.voters.len();
        let majority = live >= self.seen.quorum();
        (!majority).then(|| format!("only {live} of {voters} voters live: no majority"))
    }

    /// Copies that can be lost before the shard loses its majority.
    pub(super) fn spare(&self) -> usize {
        self.seen.led_voters(self.observed, |_| false).saturating_sub(self.seen.quorum())
    }
}
