//! From a key to the leader of its shard, wherever that is: served here, or passed on under the
//! same request id until the deadline, so that a failover is one slow answer.

use std::sync::Arc;
use std::time::Duration;

use evenkeel_shared::client::Pool;
use evenkeel_shared::command::{Operation, OperationResult, WriteAction};
use evenkeel_shared::error::StoreError;
use evenkeel_shared::ids::{KeyspaceId, NodeId, ShardId};
use evenkeel_shared::key::Slot;
use evenkeel_shared::service::store::{
    LevelName, ReadLevel, ReadReply, ReadRequest, Routing, StoreClient, WriteItem, WriteReply,
    WriteRequest,
};
use evenkeel_shared::version::Hlc;
use evenkeel_shared::view::{ClusterFacts, ShardPhase, SyncPolicy};
use evenkeel_shared::wire::deadline::Deadline;
use tokio::sync::watch;

use super::group::{Group, Write, Written};
use super::replicas::Replicas;
use crate::env::clock::Clock;
use retry::Retry;

mod batch;
mod checks;
mod copies;
mod map;
mod retry;
mod scan;

/// Between two looks at who leads.
const LOOK_AGAIN: Duration = Duration::from_millis(4);
/// How long one passed-on attempt may take before the leader is looked up again.
const ATTEMPT_MAX: Duration = Duration::from_secs(1);

/// Who leads, as heartbeats say: owned here, implemented by the heartbeats' registry.
pub trait Leaders: Send + Sync {
    /// The node that claims the shard and is not held dead.
    fn leader(&self, shard: ShardId) -> Option<NodeId>;
    /// How long ago every write was acknowledged that a copy is sure to have once it has applied
    /// the index beside it.
    fn freshness(&self, shard: ShardId) -> Option<(Duration, u64)>;
    /// Whether the node is held dead.
    fn is_held_dead(&self, node: NodeId) -> bool;
}

/// Serves requests for any key.
pub struct Router {
    /// This node.
    pub me: NodeId,
    /// Its replicas.
    pub replicas: Arc<Replicas>,
    /// The cluster's facts as this node has applied them.
    pub facts: watch::Receiver<Arc<ClusterFacts>>,
    /// Who leads what.
    pub leaders: Arc<dyn Leaders>,
    /// Connections to other nodes' stores.
    pub pool: Pool,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
}

/// Where a shard can be served now.
enum Place {
    Here(Arc<Group>),
    There(NodeId),
}

impl Router {
    /// Writes one key.
    pub async fn write(
        &self,
        mut request: WriteRequest,
        deadline: Deadline,
    ) -> Result<WriteReply, StoreError> {
        checks::item(&request.item)?;
        let slot = Slot::of(&request.item.key);
        let mut retry = Retry::new(deadline);
        loop {
            let error = match self.place(request.keyspace, slot) {
                Ok((_, Place::Here(group))) => {
                    match self.write_here(&group, &request, slot, deadline).await {
                        Ok(reply) => return Ok(reply),
                        Err(error) => error,
                    }
                }
                Ok((shard, Place::There(leader))) if request.routing == Routing::Local => {
                    return Err(StoreError::NotLeader { shard, leader: Some(leader) });
                }
                Ok((shard, Place::There(leader))) => {
                    let passed = WriteRequest { routing: Routing::Local, ..request.clone() };
                    let call = |client: StoreClient, by: Deadline| async move {
                        client.write(by.context(), passed).await
                    };
                    match self.pass_on(shard, leader, deadline, call).await {
                        Ok(reply) => return Ok(reply),
                        Err(error) => error,
                    }
                }
                Err(error) => error,
            };
            if request.routing == Routing::Local || !error.is_retriable() {
                return Err(retry.last_word(error));
            }
            if error.is_unknown() {
                request.floor = request.floor.max(SyncPolicy::Quorum);
            }
            let shard = self.facts.borrow().shard_of(request.keyspace, slot);
            retry.pause_for(self, shard, error).await?;
        }
    }

    async fn write_here(
        &self,
        group: &Group,
        request: &WriteRequest,
        slot: Slot,
        deadline: Deadline,
    ) -> Result<WriteReply, StoreError> {
        let operations = vec![self.operation(group, &request.item)];
        let sync = self.sync(request.keyspace, request.sync, request.floor);
        let Written { mut results, place, sync } =
            operate(group, Write { operations, sync, by: deadline }).await?;
        let result = results.pop().ok_or_else(|| StoreError::Unknown {
            why: format!("{} answered without a result", group.shard()),
        })?;
        if result == OperationResult::NotOwned {
            return Err(StoreError::WrongShard { shard: group.shard(), slot: slot.0 });
        }
        let position = Some(group.position_of(place));
        let hlc = group.machine().status().hlc;
        Ok(WriteReply { result, leader: self.me, hlc, position, sync })
    }

