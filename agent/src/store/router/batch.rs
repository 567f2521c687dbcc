//! Several keys in one request: cut by shard, and each part written by its leader in one entry.

use std::collections::BTreeMap;

use evenkeel_shared::command::OperationResult;
use evenkeel_shared::error::StoreError;
use evenkeel_shared::ids::{NodeId, ShardId};
use evenkeel_shared::key::Slot;
use evenkeel_shared::service::store::{
    BatchPart, BatchReply, BatchRequest, Routing, StoreClient, WriteItem,
};
use evenkeel_shared::view::SyncPolicy;
use evenkeel_shared::wire::deadline::Deadline;
use futures::future::join_all;

use super::retry::Retry;
use super::{Place, Router, checks, no_shards, operate};
use crate::store::group::{Group, Write};

/// Which of a request's items go to which shard.
type Parts = BTreeMap<ShardId, Vec<u32>>;

impl Router {
    /// Writes several keys. Each shard's part stands for itself.
    pub async fn write_batch(
        &self,
        request: BatchRequest,
        deadline: Deadline,
    ) -> Result<BatchReply, StoreError> {
        checks::batch(&request.items)?;
        let mut pending: Vec<u32> = (0..).zip(&request.items).map(|(at, _)| at).collect();
        let mut parts = Vec::new();
        while !pending.is_empty() {
            let cut = self.cut(&request, std::mem::take(&mut pending))?;
            let written = self.by_place(cut, request.routing).into_iter().map(|(leader, parts)| {
                let request = &request;
                async move {
                    match leader {
                        Some(leader) => self.write_there(leader, parts, request, deadline).await,
                        None => self.write_each(parts, request, deadline).await,
                    }
                }
            });
            for part in join_all(written).await.into_iter().flatten() {
                // Its slots have moved: what has been done under an id is not done again.
                let moved = matches!(part.outcome, Err(StoreError::WrongShard { .. }));
                if moved && request.routing == Routing::Forward && !deadline.is_over() {
                    pending.extend(part.items);
                } else {
                    parts.push(part);
                }
            }
        }
        Ok(BatchReply { parts })
    }

    /// Which items belong to which shard now.
    fn cut(&self, request: &BatchRequest, items: Vec<u32>) -> Result<Parts, StoreError> {
        let facts = self.facts.borrow().clone();
        let mut by_shard = Parts::new();
        for at in items {
            let Some(item) = request.items.get(at as usize) else { continue };
            let shard = facts.shard_of(request.keyspace, Slot::of(&item.key));
            by_shard.entry(shard.ok_or_else(no_shards)?).or_default().push(at);
        }
        Ok(by_shard)
    }

    /// The parts by who is to be asked: those that one other node leads go to it in one request.
    fn by_place(&self, cut: Parts, routing: Routing) -> BTreeMap<Option<NodeId>, Parts> {
        let mut places: BTreeMap<Option<NodeId>, Parts> = BTreeMap::new();
        for (shard, items) in cut {
            let leader = match self.place_of(shard) {
                Ok(Place::There(leader)) if routing == Routing::Forward => Some(leader),
                _ => None,
            };
            places.entry(leader).or_default().insert(shard, items);
        }
        places
    }

    /// Writes each part by itself, wherever it is led.
    async fn write_each(
        &self,
        parts: Parts,
        request: &BatchRequest,
        deadline: Deadline,
    ) -> Vec<BatchPart> {
        let written = parts.into_iter().map(|(shard, items)| async move {
            let part = BatchRequest { items: of(request, &items), ..header(request) };
            let written = self.write_part(shard, part, deadline).await;
            BatchPart { items, ..written.unwrap_or_else(|error| self.failed(shard, error)) }
        });
        join_all(written).await
    }

    /// Has another node write the parts that it leads. What it can't write, or can't answer for, is
    /// tried again part by part.
    async fn write_there(
        &self,
        leader: NodeId,
        mut parts: Parts,
        request: &BatchRequest,
        deadline: Deadline,
    ) -> Vec<BatchPart> {
        let Some((shard, _)) = parts.first_key_value().filter(|_| parts.len() > 1) else {
            return self.write_each(parts, request, deadline).await;
        };
        let all: Vec<u32> = parts.values().flatten().copied().collect();
        let passed =
            BatchRequest { items: of(request, &all), routing: Routing::Local, ..header(request) };
        let call = |client: StoreClient, by: Deadline| async move {
            client.write_batch(by.context(), passed).await
        };
        let mut again = header(request);
        let mut written = Vec::new();
        match self.pass_on(*shard, leader, deadline, call).await {
            Ok(reply) => {
                for part in reply.parts {
                    // Whoever is busy is not asked at once again.
                    let again_helps = part.outcome.as_ref().is_err_and(StoreError::is_retriable);
                    if !again_helps && parts.remove(&part.shard).is_some() {
                        let items = part.items.iter().filter_map(|at| all.get(*at as usize));
                        written.push(BatchPart { items: items.copied().collect(), ..part });
                    } else if part.outcome.is_err_and(|error| error.is_unknown()) {
                        again.floor = again.floor.max(SyncPolicy::Quorum);
                    }
                }
            }
            Err(error) if error.is_unknown() => again.floor = again.floor.max(SyncPolicy::Quorum),
            Err(_) => {}
        }
        if !parts.is_empty() {
            again.items.clone_from(&request.items);
            written.extend(self.write_each(parts, &again, deadline).await);
        }
        written
    }

