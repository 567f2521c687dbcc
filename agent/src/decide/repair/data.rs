//! A data shard's copies: as many as its keyspace wants, where they are placed best.
//!
//! Invariant: a copy goes only when what is left has a majority, and another is as good.

use evenkeel_shared::ids::ReplicaId;
use evenkeel_shared::view::ReplicaRole;

use super::super::facts::{members, name, wanted};
use super::super::placement::{crowding, share};
use super::super::plan::{Step, StepKind};
use super::Case;

impl Case<'_> {
    pub(super) fn data(&self, leader: ReplicaId) -> Result<Option<Step>, String> {
        if let Some(step) = self.unfed_learner() {
            return Ok(Some(step));
        }
        let leaving = self.leaving(&self.seen.voters);
        // A lost copy only weighs on the quorum: it goes before there is another.
        let lost = members(self.shard, ReplicaRole::Lost);
        if let Some((old, why)) = leaving.iter().find(|(old, _)| lost.contains(old)) {
            return Ok(self.replace(leader, *old, None, why, true));
        }
        let staying = self.seen.voters.len() - leaving.len();
        let learners = self.keepable_learners();
        if let Some((gone, why)) = self.leaving(&self.learners()).first() {
            return Ok(Some(self.step(StepKind::Remove { replica: *gone }, why.clone())));
        }
        let target = wanted(self.facts, self.shard);
        let ready = learners.iter().copied().find(|replica| self.seen.caught_up(*replica));
        if staying + learners.len() < target {
            let short = || format!("{staying} of {target} copies");
            let why = leaving.first().map_or_else(short, |(_, why)| why.clone());
            match self.add_replica(&why) {
                Ok(step) => return Ok(Some(step)),
                Err(why) if ready.is_none() => return Err(why),
                // Not all can be replaced; one that is ready is better than none.
                Err(_) => {}
            }
        }
        if let Some((old, why)) = leaving.first() {
            return Ok(self.replace(leader, *old, ready, why, staying >= target));
        }
        let Some(learner) = learners.first() else {
            return Ok(self.surplus(leader, staying, target));
        };
        let Some(ready) = ready else { return Ok(None) };
        if staying < target {
            let kind = StepKind::Promote { replicas: vec![ready], replaces: Vec::new() };
            return Ok(self.safe(kind, format!("{staying} of {target} copies")));
        }
        if self.awaits_word() {
            return Ok(None);
        }
        // One copy more than wanted, and all are well: the worst placed one goes.
        let worst = self.worst(self.seen.voters.iter().copied().chain([*learner]));
        match worst {
            Some(worst) if worst != *learner => {
                let why = format!("{} is better placed", name(self.facts, ready.node()));
                Ok(self.let_go(worst, self.replace(leader, worst, Some(ready), &why, false)))
            }
            _ => {
                let why = "one copy more than wanted".to_owned();
                let step = self.step(StepKind::Remove { replica: *learner }, why);
                Ok(self.let_go(*learner, Some(step)))
            }
        }
    }

    /// Takes a voter out, in exchange for a learner that is ready; the leader hands over first.
    fn replace(
        &self,
        leader: ReplicaId,
        old: ReplicaId,
        ready: Option<ReplicaId>,
        why: &str,
        spare: bool,
    ) -> Option<Step> {
        if ready.is_none() && !spare {
            return None;
        }
        if old == leader {
            return self.hand_over(leader, why);
        }
        let kind = match ready {
            Some(new) => StepKind::Promote { replicas: vec![new], replaces: vec![old] },
            None => StepKind::Demote { replicas: vec![old] },
        };
        self.safe(kind, why.to_owned())
    }

    fn surplus(&self, leader: ReplicaId, staying: usize, target: usize) -> Option<Step> {
        if staying <= target || self.awaits_word() {
            return None;
        }
        let worst = self.worst(self.seen.voters.iter().copied())?;
        let why = format!("{staying} copies, {target} wanted");
        self.let_go(worst, self.replace(leader, worst, None, &why, true))
    }

    fn keepable_learners(&self) -> Vec<ReplicaId> {
        let mut learners = self.learners();
        learners.retain(|replica| self.goes(*replica).is_none());
        learners
    }

    /// Learners in the shard's own log, and those given out that are not in it yet.
    fn learners(&self) -> Vec<ReplicaId> {
        let mut all = members(self.shard, ReplicaRole::Learner);
        all.extend(members(self.shard, ReplicaRole::Lost));
        all.extend(&self.seen.learners);
        all.retain(|replica| !self.seen.voters.contains(replica));
        all.into_iter().collect()
    }

    /// The copy whose zone is most crowded, then whose node holds most for its capacity.
    fn worst(&self, copies: impl Iterator<Item = ReplicaId>) -> Option<ReplicaId> {
        let copies: Vec<ReplicaId> = copies.collect();
        let zones: Vec<&str> = copies.iter().filter_map(|copy| self.zone(copy.node())).collect();
        let held = self.takers();
        copies.into_iter().max_by_key(|copy| {
            let zone = self.zone(copy.node()).unwrap_or_default();
            let load = held.iter().find(|node| node.node == copy.node());
            let load = load.map_or(u64::MAX, |node| share(node.holds, node.capacity));
            // Between equals the leader stays, so that nothing has to be handed over.
            let follows = self.seen.leader != Some(*copy);
            (!self.seen.is_fed(*copy), crowding(self.zones(), &zones, zone), load, follows, *copy)
        })
    }

    /// Counts a copy out that a step takes away: or all shards of one plan would take from whoever
    /// has most now.
    fn let_go(&self, copy: ReplicaId, step: Option<Step>) -> Option<Step> {
        let goes =
            step.as_ref().is_some_and(|step| !matches!(step.kind, StepKind::TransferLeader { .. }));
        let mut takers = self.takers();
        let giver = takers.iter_mut().find(|node| goes && node.node == copy.node());
        if let Some(giver) = giver {
            giver.holds = giver.holds.saturating_sub(1);
        }
        step
    }
}
