//! What a node knows of shards, slots and nodes, for whoever finds the way itself.

use evenkeel_shared::error::StoreError;
use evenkeel_shared::ids::{KeyspaceId, NodeId, ShardId};
use evenkeel_shared::key::Slot;
use evenkeel_shared::service::store::{Route, Routes};
use evenkeel_shared::view::{ClusterFacts, ShardFacts, SyncPolicy};

use super::{Router, is_serving, no_shards};

/// The shards that serve a keyspace.
fn serving(facts: &ClusterFacts, keyspace: KeyspaceId) -> impl Iterator<Item = &ShardFacts> {
    let shards = facts.shards.values();
    shards.filter(move |shard| is_serving(shard) && shard.keyspace == keyspace)
}

impl Router {
    /// Which shards there are and who leads them, as this node knows it.
    pub fn routes(&self) -> Routes {
        let facts = self.facts.borrow().clone();
        let serving = facts.shards.values().filter(|shard| is_serving(shard));
        Routes {
            revision: facts.revision,
            nodes: facts.nodes.values().map(|n| (n.id, n.addresses.rpc.clone())).collect(),
            shards: serving
                .map(|shard| Route {
                    shard: shard.id,
                    keyspace: shard.keyspace,
                    slots: shard.slots.clone(),
                    leader: self.leader_of(shard.id),
                })
                .collect(),
            keyspaces: facts.keyspaces.values().map(|it| (it.id, it.name.clone())).collect(),
        }
    }

    /// The shard that holds a key now.
    pub fn shard_of(&self, keyspace: KeyspaceId, key: &[u8]) -> Option<ShardId> {
        self.facts.borrow().shard_of(keyspace, Slot::of(key))
    }

    /// The shard that serves a slot, and the last slot of that stretch.
    pub fn stretch_of(
        &self,
        keyspace: KeyspaceId,
        slot: Slot,
    ) -> Result<(ShardId, Slot), StoreError> {
        let facts = self.facts.borrow().clone();
        let stretch = serving(&facts, keyspace).find_map(|shard| {
            let range = shard.slots.iter().find(|range| range.contains(slot))?;
            Some((shard.id, Slot(range.1)))
        });
        stretch.ok_or_else(no_shards)
    }

    /// On how many disks an acknowledged write is, by the keyspace's policy.
    pub fn copies_of(&self, keyspace: KeyspaceId) -> usize {
        let facts = self.facts.borrow().clone();
        let voters = |shard: &ShardFacts| shard.replicas.len();
        let fewest = serving(&facts, keyspace).map(voters).min().unwrap_or(0);
        match facts.keyspaces.get(&keyspace).map(|known| known.policy.sync).unwrap_or_default() {
            SyncPolicy::Leader => 1.min(fewest),
            SyncPolicy::Quorum if fewest > 0 => fewest / 2 + 1,
            SyncPolicy::Quorum | SyncPolicy::All => fewest,
        }
    }

    /// Whether a node is held dead.
    pub fn is_held_dead(&self, node: NodeId) -> bool {
        node != self.me && self.leaders.is_held_dead(node)
    }
}
