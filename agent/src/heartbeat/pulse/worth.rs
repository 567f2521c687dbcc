//! What this node's word is worth beyond being alive: how fresh its leaderships are, and whether
//! disks have room.

use std::collections::BTreeSet;
use std::time::Duration;

use evenkeel_shared::heartbeat::RaftRole;
use evenkeel_shared::ids::{NodeId, ShardId};

use super::state::State;
use super::{BACKING_MAX_AGE, Pulse};
use crate::decide::elector::backing::{Backing, backing};
use crate::decide::fresh::Freshness;
use crate::decide::room::obstacle;
use crate::heartbeat::ports::Held;
use crate::heartbeat::registry::PeerRecord;

impl Pulse {
    /// Says of each shard that this node leads whether a majority backs it, how fresh that makes it,
    /// and whether disks have room for its writes.
    pub(super) fn judge_leaderships(&self, state: &mut State, now: Duration, held: &[Held]) {
        let backers = state.backers();
        let had_low = !state.low.is_empty();
        if now >= state.next_beat {
            state.low = self.low_disks(state);
        }
        if had_low && state.low.is_empty() {
            // Of shards that this node has led meanwhile, too.
            for held in held {
                self.groups.set_no_room(held.group.shard, None);
            }
        }
        state.rounds.clear();
        for held in held.iter().filter(|held| held.group.role == RaftRole::Leader) {
            let (group, committed) = (&held.group, held.committed);
            let backing = backing(now, BACKING_MAX_AGE, group, &backers);
            self.groups.set_backed(group.shard, backing != Backing::NoQuorum);
            if let Backing::Quorum(as_of) = backing {
                state.rounds.insert(group.shard, Freshness { as_of, committed });
            }
            if !state.low.is_empty() {
                let voters = group.effective.iter().flatten().map(|voter| voter.node());
                let voters: BTreeSet<NodeId> = voters.collect();
                let voters: Vec<NodeId> = voters.into_iter().collect();
                self.groups.set_no_room(group.shard, obstacle(self.config.me, &voters, &state.low));
            }
        }
    }

    /// The clock that its moments are on.
    pub fn now(&self) -> Duration {
        self.clock.now()
    }

    /// How fresh a copy of the shard is that has applied all that its leader had committed.
    pub fn freshness(&self, shard: ShardId) -> Option<Freshness> {
        let state = self.lock();
        state.rounds.get(&shard).or_else(|| state.heard_rounds.get(&shard)).copied()
    }

    /// Nodes whose disks are so full that they take no writes.
    pub(super) fn low_disks(&self, state: &State) -> BTreeSet<NodeId> {
        let low = |record: &PeerRecord| record.load.as_ref().is_some_and(|load| load.disk_low);
        let peers = state.records.iter().filter(|(_, record)| low(record));
        let mut nodes: BTreeSet<NodeId> = peers.map(|(node, _)| *node).collect();
        if self.groups.load().disk_low {
            nodes.insert(self.config.me);
        }
        nodes
    }

    /// Other nodes whose disks are so full that they take no writes.
    pub fn full_nodes(&self) -> BTreeSet<NodeId> {
        let mut nodes = self.lock().low.clone();
        nodes.remove(&self.config.me);
        nodes
    }
}
