//! Scans: one page of one shard at a time, from its leader.

use evenkeel_shared::error::StoreError;
use evenkeel_shared::ids::{KeyspaceId, ShardId};
use evenkeel_shared::limits::{SCAN_BYTES_MAX, SCAN_KEYS_MAX};
use evenkeel_shared::service::store::{Routing, ScanItem, ScanReply, ScanRequest, StoreClient};
use evenkeel_shared::wire::deadline::Deadline;

use super::retry::Retry;
use super::{Place, Router, barrier, is_serving, no_shards};
use crate::store::machine::ScanQuery;

impl Router {
    /// Reads one page of a scan.
    pub async fn scan(
        &self,
        request: ScanRequest,
        deadline: Deadline,
    ) -> Result<ScanReply, StoreError> {
        let mut retry = Retry::new(deadline);
        loop {
            let error = match self.scan_once(&request, deadline).await {
                Ok(reply) => return Ok(reply),
                Err(error) => error,
            };
            if request.routing == Routing::Local || !error.is_retriable() {
                return Err(error);
            }
            let shard = request.shard.or_else(|| self.serving(request.keyspace).first().copied());
            retry.pause_read(self, shard, error).await?;
        }
    }

    async fn scan_once(
        &self,
        request: &ScanRequest,
        deadline: Deadline,
    ) -> Result<ScanReply, StoreError> {
        let serving = self.serving(request.keyspace);
        let shard = match request.shard {
            Some(shard) if serving.contains(&shard) => shard,
            Some(shard) => {
                return Err(StoreError::Invalid { why: format!("{shard} serves nobody now") });
            }
            None => *serving.first().ok_or_else(no_shards)?,
        };
        match self.place_of(shard)? {
            Place::There(leader) if request.routing == Routing::Local => {
                Err(StoreError::NotLeader { shard, leader: Some(leader) })
            }
            Place::There(leader) => {
                let passed =
                    ScanRequest { routing: Routing::Local, shard: Some(shard), ..request.clone() };
                let call = |client: StoreClient, by: Deadline| async move {
                    client.scan(by.context(), passed).await
                };
                self.pass_on(shard, leader, deadline, call).await
            }
            Place::Here(group) => {
                barrier(&group, deadline).await?;
                let query = ScanQuery {
                    keyspace: request.keyspace,
                    prefix: request.prefix.clone(),
                    after: request.after.clone(),
                    limit: request.limit.clamp(1, SCAN_KEYS_MAX) as usize,
                    bytes_max: SCAN_BYTES_MAX,
                    keys_only: request.keys_only,
                    now: self.now(&group),
                };
                let machine = group.machine().clone();
                let page = machine
                    .scan(query)
                    .await
                    .map_err(|error| StoreError::Unavailable { why: error.to_string() })?;
                // A leader that is behind the map may not know yet that others own its slots.
                if !group.machine().status().is_open() {
                    let why = format!("{shard} serves nobody now");
                    return Err(StoreError::Unavailable { why });
                }
                let items = page.records.into_iter().map(|found| ScanItem {
                    slot: found.slot,
                    key: found.key,
                    value: found.record.value,
                    version: found.record.version,
                });
                Ok(ScanReply {
                    items: items.collect(),
                    shard,
                    more: page.more,
                    next_shard: serving.into_iter().find(|next| *next > shard),
                    leader: self.me,
                })
            }
        }
    }

    fn serving(&self, keyspace: KeyspaceId) -> Vec<ShardId> {
        let facts = self.facts.borrow().clone();
        let shards = facts.shards.values();
        shards.filter(|s| is_serving(s) && s.keyspace == keyspace).map(|s| s.id).collect()
    }
}
