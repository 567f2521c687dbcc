//! One number that stands for a node's list of replicas, so that the list is sent when it changes.

use evenkeel_shared::heartbeat::RaftRole;

use crate::heartbeat::ports::Held;

/// Changes when a replica comes, goes, or changes its role, term or membership.
pub(super) fn list_mark(held: &[Held]) -> u64 {
    let mut mark = 0xcbf2_9ce4_8422_2325_u64;
    let mut mix = |value: u64| mark = (mark ^ value).wrapping_mul(0x0100_0000_01b3);
    for held in held {
        let status = &held.status;
        mix(u64::from(status.shard.0));
        mix(status.replica.0);
        mix(status.term);
        mix(status.epoch.0);
        mix(u64::from(status.role == RaftRole::Leader));
        mix(status.voters.len() as u64 + 31 * status.learners.len() as u64);
    }
    mark
}
