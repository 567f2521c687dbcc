//! One number that stands for a node's list of replicas, so that the list is sent when it changes.

use evenkeel_shared::heartbeat::{RaftRole, ReplicaStatus};

/// Changes when a replica comes, goes, or changes its role, term or membership.
pub(super) fn list_mark<'a>(list: impl Iterator<Item = &'a ReplicaStatus>) -> u64 {
    let mut mark = 0xcbf2_9ce4_8422_2325_u64;
    let mut mix = |value: u64| mark = (mark ^ value).wrapping_mul(0x0100_0000_01b3);
    for status in list {
        mix(u64::from(status.shard.0));
        mix(status.replica.0);
        mix(status.term);
        mix(status.epoch.0);
        mix(u64::from(status.role == RaftRole::Leader) + 2 * u64::from(status.damaged.is_some()));
        mix(status.voters.len() as u64 + 31 * status.learners.len() as u64);
    }
    mark
}
