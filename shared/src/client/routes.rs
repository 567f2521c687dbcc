//! Which node to ask: the last map seen, corrected by every answer. Pure.

use std::collections::BTreeMap;

use crate::ids::{KeyspaceId, NodeId, ShardId};
use crate::key::Slot;
use crate::service::store::Routes;

/// What a client knows about who serves what.
#[derive(Clone, Debug, Default)]
pub(super) struct RouteTable {
    seeds: Vec<String>,
    addresses: BTreeMap<NodeId, String>,
    routes: Routes,
    leaders: BTreeMap<ShardId, NodeId>,
    /// Counts the attempts without a known leader, so that they spread over the nodes.
    turn: usize,
}

impl RouteTable {
    pub(super) fn new(seeds: Vec<String>) -> Self {
        Self { seeds, ..Self::default() }
    }

    /// Takes a newer map; an older one only if there was none.
    pub(super) fn learn(&mut self, routes: Routes) {
        if routes.revision < self.routes.revision {
            return;
        }
        self.addresses = routes.nodes.iter().cloned().collect();
        for route in &routes.shards {
            match route.leader {
                Some(leader) => drop(self.leaders.insert(route.shard, leader)),
                None => drop(self.leaders.remove(&route.shard)),
            }
        }
        self.routes = routes;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.routes.shards.is_empty()
    }

    pub(super) fn serves(&self, shard: ShardId) -> bool {
        self.routes.shards.iter().any(|route| route.shard == shard)
    }

    /// The number of the keyspace of that name, or the names that there are.
    pub(super) fn keyspace_named(&self, name: &str) -> Result<KeyspaceId, Vec<String>> {
        let all = &self.routes.keyspaces;
        let known = all.iter().find(|(_, known)| known == name).map(|(id, _)| *id);
        known.ok_or_else(|| all.iter().map(|(_, name)| name.clone()).collect())
    }

    pub(super) fn shard_of(&self, keyspace: KeyspaceId, slot: Slot) -> Option<ShardId> {
        let owns = |route: &&crate::service::store::Route| {
            route.keyspace == keyspace && route.slots.iter().any(|range| range.contains(slot))
        };
        self.routes.shards.iter().find(owns).map(|route| route.shard)
    }

    /// Who leads a key's shard, as far as is known.
    pub(super) fn leader_of(&self, keyspace: KeyspaceId, slot: Slot) -> Option<NodeId> {
        self.leaders.get(&self.shard_of(keyspace, slot)?).copied()
    }

    pub(super) fn led_by(&mut self, shard: ShardId, leader: NodeId) {
        self.leaders.insert(shard, leader);
    }

    pub(super) fn not_led_by(&mut self, shard: ShardId, address: &str) {
        let leader = self.leaders.get(&shard).and_then(|leader| self.addresses.get(leader));
        if leader.is_some_and(|leader| leader == address) {
            self.leaders.remove(&shard);
        }
    }

    /// A node that was named at the start, in turn, and any other only after that failed: whoever
    /// names nodes wants their copies.
    pub(super) fn named(&mut self, avoid: Option<&str>) -> Option<String> {
        let fit: Vec<&String> =
            self.seeds.iter().filter(|seed| Some(seed.as_str()) != avoid).collect();
        if fit.is_empty() {
            return self.target(None, avoid);
        }
        self.turn = self.turn.wrapping_add(1);
        Some(fit[self.turn % fit.len()].clone())
    }

    /// The address to ask: the leader's, or the next one in turn, but not the one to avoid if
    /// there is another.
    pub(super) fn target(&mut self, shard: Option<ShardId>, avoid: Option<&str>) -> Option<String> {
        let leader = shard
            .and_then(|shard| self.leaders.get(&shard))
            .and_then(|leader| self.addresses.get(leader))
            .filter(|address| Some(address.as_str()) != avoid);
        if let Some(leader) = leader {
            return Some(leader.clone());
        }
        let mut known: Vec<&String> = self.addresses.values().collect();
        if known.is_empty() {
            known = self.seeds.iter().collect();
        } else {
            known.extend(
                self.seeds.iter().filter(|seed| !self.addresses.values().any(|a| a == *seed)),
            );
        }
        for _ in 0..known.len() {
            self.turn = self.turn.wrapping_add(1);
            let address = known[self.turn % known.len()];
            if Some(address.as_str()) != avoid {
                return Some(address.clone());
            }
        }
        known.first().map(|address| (*address).clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::SlotRange;
    use crate::service::store::Route;

    fn table() -> RouteTable {
        let mut table = RouteTable::new(vec!["seed".into()]);
        table.learn(Routes {
            revision: 1,
            nodes: vec![(NodeId(1), "a".into()), (NodeId(2), "b".into())],
            shards: vec![Route {
                shard: ShardId(1),
                keyspace: KeyspaceId(1),
                slots: vec![SlotRange::ALL],
                leader: Some(NodeId(2)),
            }],
            keyspaces: vec![(KeyspaceId(1), "default".into())],
        });
        table
    }

    #[test]
    fn the_leader_is_asked_first() {
        let mut table = table();
        let shard = table.shard_of(KeyspaceId(1), Slot(5));
        assert_eq!(table.target(shard, None), Some("b".into()));
    }

    #[test]
    fn a_leader_that_failed_is_not_asked_next() {
        let mut table = table();
        table.not_led_by(ShardId(1), "b");
        for _ in 0..4 {
            assert_ne!(table.target(Some(ShardId(1)), Some("b")), Some("b".into()));
        }
    }

    #[test]
    fn without_a_map_the_seeds_are_asked() {
        let mut table = RouteTable::new(vec!["x".into(), "y".into()]);
        let asked: Vec<_> = (0..2).filter_map(|_| table.target(None, None)).collect();
        assert!(asked.contains(&"x".to_owned()) && asked.contains(&"y".to_owned()));
    }
}
