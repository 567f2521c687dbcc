//! The Redis gateway's port to the store: any node serves any key by forwarding.

mod map;
mod page;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use evenkeel_shared::client::Session;
use evenkeel_shared::command::RequestId;
use evenkeel_shared::error::StoreError;
use evenkeel_shared::ids::{ClientId, KeyspaceId};
use evenkeel_shared::key::Slot;
use evenkeel_shared::limits::BATCH_OPERATIONS_MAX;
use evenkeel_shared::service::store::{
    BatchPart, BatchReply, BatchRequest, LevelName, ReadLevel, ReadRequest, Routing, WriteItem,
    WriteRequest,
};
use evenkeel_shared::version::Hlc;
use evenkeel_shared::view::SyncPolicy;
use evenkeel_shared::wire::deadline::Deadline;
use futures::future::try_join_all;

use super::meter::Meter;
use crate::env::Env;
use crate::gateway::{
    About, Answer, KeyValue, Map, Page, Paged, Place, Reading, Seen, SeenRecord, Write, Written,
};
use crate::store::router::Router;

/// The keyspace that Redis clients see.
const KEYSPACE: KeyspaceId = KeyspaceId(1);

/// The store, for Redis clients.
#[derive(Clone)]
pub struct RespStore {
    router: Arc<Router>,
    meter: Arc<Meter>,
    env: Env,
    name: Arc<str>,
    started: Duration,
    client: ClientId,
    sequence: Arc<AtomicU64>,
    /// What this client has seen and written.
    session: Session,
}

impl RespStore {
    /// Serves through a router; all of its clients share one client id, whose window is wide
    /// enough for what a connection keeps in flight.
    pub fn new(router: Arc<Router>, meter: Arc<Meter>, env: &Env, name: &str) -> Self {
        let client = ClientId(env.rng.next_u64());
        let (session, started) = (Session::default(), env.clock.now());
        let (env, name) = (env.clone(), name.into());
        Self { router, meter, env, name, started, client, sequence: Arc::default(), session }
    }

    fn by(&self, deadline: Duration) -> Deadline {
        Deadline::after(deadline.saturating_sub(self.env.clock.now()))
    }

    fn item(&self, write: Write) -> WriteItem {
        let request = RequestId {
            client: self.client,
            sequence: self.sequence.fetch_add(1, Ordering::Relaxed) + 1,
            first_attempt: Hlc::from_unix_ms(self.env.clock.unix_ms()),
        };
        let Write { key, action, ttl_ms } = write;
        WriteItem { request, key, action, ttl_ms }
    }

    async fn write_one(&self, item: WriteItem, by: Deadline) -> Written {
        let (floor, routing) = (SyncPolicy::Leader, Routing::Forward);
        let request = WriteRequest { keyspace: KEYSPACE, item, sync: None, floor, routing };
        let begun = self.meter.begin();
        let reply = self.router.write(request, by).await?;
        self.session.wrote(reply.position, reply.sync);
        self.meter.wrote(begun);
        Ok(reply.result)
    }

    /// As many at once as a batch may hold.
    async fn write_in_pieces(
        &self,
        mut items: Vec<WriteItem>,
        by: Deadline,
    ) -> Result<Vec<Written>, StoreError> {
        let mut outcomes = Vec::with_capacity(items.len());
        while !items.is_empty() {
            let rest = items.split_off(items.len().min(BATCH_OPERATIONS_MAX));
            outcomes.extend(self.write_several(items, by).await?);
            items = rest;
        }
        Ok(outcomes)
    }