    fn failed(&self, shard: ShardId, error: StoreError) -> BatchPart {
        BatchPart {
            shard,
            items: Vec::new(),
            outcome: Err(error),
            leader: self.leader_of(shard),
            position: None,
            sync: SyncPolicy::default(),
        }
    }

    /// Whether all of a part's keys still belong to the shard.
    fn is_of(&self, shard: ShardId, request: &BatchRequest) -> bool {
        let facts = self.facts.borrow().clone();
        let mut keys = request.items.iter().map(|item| &item.key);
        keys.all(|key| facts.shard_of(request.keyspace, Slot::of(key)) == Some(shard))
    }

    /// Writes the keys of one shard, wherever it is led. Should its slots move meanwhile, the caller
    /// is told, and cuts its batch anew.
    async fn write_part(
        &self,
        shard: ShardId,
        mut request: BatchRequest,
        deadline: Deadline,
    ) -> Result<BatchPart, StoreError> {
        let mut retry = Retry::new(deadline);
        loop {
            let error = match self.place_of(shard) {
                Ok(Place::Here(group)) => match self.part_here(&group, &request, deadline).await {
                    Ok(part) => return Ok(part),
                    Err(error) => error,
                },
                Ok(Place::There(leader)) if request.routing == Routing::Local => {
                    return Err(StoreError::NotLeader { shard, leader: Some(leader) });
                }
                Ok(Place::There(leader)) => {
                    let passed = BatchRequest { routing: Routing::Local, ..request.clone() };
                    let call = |client: StoreClient, by: Deadline| async move {
                        client.write_batch(by.context(), passed).await
                    };
                    match self.pass_on(shard, leader, deadline, call).await {
                        Ok(reply) => match the_only(reply) {
                            Ok(part @ BatchPart { outcome: Ok(_), .. }) => return Ok(part),
                            Ok(BatchPart { outcome: Err(error), .. }) | Err(error) => error,
                        },
                        Err(error) => error,
                    }
                }
                Err(error) => error,
            };
            // A shard that is new may not have heard yet that it owns its slots.
            let elsewhere =
                matches!(error, StoreError::WrongShard { .. }) && !self.is_of(shard, &request);
            if request.routing == Routing::Local || elsewhere || !error.is_retriable() {
                return Err(retry.last_word(error));
            }
            if error.is_unknown() {
                request.floor = request.floor.max(SyncPolicy::Quorum);
            }
            retry.pause_for(self, Some(shard), error).await?;
        }
    }

    async fn part_here(
        &self,
        group: &Group,
        request: &BatchRequest,
        by: Deadline,
    ) -> Result<BatchPart, StoreError> {
        let items = request.items.iter();
        let operations = items.map(|item| self.operation(group, item)).collect();
        let sync = self.sync(request.keyspace, request.sync, request.floor);
        let written = operate(group, Write { operations, sync, by }).await?;
        let refused = |result: &OperationResult| *result == OperationResult::NotOwned;
        if let Some(at) = written.results.iter().position(refused) {
            let slot = request.items.get(at).map_or(Slot(0), |item| Slot::of(&item.key));
            return Err(StoreError::WrongShard { shard: group.shard(), slot: slot.0 });
        }
        Ok(BatchPart {
            shard: group.shard(),
            items: Vec::new(),
            outcome: Ok(written.results),
            leader: Some(self.me),
            position: Some(group.position_of(written.place)),
            sync: written.sync,
        })
    }
}

/// Some of a request's items.
fn of(request: &BatchRequest, items: &[u32]) -> Vec<WriteItem> {
    items.iter().filter_map(|at| request.items.get(*at as usize).cloned()).collect()
}

/// A request's settings, for other items.
fn header(request: &BatchRequest) -> BatchRequest {
    let BatchRequest { keyspace, sync, floor, routing, items: _ } = *request;
    BatchRequest { keyspace, sync, floor, routing, items: Vec::new() }
}

/// The part of a reply to a request for one shard.
fn the_only(mut reply: BatchReply) -> Result<BatchPart, StoreError> {
    match (reply.parts.pop(), reply.parts.is_empty()) {
        (Some(part), true) => Ok(part),
        _ => Err(StoreError::Unknown { why: "the leader cut the batch otherwise".to_owned() }),
    }
}