    /// An item as the log holds it: a lifetime counts from now, by the shard's own time.
    fn operation(&self, group: &Group, item: &WriteItem) -> Operation {
        let WriteItem { request, key, action, ttl_ms } = item.clone();
        let end = ttl_ms.map(|ttl_ms| self.now(group).plus_ms(ttl_ms));
        let action = match action {
            WriteAction::Put { value, expires } => {
                WriteAction::Put { value, expires: end.or(expires) }
            }
            WriteAction::PutBlind { value, expires } => {
                WriteAction::PutBlind { value, expires: end.or(expires) }
            }
            WriteAction::CompareAndSet { expected, value, expires } => {
                WriteAction::CompareAndSet { expected, value, expires: end.or(expires) }
            }
            other => other,
        };
        Operation { request, slot: Slot::of(&key), key, action }
    }

    /// When a write is acknowledged: as it says, else as its keyspace does, and never below the floor.
    fn sync(
        &self,
        keyspace: KeyspaceId,
        asked: Option<SyncPolicy>,
        floor: SyncPolicy,
    ) -> SyncPolicy {
        let facts = self.facts.borrow().clone();
        let policy = facts.keyspaces.get(&keyspace).map(|known| known.policy.sync);
        asked.or(policy).unwrap_or_default().max(floor)
    }

    /// Reads one key.
    pub async fn read(
        &self,
        mut request: ReadRequest,
        deadline: Deadline,
    ) -> Result<ReadReply, StoreError> {
        checks::key(&request.key)?;
        let slot = Slot::of(&request.key);
        let default = self.facts.borrow().promise(request.keyspace).read;
        request.level = request.level.under(default);
        if request.level != ReadLevel::Linearizable
            && let Some(reply) = self.read_copy(&request, slot, deadline).await?
        {
            return Ok(reply);
        }
        let mut retry = Retry::new(deadline);
        loop {
            let error = match self.place(request.keyspace, slot) {
                Ok((_, Place::Here(group))) => {
                    match self.read_here(&group, &request, slot, deadline).await {
                        Ok(reply) => return Ok(reply),
                        Err(error) => error,
                    }
                }
                Ok((shard, Place::There(leader))) if request.routing == Routing::Local => {
                    return Err(StoreError::NotLeader { shard, leader: Some(leader) });
                }
                Ok((shard, Place::There(leader))) => {
                    let passed = ReadRequest { routing: Routing::Local, ..request.clone() };
                    let call = |client: StoreClient, by: Deadline| async move {
                        client.read(by.context(), passed).await
                    };
                    match self.pass_on(shard, leader, deadline, call).await {
                        Ok(reply) => return Ok(reply),
                        Err(error) => error,
                    }
                }
                Err(error) => error,
            };
            if request.routing == Routing::Local || !error.is_retriable() {
                return Err(error);
            }
            let shard = self.facts.borrow().shard_of(request.keyspace, slot);
            retry.pause_read(self, shard, error).await?;
        }
    }

    async fn read_here(
        &self,
        group: &Group,
        request: &ReadRequest,
        slot: Slot,
        deadline: Deadline,
    ) -> Result<ReadReply, StoreError> {
        barrier(group, deadline).await?;
        // A leader is never behind, but it may not be of the session's past.
        if let ReadLevel::Session(token) = &request.level
            && !token.is_empty()
        {
            let shown = self.until_worth(group, &request.level);
            tokio::time::timeout(deadline.remaining(), shown).await.map_err(|_| {
                let why = format!("{} has not committed what the session wrote", group.shard());
                StoreError::Unavailable { why }
            })??;
            return self.read_now(group, request, slot, (LevelName::Session, Some(0)));
        }
        self.read_now(group, request, slot, (LevelName::Linearizable, Some(0)))
    }

    /// Reads what a copy has now; what that is worth, the caller has found out.
    fn read_now(
        &self,
        group: &Group,
        request: &ReadRequest,
        slot: Slot,
        (level, age_ms): (LevelName, Option<u64>),
    ) -> Result<ReadReply, StoreError> {
        let now = self.now(group);
        let record = group
            .machine()
            .get(request.keyspace, slot, &request.key, now)
            .map_err(|error| StoreError::Unavailable { why: error.to_string() })?;
        if !group.machine().status().owns(slot) {
            return Err(StoreError::WrongShard { shard: group.shard(), slot: slot.0 });
        }
        Ok(ReadReply {
            expires: record.as_ref().and_then(|record| record.expires),
            found: record.map(|record| (record.value, record.version)),
            level,
            age_ms,
            // Looked up after the record: it shows at least what was read.
            position: group.position(),
            served_by: self.me,
            leader: self.leader_of(group.shard()),
            hlc: now,
        })
    }

