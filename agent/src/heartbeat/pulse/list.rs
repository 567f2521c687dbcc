//! One number that stands for a node's list of replicas, so that the list is sent when it changes.

use evenkeel_shared::heartbeat::{RaftRole, ReplicaStatus};

use crate::heartbeat::ports::Held;

/// Changes when a replica comes, goes, or changes its role, term or membership.
pub(super) fn list_mark(held: &[Held], out_of_service: &[ReplicaStatus]) -> u64 {
    let mut mark = 0xcbf2_9ce4_8422_2325_u64;
    let mut mix = |value: u64| mark = (mark ^ value).wrapping_mul(0x0100_0000_01b3);
    for Held { group, epoch, members: (voters, learners), .. } in held {
        mix(u64::from(group.shard.0));
        mix(group.me.0);
        mix(group.term);
        mix(epoch.0);
        mix(u64::from(group.role == RaftRole::Leader));
        mix(*voters as u64 + 31 * *learners as u64);
    }
    for status in out_of_service {
        mix(u64::from(status.shard.0));
        mix(status.replica.0);
        mix(u64::from(status.damaged.is_some()));
    }
    mark
}
