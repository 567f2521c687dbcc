//! Several keys in one request: those of one shard in one log entry.

use std::collections::BTreeMap;

use futures::future::join_all;

use super::attempts::{Effect, Tries, busy_pause};
use super::{ClientError, RETRY_PAUSE, StoreHandle, Target};
use crate::error::StoreError;
use crate::ids::{NodeId, ShardId};
use crate::key::Slot;
use crate::service::store::{BatchPart, BatchReply, BatchRequest, Routing, WriteItem};
use crate::view::SyncPolicy;
use crate::wire::deadline::Deadline;

impl StoreHandle {
    /// Writes several keys, none of them twice. The keys of one shard are written all or none, and
    /// seen so; what became of each shard's is in the reply. Each leader is sent the keys of all its
    /// shards.
    pub async fn write_batch(&self, items: Vec<WriteItem>) -> Result<BatchReply, ClientError> {
        let cuts = self.by_leader(&items);
        if cuts.len() == 1 {
            return self.write_together(items).await;
        }
        let of = |cut: &[u32]| {
            cut.iter().filter_map(|at| items.get(*at as usize).cloned()).collect::<Vec<_>>()
        };
        let replies = join_all(cuts.iter().map(|cut| self.write_together(of(cut)))).await;
        if replies.iter().all(Result::is_err) {
            // Nothing is known of any key: the error itself tells most.
            let first = replies.into_iter().next();
            return first.unwrap_or_else(|| Ok(BatchReply { parts: Vec::new() }));
        }
        let mut parts = Vec::new();
        for (reply, cut) in replies.into_iter().zip(&cuts) {
            let answered = reply
                .map_or_else(|error| self.without_answer(error, &of(cut)), |reply| reply.parts);
            for part in answered {
                let items = part.items.iter().filter_map(|at| cut.get(*at as usize).copied());
                parts.push(BatchPart { items: items.collect(), ..part });
            }
        }
        Ok(BatchReply { parts })
    }

    /// Which of the items go to the same node: those whose leader is known to be one.
    fn by_leader(&self, items: &[WriteItem]) -> Vec<Vec<u32>> {
        let routes = self.routes();
        let mut cuts: BTreeMap<Option<NodeId>, Vec<u32>> = BTreeMap::new();
        for (at, item) in (0..).zip(items) {
            let leader = routes.leader_of(self.config.keyspace, Slot::of(&item.key));
            cuts.entry(leader).or_default().push(at);
        }
        cuts.into_values().collect()
    }

    /// A part for each shard whose keys got no answer.
    fn without_answer(&self, error: ClientError, items: &[WriteItem]) -> Vec<BatchPart> {
        let error = error.into_store_error();
        let routes = self.routes();
        let mut by_shard: BTreeMap<Option<ShardId>, Vec<u32>> = BTreeMap::new();
        for (at, item) in (0..).zip(items) {
            let shard = routes.shard_of(self.config.keyspace, Slot::of(&item.key));
            by_shard.entry(shard).or_default().push(at);
        }
        let part = |(shard, items): (Option<ShardId>, Vec<u32>)| BatchPart {
            shard: shard.unwrap_or(ShardId::SYSTEM),
            items,
            outcome: Err(error.clone()),
            leader: None,
            position: None,
            sync: SyncPolicy::default(),
        };
        by_shard.into_iter().map(part).collect()
    }

    /// Writes keys that are sent to one node, for as long as there is time.
    async fn write_together(&self, items: Vec<WriteItem>) -> Result<BatchReply, ClientError> {
        let deadline = Deadline::after(self.config.timeout);
        let mut tries = Tries::First;
        let mut pending: Vec<u32> = (0..).take(items.len()).collect();
        let (mut done, mut failed) = (Vec::new(), Vec::new());
        let mut busy = 0;
        loop {
            let sent = pending.iter().filter_map(|at| items.get(*at as usize).cloned()).collect();
            let parts = match self.send_batch(sent, tries, deadline).await {
                Ok(reply) => reply.parts,
                Err(error) if done.is_empty() && failed.is_empty() => return Err(error),
                // What the shards said before stands for what is left.
                Err(_) => {
                    done.append(&mut failed);
                    return Ok(BatchReply { parts: done });
                }
            };
            failed.clear();
            for part in parts {
                let items = part.items.iter().filter_map(|at| pending.get(*at as usize).copied());
                let part = BatchPart { items: items.collect(), ..part };
                match &part.outcome {
                    Err(error) if error.is_unknown() && !deadline.is_over() => {
                        tries = Tries::Again;
                        failed.push(part);
                    }
                    Err(error)
                        if (error.is_retriable() || error.is_busy()) && !deadline.is_over() =>
                    {
                        failed.push(part);
                    }
                    _ => done.push(part),
                }
            }
            if failed.is_empty() {
                return Ok(BatchReply { parts: done });
            }
            pending = failed.iter().flat_map(|part| part.items.iter().copied()).collect();
            let is_busy = |part: &BatchPart| part.outcome.as_ref().is_err_and(StoreError::is_busy);
            let pause = if failed.iter().any(is_busy) {
                busy += 1;
                busy_pause(busy - 1, deadline)
            } else {
                RETRY_PAUSE
            };
            tokio::time::sleep(pause.min(deadline.remaining())).await;
        }
    }

    async fn send_batch(
        &self,
        items: Vec<WriteItem>,
        before: Tries,
        deadline: Deadline,
    ) -> Result<BatchReply, ClientError> {
        let slots: Vec<Slot> = items.iter().map(|item| Slot::of(&item.key)).collect();
        let request = BatchRequest {
            keyspace: self.config.keyspace,
            items,
            sync: self.config.sync,
            floor: SyncPolicy::Leader,
            routing: Routing::Forward,
        };
        let target = slots.first().map_or(Target::Any, |slot| Target::Key(*slot));
        let reply: BatchReply = self
            .attempts((target, Effect::May), deadline.remaining(), |client, deadline, tries| {
                let tries = if before == Tries::Again { before } else { tries };
                let floor = self.floor(slots.iter().copied(), tries);
                let request = BatchRequest { floor, ..request.clone() };
                async move { client.write_batch(deadline.context(), request).await }
            })
            .await?;
        for part in &reply.parts {
            self.session.wrote(part.position, part.sync);
            if let Some(leader) = part.leader {
                self.routes().led_by(part.shard, leader);
            }
        }
        Ok(reply)
    }
}