    /// The node that leads a shard, as far as this one knows.
    pub fn leader_of(&self, shard: ShardId) -> Option<NodeId> {
        match self.place_of(shard) {
            Ok(Place::Here(_)) => Some(self.me),
            Ok(Place::There(node)) => Some(node),
            Err(_) => None,
        }
    }

    fn place(&self, keyspace: KeyspaceId, slot: Slot) -> Result<(ShardId, Place), StoreError> {
        let shard = self.facts.borrow().shard_of(keyspace, slot).ok_or_else(no_shards)?;
        Ok((shard, self.place_of(shard)?))
    }

    fn place_of(&self, shard: ShardId) -> Result<Place, StoreError> {
        let here = self.replicas.get(shard);
        if let Some(group) = here.as_ref().filter(|group| group.is_leader()) {
            return Ok(Place::Here(group.clone()));
        }
        let claimed = self.leaders.leader(shard).filter(|node| *node != self.me);
        let believed = || {
            let group = here.as_ref()?;
            group.leader_node().filter(|node| *node != self.me)
        };
        match claimed.or_else(believed) {
            Some(node) => Ok(Place::There(node)),
            None => Err(StoreError::NoQuorum { shard }),
        }
    }

    /// Asks the leader, and gives up early when somebody else has taken over meanwhile, or this node
    /// has been cut off.
    async fn pass_on<T, F, Fut>(
        &self,
        shard: ShardId,
        leader: NodeId,
        deadline: Deadline,
        call: F,
    ) -> Result<T, StoreError>
    where
        F: FnOnce(StoreClient, Deadline) -> Fut,
        Fut: Future<Output = Result<Result<T, StoreError>, tarpc::client::RpcError>>,
    {
        let unreachable = |why: String| StoreError::Unavailable { why };
        let address = {
            let facts = self.facts.borrow().clone();
            facts.nodes.get(&leader).map(|node| node.addresses.rpc.clone())
        };
        let address = address.ok_or_else(|| unreachable(format!("{leader} has no address")))?;
        let by = deadline.at_most(ATTEMPT_MAX);
        let moved = async {
            let mut look = tokio::time::interval(LOOK_AGAIN * 5);
            loop {
                look.tick().await;
                let now = self.leader_of(shard);
                if now.is_some() && now != Some(leader) || self.is_cut_off_from(shard) {
                    return format!("{shard} moved meanwhile");
                }
            }
        };
        tokio::pin!(moved);
        let dial = tokio::time::timeout(by.remaining(), self.pool.store(&address));
        // A frozen node's kernel accepts, and nobody says Hello.
        let client = tokio::select! {
            biased;
            dialled = dial => match dialled {
                Ok(Ok(client)) => client,
                Ok(Err(error)) => return Err(unreachable(error.to_string())),
                Err(_) => return Err(unreachable(format!("{address} did not answer in time"))),
            },
            why = &mut moved => return Err(unreachable(why)),
        };
        tokio::select! {
            biased;
            answer = call(client, by) => answer.unwrap_or_else(|error| {
                if matches!(error, tarpc::client::RpcError::DeadlineExceeded) {
                    self.pool.distrust_store(&address);
                }
                Err(StoreError::Unknown { why: format!("{address}: {error}") })
            }),
            why = moved => Err(StoreError::Unknown { why }),
        }
    }

    fn now(&self, group: &Group) -> Hlc {
        Hlc::from_unix_ms(self.clock.unix_ms()).max(group.machine().status().hlc)
    }
}

fn is_serving(shard: &evenkeel_shared::view::ShardFacts) -> bool {
    !shard.id.is_system() && shard.phase == ShardPhase::Serving
}

fn no_shards() -> StoreError {
    StoreError::Unavailable { why: "the cluster has no shards for this keyspace yet".to_owned() }
}

/// Has a group carry out operations, for as long as the caller waits.
async fn operate(group: &Group, write: Write) -> Result<Written, StoreError> {
    tokio::time::timeout(write.by.remaining(), group.operate(write)).await.unwrap_or_else(|_| {
        let why = format!("{} did not commit in time", group.shard());
        Err(StoreError::Unknown { why })
    })
}

async fn barrier(group: &Group, deadline: Deadline) -> Result<(), StoreError> {
    tokio::time::timeout(deadline.remaining(), group.read_barrier())
        .await
        .unwrap_or_else(|_| Err(StoreError::NoQuorum { shard: group.shard() }))
}
