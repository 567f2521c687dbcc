//! Which shards come first, which are left alone, and whether all of them must be looked at.
//!
//! Invariant: whatever waits for an operator's word is never left out for want of its turn.

use evenkeel_shared::ids::ReplicaId;
use evenkeel_shared::view::{ClusterFacts, NodeState, RecoveryPolicy, Rule};

use super::super::facts::{Observed, name};
use super::super::plan::{Plan, RuleName};
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

    /// Puts what the shard needs where the policy wants it. What waits for a word does not hold up what
    /// has nothing to do with it.
    pub(super) fn sort_into(mut self, plan: &mut Plan) {
        let mut decided = self.decide();
        if let Err(why) = &decided {
            plan.declined.push((self.shard.id, why.clone()));
        }
        while let Ok(Some(step)) = decided {
            let (rule, acts) = (step.rule, plan.steps.len());
            plan.sort([step], self.facts, self.observed.at_unix_ms);
            let waits = plan.steps.len() == acts;
            let part = match rule.filter(|_| waits) {
                Some(RuleName::Down | RuleName::ZoneLost) => &mut self.replaces_lost,
                Some(RuleName::Slow | RuleName::Suspect | RuleName::DiskLow) => {
                    &mut self.moves_leader
                }
                None => return,
            };
            if !std::mem::replace(part, false) {
                return;
            }
            decided = self.decide();
        }
    }

    /// Why nothing can be done under its leader, which gets through to too few: until another leads, it
    /// can change nothing.
    pub(super) fn unled(&self, leader: ReplicaId) -> Option<String> {
        let (led, voters) = (self.led(), self.seen.voters.len());
        let by = name(self.facts, leader.node());
        (led < self.seen.quorum()).then(|| {
            format!("{by} gets through to {led} of {voters} voters, itself among them: no majority")
        })
    }

    /// Voters that the leader gets through to, itself among them.
    fn led(&self) -> usize {
        self.seen.led_voters(self.observed, |_| false)
    }

    /// Copies that can be lost before the shard loses its majority.
    pub(super) fn spare(&self) -> usize {
        self.led().saturating_sub(self.seen.quorum())
    }
}