    async fn write_several(
        &self,
        items: Vec<WriteItem>,
        by: Deadline,
    ) -> Result<Vec<Written>, StoreError> {
        let count = items.len();
        let (floor, routing) = (SyncPolicy::Leader, Routing::Forward);
        let request = BatchRequest { keyspace: KEYSPACE, items, sync: None, floor, routing };
        let begun = self.meter.begin();
        let BatchReply { parts } = self.router.write_batch(request, by).await?;
        let lost = || Err(StoreError::Unknown { why: "no outcome came".to_owned() });
        let mut outcomes: Vec<Written> = (0..count).map(|_| lost()).collect();
        let done = parts.iter().filter(|part| part.outcome.is_ok());
        for _ in 0..done.map(|part| part.items.len()).sum() {
            self.meter.wrote(begun);
        }
        for part in parts {
            let BatchPart { items, outcome, position, sync, .. } = part;
            if outcome.is_ok() {
                self.session.wrote(position, sync);
            }
            for (nth, at) in items.iter().enumerate() {
                let own = match &outcome {
                    Ok(results) => results.get(nth).cloned().map_or_else(lost, Ok),
                    Err(error) => Err(error.clone()),
                };
                if let Some(place) = outcomes.get_mut(*at as usize) {
                    *place = own;
                }
            }
        }
        Ok(outcomes)
    }

    async fn read_one(&self, key: Bytes, how: Reading, by: Deadline) -> Result<Seen, StoreError> {
        let shard = self.router.shard_of(KEYSPACE, &key);
        let token = shard.and_then(|shard| self.session.token(shard)).unwrap_or_default();
        let level = match how {
            Reading::Usual => ReadLevel::Default(token.clone()),
            Reading::Own => ReadLevel::Any,
        };
        let request = ReadRequest { keyspace: KEYSPACE, key, level, routing: Routing::Forward };
        let reply = match (self.router.read(request, by).await, shard) {
            (Ok(reply), _) => reply,
            (Err(broken @ StoreError::SessionBroken { .. }), Some(shard)) => {
                // It is said once; what follows is a new session.
                self.session.forget(shard);
                return Err(broken);
            }
            (Err(error), _) => return Err(error),
        };
        self.session.saw(reply.position);
        if reply.level == LevelName::Session {
            self.session.confirmed(&token);
        }
        self.meter.read();
        let expires = reply.expires;
        let record = |(value, version)| SeenRecord { value, version, expires };
        Ok(Seen { record: reply.found.map(record), now: reply.hlc })
    }
}

impl KeyValue for RespStore {
    fn connection(&self) -> Arc<dyn KeyValue> {
        Arc::new(Self { session: Session::default(), ..self.clone() })
    }

    fn read(&self, keys: Vec<Bytes>, how: Reading, deadline: Duration) -> Answer<Vec<Seen>> {
        let (store, by) = (self.clone(), self.by(deadline));
        Box::pin(async move {
            try_join_all(keys.into_iter().map(|key| store.read_one(key, how, by))).await
        })
    }

    fn write(&self, writes: Vec<Write>, deadline: Duration) -> Answer<Vec<Written>> {
        let (store, by) = (self.clone(), self.by(deadline));
        let mut items: Vec<WriteItem> = writes.into_iter().map(|write| self.item(write)).collect();
        // What has begun must end, even if the client goes away.
        let written = tokio::spawn(async move {
            match items.len() {
                0 => Ok(Vec::new()),
                1 => match items.pop() {
                    Some(item) => Ok(vec![store.write_one(item, by).await]),
                    None => Ok(Vec::new()),
                },
                _ => store.write_in_pieces(items, by).await,
            }
        });
        Box::pin(async move {
            written
                .await
                .unwrap_or_else(|error| Err(StoreError::Unknown { why: error.to_string() }))
        })
    }

    fn page(&self, page: Page, deadline: Duration) -> Answer<Paged> {
        let (router, by) = (self.router.clone(), self.by(deadline));
        Box::pin(async move { page::read(&router, KEYSPACE, page, by).await })
    }

    fn copies(&self) -> usize {
        self.router.copies_of(KEYSPACE)
    }

    fn map(&self) -> Map {
        map::of(&self.router, KEYSPACE)
    }

    fn place(&self, slot: Slot) -> Place {
        map::place(&self.router, KEYSPACE, slot)
    }

    fn about(&self) -> About {
        About {
            name: self.name.to_string(),
            rss_bytes: self.env.usage.rss_bytes(),
            uptime: self.env.clock.now().saturating_sub(self.started),
            unix_ms: self.env.clock.unix_ms(),
        }
    }
}
