//! Leaders that had better hand over, and copies on nodes that are gone for too long: what the policy
//! has a say in.
//!
//! Invariant: nobody hands over to a node that is no better.

use evenkeel_shared::ids::{NodeId, ReplicaId};
use evenkeel_shared::view::{NodeState, ReplicaRole};

use super::super::facts::{Observed, members, name};
use super::super::plan::{RuleName, Step, StepKind};
use super::Case;

/// What still does not get through after so long is only shown: handing over does not come off, and
/// nothing else is evened out meanwhile.
const TRIED_MS: u64 = 600_000;
/// After so long it is tried again: what stood in the way may be gone.
const TRIED_EVERY_MS: u64 = 3_600_000;

/// Whether something is done about what has not got through for so long.
fn is_tried(for_ms: u64) -> bool {
    for_ms % TRIED_EVERY_MS < TRIED_MS
}

impl Case<'_> {
    /// A leader whose node is not well hands over while it still can.
    pub(super) fn unsteady_leader(&self, leader: ReplicaId) -> Option<Step> {
        let node = leader.node();
        let (rule, what) = match self.observed.state(node) {
            NodeState::Slow if self.observed.has_low_disk(node) => {
                (Some(RuleName::DiskLow), "has a full disk")
            }
            NodeState::Slow => (Some(RuleName::Slow), "is slow"),
            NodeState::Suspect => (Some(RuleName::Suspect), "is not heard by all"),
            NodeState::Maint => (None, "is in maintenance"),
            _ => return None,
        };
        let to = self.heir(leader)?;
        let why = format!("{} {what}", name(self.facts, node));
        let mut step = self.step(StepKind::TransferLeader { from: leader, to }, why);
        step.rule = rule;
        Some(step)
    }

    /// A leader that does not get through to a copy hands over: another one may. That it is tried ends
    /// with the term, or after a while, and everything else that the shard needs comes first. A slow
    /// leader hands over for that, and by that rule.
    pub(super) fn starving_leader(&self, leader: ReplicaId) -> Option<Step> {
        let (copy, still) = self.seen.starved(self.observed)?;
        let slow = self.observed.state(leader.node()) == NodeState::Slow;
        if slow || !is_tried(still.for_ms) {
            return None;
        }
        let linked = |heir: &ReplicaId| self.seen.is_linked(self.observed, *heir);
        let to = self.heir(leader).filter(linked)?;
        let named = |replica: ReplicaId| name(self.facts, replica.node());
        let why = format!("{} gets nothing from {}", named(copy), named(leader));
        let mut step = self.step(StepKind::TransferLeader { from: leader, to }, why);
        step.rule = None;
        Some(step)
    }

    /// A controller that does not hear a node which others hear makes room for one that does: it can't
    /// tell what that node's shards need. That it is tried ends after a while, too.
    pub(super) fn deaf_controller(&self, leader: ReplicaId) -> Result<Option<Step>, String> {
        let Observed { unheard, .. } = self.observed;
        let missed = |by: ReplicaId| unheard.keys().filter(|(deaf, _)| *deaf == by.node()).count();
        let fewer = |heir: &ReplicaId| missed(*heir) < missed(leader);
        let linked = |heir: &ReplicaId| self.seen.is_linked(self.observed, *heir);
        let mut heirs = self.heirs(leader);
        heirs.retain(|heir| fewer(heir) && linked(heir));
        let named = |node: NodeId| name(self.facts, node);
        let by = named(leader.node());
        let mut complaint = Ok(None);
        for node in self.observed.deaf_to(leader.node()) {
            let heard = |heir: &&ReplicaId| !unheard.contains_key(&(heir.node(), node));
            let best = heirs.iter().filter(heard).min_by_key(|heir| (missed(**heir), **heir));
            let tried = unheard.get(&(leader.node(), node)).is_none_or(|ms| is_tried(*ms));
            let Some(to) = best.copied().filter(|_| tried) else {
                complaint = Err(format!("{by} does not hear {}, which others do", named(node)));
                continue;
            };
            let why =
                format!("{by} does not hear {}, which {} does", named(node), named(to.node()));
            let mut step = self.step(StepKind::TransferLeader { from: leader, to }, why);
            step.rule = None;
            return Ok(Some(step));
        }
        complaint
    }

    /// The voter on a node that is well, and if there is one, which got through to all others of late.
    /// By turns, so that what one node led does not all go to another.
    fn heir(&self, leader: ReplicaId) -> Option<ReplicaId> {
        let mut heirs = self.heirs(leader);
        let linked = |heir: &ReplicaId| self.seen.is_linked(self.observed, *heir);
        if heirs.iter().any(linked) {
            heirs.retain(linked);
        }
        let turn = usize::try_from(self.shard.id.0).unwrap_or(0);
        heirs.get(turn.checked_rem(heirs.len())?).copied()
    }

    /// Voters on nodes that are well.
    fn heirs(&self, leader: ReplicaId) -> Vec<ReplicaId> {
        let fit = |heir: &ReplicaId| {
            *heir != leader
                && self.observed.state(heir.node()) == NodeState::Up
                && !self.observed.is_unsteady(heir.node())
                && self.seen.caught_up(*heir)
                && self.seen.has_majority(self.observed, *heir)
        };
        self.seen.voters.iter().copied().filter(fit).collect()
    }

    /// Hands leadership to the voter that is best placed to take it.
    pub(super) fn hand_over(&self, from: ReplicaId, why: &str) -> Option<Step> {
        let heirs = self.seen.voters.iter().copied().filter(|heir| {
            let leads = self.seen.has_majority(self.observed, *heir);
            *heir != from && leads && self.seen.caught_up(*heir)
        });
        let to = heirs.min_by_key(|heir| {
            let behind = self.seen.replicas.get(heir).and_then(|seen| seen.lag);
            let linked = self.seen.is_linked(self.observed, *heir);
            let suspected = !self.observed.lives(heir.node());
            (self.goes(*heir).is_some(), !linked, suspected, behind, *heir)
        })?;
        Some(self.step(StepKind::TransferLeader { from, to }, why.to_owned()))
    }

    /// For how long a node has been DOWN, in milliseconds, when that is longer than it is waited
    /// for. One that is worked on is waited for.
    pub(super) fn down_too_long(&self, node: NodeId) -> Option<u64> {
        self.gone_for(node).filter(|_| self.replaces_lost)
    }

    /// The same, whether it may be replaced now or waits for a word.
    fn gone_for(&self, node: NodeId) -> Option<u64> {
        let down = self.observed.in_state_ms(node);
        let over = self.observed.state(node) == NodeState::Down && down > self.grace_ms();
        let maintained = || self.facts.recovery.maintains(node, self.observed.at_unix_ms);
        (over && maintained().is_none()).then_some(down)
    }

    /// Whether something about a voter waits for a word, so that it is not known yet which copy is one
    /// too many: that of a voter that is gone may be, or a leader would have to hand over for it.
    pub(super) fn awaits_word(&self) -> bool {
        let mut nodes = self.seen.voters.iter().map(|voter| voter.node());
        let gone = !self.replaces_lost && nodes.any(|node| self.gone_for(node).is_some());
        gone || !self.moves_leader
    }

    /// Which rule stands behind whatever is done for this shard.
    pub(super) fn rule(&self) -> Option<RuleName> {
        if !members(self.shard, ReplicaRole::Lost).is_empty() {
            // Damage is mended whatever the policy says of nodes that are gone.
            return None;
        }
        let replicas = self.seen.voters.iter().chain(self.shard.replicas.keys());
        let gone = replicas.map(|replica| replica.node());
        let gone = gone.filter(|node| self.down_too_long(*node).is_some());
        gone.map(|node| if self.is_zone_lost(node) { RuleName::ZoneLost } else { RuleName::Down })
            .max()
    }

    /// Whether no node of this one's zone is left, and there are other zones.
    fn is_zone_lost(&self, node: NodeId) -> bool {
        let Some(zone) = self.zone(node) else { return false };
        let all = || self.facts.nodes.values();
        let others = all().any(|other| other.zone != zone);
        let several = all().filter(|other| other.zone == zone).count() > 1;
        let down = |id: NodeId| self.observed.state(id) == NodeState::Down;
        others && several && all().filter(|other| other.zone == zone).all(|other| down(other.id))
    }
}
