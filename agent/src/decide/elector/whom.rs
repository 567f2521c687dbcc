//! Whom to ask, and numbers that look random.
//!
//! Invariant: the dead are asked only where no majority is possible without them.

use std::collections::BTreeSet;

use evenkeel_shared::ids::{NodeId, ReplicaId};

use super::facts::{GroupFacts, Peers, is_majority};

pub(super) fn alive(node: NodeId, peers: &Peers) -> bool {
    !peers.get(&node).is_some_and(|peer| peer.dead)
}

/// The nodes of everyone who may win, this one and the dead left out; the dead are asked too when
/// no majority is possible without them, since a verdict may be wrong.
pub(super) fn whom_to_ask(group: &GroupFacts, peers: &Peers) -> BTreeSet<NodeId> {
    let electorate = group.electorate();
    let living: BTreeSet<ReplicaId> =
        electorate.iter().copied().filter(|replica| alive(replica.node(), peers)).collect();
    let enough = is_majority(&group.effective, &living);
    let asked = if enough { living } else { electorate };
    asked.into_iter().map(ReplicaId::node).filter(|node| *node != group.me.node()).collect()
}

/// Mixes two numbers into one that looks random (the finaliser of `SplitMix64`).
pub(in crate::decide) fn scatter(first: u64, second: u64) -> u64 {
    let mut mixed = first.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(second);
    mixed = mixed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
