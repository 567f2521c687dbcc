//! The control plane's port to other nodes, over the bulk lane.

use std::sync::Arc;

use evenkeel_shared::backup::ShardImage;
use evenkeel_shared::client::Pool;
use evenkeel_shared::command::{Applied, Command};
use evenkeel_shared::error::StoreError;
use evenkeel_shared::fault::Drill;
use evenkeel_shared::ids::{NodeId, ReplicaId, ShardId};
use evenkeel_shared::service::peer::{ContentHash, LeaderOrder, LeaderReply, PeerClient, Survivor};
use evenkeel_shared::version::Hlc;
use evenkeel_shared::view::ClusterFacts;
use evenkeel_shared::wire::deadline::Deadline;
use evenkeel_shared::wire::hello::Lane;
use tarpc::client::RpcError;
use tokio::sync::watch;

use super::links::Links;
use crate::control::ports::{Answer, Orders};

/// Sends orders to other nodes.
pub struct LaneOrders {
    /// Lanes to peers.
    pub links: Arc<Links>,
    /// Connections to their operators' service.
    pub pool: Pool,
    /// Their addresses.
    pub facts: watch::Receiver<Arc<ClusterFacts>>,
}

impl Orders for LaneOrders {
    fn propose(
        &self,
        to: NodeId,
        shard: ShardId,
        command: Command,
        by: Deadline,
    ) -> Answer<Applied> {
        self.call(to, move |client| async move {
            client.propose(by.context(), shard, Box::new(command)).await
        })
    }

    fn lead(
        &self,
        to: NodeId,
        shard: ShardId,
        order: LeaderOrder,
        by: Deadline,
    ) -> Answer<LeaderReply> {
        self.call(to, move |client| async move { client.lead(by.context(), shard, order).await })
    }

    fn stand(&self, to: NodeId, shard: ShardId, by: Deadline) -> Answer<bool> {
        self.call(
            to,
            move |client| async move { client.stand(by.context(), shard, None).await.map(Ok) },
        )
    }

    fn content_hash(&self, of: NodeId, shard: ShardId, by: Deadline) -> Answer<ContentHash> {
        self.call(of, move |client| async move { client.content_hash(by.context(), shard).await })
    }

    fn content_at(
        &self,
        of: NodeId,
        shard: ShardId,
        cut: Hlc,
        by: Deadline,
    ) -> Answer<ContentHash> {
        self.call(
            of,
            move |client| async move { client.content_at(by.context(), shard, cut).await },
        )
    }

    fn survey(
        &self,
        of: NodeId,
        shards: Vec<ShardId>,
        by: Deadline,
    ) -> Answer<Vec<Option<Survivor>>> {
        self.call(
            of,
            move |client| async move { client.survey(by.context(), shards).await.map(Ok) },
        )
    }

    fn salvage(
        &self,
        of: NodeId,
        shard: ShardId,
        archive: String,
        by: Deadline,
    ) -> Answer<ShardImage> {
        self.call(
            of,
            move |client| async move { client.salvage(by.context(), shard, archive).await },
        )
    }

    fn condemn(
        &self,
        shard: ShardId,
        replica: ReplicaId,
        why: String,
        by: Deadline,
    ) -> Answer<bool> {
        self.call(replica.node(), move |client| async move {
            client.condemn(by.context(), shard, replica, why).await.map(Ok)
        })
    }

    fn drill(&self, node: NodeId, drill: Drill, actor: String, by: Deadline) -> Answer<String> {
        let address = {
            let facts = self.facts.borrow().clone();
            facts.nodes.get(&node).map(|node| node.addresses.rpc.clone())
        };
        let pool = self.pool.clone();
        Box::pin(async move {
            let address = address.ok_or_else(|| unreachable(node, "it has no address"))?;
            let admin = pool.admin(&address).await.map_err(|error| unreachable(node, error))?;
            match admin.drill(by.context(), drill, actor).await {
                Ok(answer) => {
                    answer.map_err(|error| StoreError::Refused { why: error.to_string() })
                }
                Err(error) => Err(StoreError::Unknown { why: format!("{node}: {error}") }),
            }
        })
    }
}

impl LaneOrders {
    fn call<T: Send + 'static, F, Fut>(&self, to: NodeId, make: F) -> Answer<T>
    where
        F: FnOnce(PeerClient) -> Fut + Send + 'static,
        Fut: Future<Output = Result<Result<T, StoreError>, RpcError>> + Send,
    {
        let client = self.links.client(to, Lane::Bulk);
        Box::pin(async move {
            let client = client.ok_or_else(|| unreachable(to, "no connection"))?;
            match make(client).await {
                Ok(answer) => answer,
                Err(error) => Err(StoreError::Unknown { why: format!("{to}: {error}") }),
            }
        })
    }
}

fn unreachable(node: NodeId, why: impl std::fmt::Display) -> StoreError {
    StoreError::Unavailable { why: format!("{node} can't be reached: {why}") }
}
