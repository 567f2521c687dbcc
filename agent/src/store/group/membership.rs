//! Changes of a shard's membership, each naming the membership that it replaces (safety rule 14).

use std::collections::{BTreeMap, BTreeSet};

use evenkeel_shared::error::StoreError;
use evenkeel_shared::ids::ReplicaId;
use openraft::raft::Precondition;
use openraft::{ChangeMembers, EmptyNode};

use super::Group;
use crate::store::raft::StoredMembership;

type Change = ChangeMembers<ReplicaId, EmptyNode>;

impl Group {
    /// Lets a replica receive the log without counting; harmless when it does already.
    pub async fn add_learner(&self, replica: ReplicaId) -> Result<(), StoreError> {
        let now = self.metrics().membership_config.clone();
        if now.membership().nodes().any(|(known, _)| *known == replica) {
            return Ok(());
        }
        #[expect(clippy::zero_sized_map_values, reason = "openraft keeps members in a map")]
        let nodes = BTreeMap::from([(replica, EmptyNode::default())]);
        self.change(&now, ChangeMembers::AddNodes(nodes)).await
    }

    /// Lets a learner go; harmless when it has gone.
    pub async fn remove_learner(&self, replica: ReplicaId) -> Result<(), StoreError> {
        let now = self.metrics().membership_config.clone();
        if !now.membership().nodes().any(|(known, _)| *known == replica) {
            return Ok(());
        }
        if now.membership().voter_ids().any(|voter| voter == replica) {
            let why = format!("{replica} is a voter of {}: demote it first", self.key.shard);
            return Err(StoreError::Refused { why });
        }
        self.change(&now, ChangeMembers::RemoveNodes(BTreeSet::from([replica]))).await
    }

    /// Makes exactly `to` the voters, if they are `from` now. Voters that leave stay as learners
    /// until they are removed.
    pub async fn change_voters(
        &self,
        from: &[ReplicaId],
        to: &[ReplicaId],
    ) -> Result<(), StoreError> {
        let now = self.metrics().membership_config.clone();
        let voters: BTreeSet<ReplicaId> = now.membership().voter_ids().collect();
        let (from, to): (BTreeSet<_>, BTreeSet<_>) =
            (from.iter().copied().collect(), to.iter().copied().collect());
        if voters == to && now.membership().get_joint_config().len() == 1 {
            return Ok(());
        }
        if voters != from {
            let why = format!("the voters of {} are not what the plan says", self.key.shard);
            return Err(StoreError::Refused { why });
        }
        if !to.contains(&self.key.replica) {
            let why =
                format!("{} leads {}: move leadership first", self.key.replica, self.key.shard);
            return Err(StoreError::Refused { why });
        }
        self.change(&now, ChangeMembers::ReplaceAllVoters(to)).await
    }

    /// Finishes a change that a leader before this one began: a committed joint membership is
    /// flattened before anything else.
    pub async fn flatten_joint(&self) -> Result<(), StoreError> {
        let metrics = self.metrics();
        let committed = metrics.committed_membership_config.membership();
        let Some(target) = committed.get_joint_config().last() else { return Ok(()) };
        if committed.get_joint_config().len() < 2 || !self.is_leader() {
            return Ok(());
        }
        let change = ChangeMembers::ReplaceAllVoters(target.clone());
        self.change(&metrics.membership_config, change).await
    }

    /// Runs in a task of its own: a caller that gives up must not leave the shard joint.
    async fn change(&self, now: &StoredMembership, change: Change) -> Result<(), StoreError> {
        let condition = Precondition::LastMembershipLogId { last_membership_log_id: *now.log_id() };
        let (raft, shard) = (self.raft.clone(), self.key.shard);
        let done =
            tokio::spawn(async move { raft.change_membership_if(change, true, [condition]).await });
        match done.await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(StoreError::Unknown { why: format!("{shard}: {error}") }),
            Err(error) => Err(StoreError::Unknown { why: format!("{shard}: {error}") }),
        }
    }
}
