//! Steps carried out at once and in full, on facts and observation alone: to look ahead, and in tests.
//!
//! A copy that is given out is there and caught up as soon as its leader feeds it.

use evenkeel_shared::ids::{Epoch, ReplicaId};
use evenkeel_shared::view::{ClusterFacts, ReplicaFacts, ReplicaRole, ShardFacts};

use super::facts::{Observed, ReplicaObserved};
use super::plan::{Step, StepKind};

/// Does what a step says; nothing, if its shard is not there.
pub(super) fn carry_out(facts: &mut ClusterFacts, observed: &mut Observed, step: &Step) {
    let Some(seen) = observed.shards.get_mut(&step.shard) else { return };
    let Some(shard) = facts.shards.get_mut(&step.shard) else { return };
    let before = seen.voters.clone();
    match &step.kind {
        StepKind::AddReplica { node } => {
            let replica = ReplicaId::new(*node, facts.next.replica);
            facts.next.replica += 1;
            set(shard, replica, ReplicaRole::Learner);
        }
        StepKind::AddLearner { replica } => {
            seen.learners.insert(*replica);
            let caught_up = ReplicaObserved { lag: Some(0), ..ReplicaObserved::default() };
            seen.replicas.insert(*replica, caught_up);
        }
        StepKind::Promote { replicas, replaces } => {
            for replica in replicas {
                seen.learners.remove(replica);
                seen.voters.insert(*replica);
                set(shard, *replica, ReplicaRole::Voter);
            }
            for replica in replaces {
                seen.voters.remove(replica);
                seen.learners.insert(*replica);
                set(shard, *replica, ReplicaRole::Learner);
            }
        }
        StepKind::Demote { replicas } => {
            for replica in replicas {
                seen.voters.remove(replica);
                seen.learners.insert(*replica);
                set(shard, *replica, ReplicaRole::Learner);
            }
        }
        StepKind::Remove { replica } => {
            seen.learners.remove(replica);
            seen.replicas.remove(replica);
            shard.replicas.remove(replica);
        }
        StepKind::Lose { replica } => {
            set(shard, *replica, ReplicaRole::Lost);
            seen.unfit.insert(*replica);
        }
        StepKind::TransferLeader { to, .. } => {
            seen.leader = Some(*to);
            seen.term += 1;
        }
    }
    if before != seen.voters {
        seen.epoch = Epoch(seen.epoch.0 + 1);
    }
}

/// What is lost stays so.
fn set(shard: &mut ShardFacts, replica: ReplicaId, role: ReplicaRole) {
    let known = shard.replicas.entry(replica).or_insert(ReplicaFacts { role });
    if known.role != ReplicaRole::Lost {
        known.role = role;
    }
}
