//! What a leader owes the others, since no tick of Raft's own does it: to be heard until a quorum
//! has acknowledged it, and to get out of a leadership transfer that does not end.
//!
//! Invariant: a leader never canvasses.

use std::collections::BTreeSet;
use std::time::Duration;

use evenkeel_shared::ids::NodeId;

use super::{Elector, ElectorAction, GroupFacts, Peers, Unled, alive};

impl Elector {
    /// The leader's part: be heard until a quorum has acknowledged, and get out of a stuck transfer.
    pub(super) fn lead(
        &mut self,
        now: Duration,
        group: &GroupFacts,
        peers: &Peers,
    ) -> Vec<ElectorAction> {
        let (shard, config) = (group.shard, self.config);
        let stuck = self.unled(now, group, peers) == Some(Unled::TransferStuck);
        let Some(standing) = self.shards.get_mut(&shard) else { return Vec::new() };
        standing.rest();
        let mut actions = Vec::new();
        if !group.quorum_acked {
            if due(standing.nudged, config.nudge_interval, now) {
                standing.nudged = Some(now);
                actions.push(ElectorAction::Nudge { shard });
            }
            let again = standing.nudged.unwrap_or(now) + config.nudge_interval;
            self.wake = self.wake.min(again);
        }
        if let Some(since) = group.transfer_since {
            let last = standing.asked_to_stand;
            if stuck && due(last.map(|(at, _)| at), config.transfer_limit, now) {
                let node = next_heir(group, peers, last.map(|(_, node)| node));
                if let Some(node) = node {
                    standing.asked_to_stand = Some((now, node));
                    let cause = Unled::TransferStuck;
                    let term = group.term;
                    actions.push(ElectorAction::AskToStand { shard, term, node, cause });
                }
            }
            let limit = config.transfer_limit + Duration::from_micros(1);
            let again = standing.asked_to_stand.map_or(since, |(at, _)| at) + limit;
            self.wake = self.wake.min(again.max(now + Duration::from_millis(1)));
        } else {
            standing.asked_to_stand = None;
        }
        actions
    }
}

fn due(last: Option<Duration>, interval: Duration, now: Duration) -> bool {
    last.is_none_or(|at| now.saturating_sub(at) >= interval)
}

/// The living voter behind the last one that was asked to stand, round and round.
fn next_heir(group: &GroupFacts, peers: &Peers, last: Option<NodeId>) -> Option<NodeId> {
    let heirs: BTreeSet<NodeId> = group
        .effective
        .iter()
        .flatten()
        .map(|replica| replica.node())
        .filter(|node| *node != group.me.node() && alive(*node, peers))
        .collect();
    let behind = heirs.iter().find(|node| last.is_some_and(|last| **node > last));
    behind.or_else(|| heirs.first()).copied()
}
