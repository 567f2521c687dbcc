//! Which of this node's leaderships a majority of voters backs (safety rule 7): a voter backs one
//! whose node has answered a heartbeat lately and did not object.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use evenkeel_shared::ids::{NodeId, ReplicaId};

use super::registry::PeerRecord;
use crate::decide::elector::{GroupFacts, is_majority};

/// An answer older than this backs nothing: ten heartbeats.
pub(super) const BACKING_MAX_AGE: Duration = Duration::from_secs(1);

/// Whether the leadership of this group is backed.
pub(super) fn is_backed(
    now: Duration,
    group: &GroupFacts,
    peers: &BTreeMap<NodeId, PeerRecord>,
) -> bool {
    let backs = |replica: &ReplicaId| {
        *replica == group.me
            || peers.get(&replica.node()).is_some_and(|peer| {
                let fresh = |(at, _)| now.saturating_sub(at) <= BACKING_MAX_AGE;
                peer.answered.is_some_and(fresh) && !peer.unbacked.contains(&group.shard)
            })
    };
    let backing: BTreeSet<ReplicaId> =
        group.effective.iter().flatten().filter(|replica| backs(replica)).copied().collect();
    is_majority(&group.effective, &backing)
}
