//! The control loop, on the leader of the system shard: observe, decide, act, one idempotent step
//! at a time.

use std::sync::Arc;
use std::time::Duration;

use evenkeel_shared::ids::History;
use evenkeel_shared::key::SlotRange;
use evenkeel_shared::view::{ShardPhase, SystemCommand};
use evenkeel_shared::wire::deadline::Deadline;

use super::operator::Operator;

/// Observes, decides and acts.
pub struct Controller {
    operator: Arc<Operator>,
}

impl Controller {
    /// A controller that has not looked yet.
    pub fn new(operator: Arc<Operator>) -> Self {
        Self { operator }
    }

    /// Runs for ever; does nothing while another node leads the system shard.
    pub async fn run(self) {
        loop {
            tokio::time::sleep(Duration::from_millis(500)).await;
            if !self.operator.observer.is_controller() {
                continue;
            }
            let facts = self.operator.system.facts();
            for keyspace in facts.keyspaces.values() {
                if facts.shards.values().any(|s| s.keyspace == keyspace.id) || facts.nodes.len() < 3 {
                    continue;
                }
                let nodes: Vec<_> = facts.nodes.keys().copied().collect();
                let shards = SlotRange::split_all(keyspace.shards).into_iter().enumerate();
                let shards = shards
                    .map(|(i, r)| {
                        let take = (keyspace.policy.replicas as usize).min(nodes.len());
                        (vec![r], (0..take).map(|k| nodes[(i + k) % nodes.len()]).collect())
                    })
                    .collect();
                let c = SystemCommand::CreateShards {
                    keyspace: keyspace.id,
                    history: History { number: 1, salt: self.operator.env.rng.next_u64() },
                    phase: ShardPhase::Serving,
                    shards,
                };
                let r = self.operator.system.change(c, Deadline::after(Duration::from_secs(5))).await;
                tracing::info!(?r, "created");
            }
        }
    }
}
