//! Several keys in one request: those of one shard in one log entry.

use super::attempts::Tries;
use super::{ClientError, RETRY_PAUSE, StoreHandle, Target};
use crate::key::Slot;
use crate::service::store::{BatchPart, BatchReply, BatchRequest, Routing, WriteItem};
use crate::view::SyncPolicy;
use crate::wire::deadline::Deadline;

impl StoreHandle {
    /// Writes several keys, none of them twice. The keys of one shard are written all or none, and
    /// seen so; what became of each shard's is in the reply.
    pub async fn write_batch(&self, items: Vec<WriteItem>) -> Result<BatchReply, ClientError> {
        let deadline = Deadline::after(self.config.timeout);
        let mut tries = Tries::First;
        let mut pending: Vec<u32> = (0..).take(items.len()).collect();
        let (mut done, mut failed) = (Vec::new(), Vec::new());
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
                    Err(error) if error.is_retriable() && !deadline.is_over() => failed.push(part),
                    _ => done.push(part),
                }
            }
            if failed.is_empty() {
                return Ok(BatchReply { parts: done });
            }
            pending = failed.iter().flat_map(|part| part.items.iter().copied()).collect();
            tokio::time::sleep(RETRY_PAUSE.min(deadline.remaining())).await;
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
            .attempts(target, deadline.remaining(), |client, deadline, tries| {
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
