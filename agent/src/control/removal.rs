//! Nodes that are gone: taking one out for good, or giving its data up so that it may come back
//! empty. The copies that are lost with it are rebuilt by repair; nothing is rebuilt here.

use evenkeel_shared::error::StoreError;
use evenkeel_shared::ids::NodeId;
use evenkeel_shared::view::{ClusterFacts, NodeIntent, NodeState, ReplicaRole, SystemCommand};
use evenkeel_shared::wire::deadline::Deadline;

use super::operator::Operator;

/// Gives up what a dead node held: its copies never come back as themselves (safety rule 13).
pub(super) async fn reinit(
    operator: &Operator,
    node: NodeId,
    by: Deadline,
) -> Result<String, StoreError> {
    operator.system.change(SystemCommand::Reinit { node }, by).await?;
    let name = operator.name(node);
    Ok(format!("the data of {name} is given up: start it with an empty folder and --join"))
}

/// Takes a node out. One that is drained leaves at once; of a dead one, the copies go first.
pub(super) async fn evict(
    operator: &Operator,
    node: NodeId,
    by: Deadline,
) -> Result<String, StoreError> {
    let name = operator.name(node);
    let (facts, observed) = operator.observer.observe();
    if observed.state(node) == NodeState::Down && !has_let_go(&facts, node) {
        operator.system.change(SystemCommand::Reinit { node }, by).await?;
        let intent = NodeIntent::Drain;
        operator.system.change(SystemCommand::SetNodeIntent { node, intent }, by).await?;
        let mut facts = operator.system.facts.clone();
        let gone = facts.wait_for(|facts| has_let_go(facts, node));
        if !matches!(tokio::time::timeout(by.remaining(), gone).await, Ok(Ok(_))) {
            let why = format!("the copies of {name} are still being taken out: evict it again");
            return Err(StoreError::Unknown { why });
        }
    }
    operator.system.change(SystemCommand::Leave { node }, by).await?;
    Ok(format!("{name} has left"))
}

/// Whether nothing of a node counts any more: no data copy, no vote in the system shard.
fn has_let_go(facts: &ClusterFacts, node: NodeId) -> bool {
    facts.shards.values().all(|shard| {
        let system = shard.id.is_system();
        shard
            .replicas
            .iter()
            .filter(|(replica, _)| replica.node() == node)
            .all(|(_, held)| system && held.role == ReplicaRole::Learner)
    })
}
