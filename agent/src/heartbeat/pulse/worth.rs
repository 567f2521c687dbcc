//! What this node's word is worth beyond being alive: how fresh its leaderships are, and whether
//! disks have room.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use evenkeel_shared::ids::{NodeId, ShardId};

use super::state::State;
use super::{BACKING_MAX_AGE, Pulse};
use crate::decide::elector::backing::{Backers, Backing, backing};
use crate::decide::fresh::Freshness;
use crate::heartbeat::ports::Held;
use crate::heartbeat::registry::PeerRecord;

impl Pulse {
    /// How fresh this node's leaderships are.
    pub(super) fn rounds(
        now: Duration,
        held: &[Held],
        backers: &Backers,
    ) -> BTreeMap<ShardId, Freshness> {
        let fresh = |held: &Held| match backing(now, BACKING_MAX_AGE, &held.group, backers) {
            Backing::Quorum(as_of) => {
                Some((held.group.shard, Freshness { as_of, committed: held.committed }))
            }
            Backing::NoQuorum => None,
        };
        held.iter().filter_map(fresh).collect()
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
