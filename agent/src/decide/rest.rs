//! Shards that are just as they should be, told at a glance: of ten thousand nearly all are, and a
//! plan must cost next to nothing for them.
//!
//! Invariant: for a shard at rest repair has no step and no complaint.

use evenkeel_shared::ids::NodeId;
use evenkeel_shared::view::{
    ClusterFacts, NodeIntent, NodeState, ReplicaRole, ShardFacts, ShardPhase,
};

use super::by_node::ByNode;
use super::facts::{Observed, ShardObserved, wanted};

/// Every shard of the facts that is observed, with what is: both sides go in order of their ids.
fn paired<'a>(facts: &'a ClusterFacts, observed: &'a Observed) -> impl Iterator<Item = Pair<'a>> {
    let mut all = observed.shards.iter().peekable();
    facts.shards.iter().filter_map(move |(id, shard)| {
        while all.next_if(|(other, _)| *other < id).is_some() {}
        let (_, seen) = all.next_if(|(other, _)| *other == id)?;
        Some((shard, seen))
    })
}

/// A shard, as wanted and as seen.
pub(super) type Pair<'a> = (&'a ShardFacts, &'a ShardObserved);

/// Every observed shard that has not been retired, each of both kinds in order of the ids. Found out
/// once for a plan.
pub struct Shards<'a> {
    /// Those that are as they should be.
    pub(super) at_rest: Vec<Pair<'a>>,
    /// The others, and the system shard.
    pub(super) restless: Vec<Pair<'a>>,
}

impl<'a> Shards<'a> {
    /// Looks at each.
    pub fn new(facts: &'a ClusterFacts, observed: &'a Observed) -> Self {
        let known = AtRest::new(facts, observed);
        let kept = paired(facts, observed).filter(|(shard, _)| shard.phase != ShardPhase::Retired);
        let (at_rest, restless) = kept.partition(|(shard, seen)| known.holds(shard, seen));
        Self { at_rest, restless }
    }
}

/// Knows a shard at rest.
struct AtRest<'a> {
    facts: &'a ClusterFacts,
    /// Nodes that are UP and to serve.
    well: ByNode<()>,
}

impl<'a> AtRest<'a> {
    fn new(facts: &'a ClusterFacts, observed: &Observed) -> Self {
        let serves = facts.nodes.values().filter(|node| node.intent == NodeIntent::Serve);
        let up = serves.filter(|node| observed.state(node.id) == NodeState::Up);
        Self { facts, well: up.map(|node| (node.id, ())).collect() }
    }

    /// Whether a data shard has exactly the copies that it should, all of them on nodes that are
    /// well.
    fn holds(&self, shard: &ShardFacts, seen: &ShardObserved) -> bool {
        let voters = &seen.voters;
        let is_well = |node: NodeId| self.well.get(node).is_some();
        !shard.id.is_system()
            && seen.unfit.is_empty()
            && seen.learners.is_empty()
            && voters.len() == wanted(self.facts, shard)
            && shard.replicas.len() == voters.len()
            && seen.leader.is_some_and(|leader| is_well(leader.node()))
            && shard.replicas.iter().zip(voters).all(|((replica, held), voter)| {
                replica == voter && held.role == ReplicaRole::Voter && is_well(voter.node())
            })
            && seen
                .replicas
                .values()
                .all(|replica| replica.damaged.is_none() && replica.stands_still().is_none())
    }
}

#[cfg(test)]
mod tests {
    use evenkeel_shared::ids::{ReplicaId, ShardId};

    use super::super::facts::Still;
    use super::super::world::World;
    use super::*;

    fn rests(change: impl FnOnce(&mut World)) -> bool {
        let mut world = World::default();
        for id in 1..=4 {
            world.add_node(id);
        }
        world.add_shard(1, &[1, 2, 3], &[], Some(1));
        change(&mut world);
        let at_rest = AtRest::new(&world.facts, &world.observed);
        let mut all = paired(&world.facts, &world.observed);
        all.all(|(shard, seen)| at_rest.holds(shard, seen))
    }

    fn seen(world: &mut World) -> &mut ShardObserved {
        world.observed.shards.get_mut(&ShardId(1)).expect("it is observed")
    }

    fn set_state(world: &mut World, state: NodeState) {
        world.observed.nodes.get_mut(&NodeId(2)).expect("it is observed").state = state;
    }

    #[test]
    fn whatever_repair_looks_at_ends_the_rest() {
        assert!(rests(|_| {}));
        assert!(!rests(|world| set_state(world, NodeState::Slow)));
        assert!(!rests(|world| set_state(world, NodeState::Maint)));
        assert!(!rests(|world| world.add_node(3).intent = NodeIntent::Drain));
        assert!(!rests(|world| seen(world).leader = None));
        assert!(!rests(|world| world.damage(1, 3)));
        assert!(!rests(|world| {
            let copy = seen(world).replicas.get_mut(&ReplicaId::new(NodeId(3), 3));
            copy.expect("it is observed").still = Some(Still { for_ms: 5_000, term: 1 });
        }));
        assert!(!rests(|world| world.add_shard(1, &[1, 2, 3], &[4], Some(1))));
        assert!(!rests(|world| world.add_shard(1, &[1, 2], &[], Some(1))));
        assert!(!rests(|world| {
            seen(world).voters.remove(&ReplicaId::new(NodeId(3), 3));
        }));
    }

    #[test]
    fn a_shard_of_one_side_alone_is_passed_over() {
        let mut world = World::default();
        for id in [1, 2, 4] {
            world.add_shard(id, &[1], &[], Some(1));
        }
        world.facts.shards.remove(&ShardId(1));
        world.observed.shards.remove(&ShardId(2));
        let ids: Vec<ShardId> =
            paired(&world.facts, &world.observed).map(|(shard, _)| shard.id).collect();
        assert_eq!(ids, [ShardId(4)]);
    }
}
