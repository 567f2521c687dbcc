//! The Redis gateway's port to the store: any node serves any key by forwarding.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use evenkeel_shared::client::Session;
use evenkeel_shared::command::{Expected, OperationResult, RequestId, WriteAction};
use evenkeel_shared::error::StoreError;
use evenkeel_shared::ids::{ClientId, KeyspaceId};
use evenkeel_shared::service::store::{
    LevelName, ReadLevel, ReadRequest, Routing, WriteItem, WriteRequest,
};
use evenkeel_shared::version::Hlc;
use evenkeel_shared::view::SyncPolicy;
use evenkeel_shared::wire::deadline::Deadline;
use futures::future::BoxFuture;

use super::meter::Meter;
use crate::env::Env;
use crate::env::clock::Clock;
use crate::gateway::{KeyValue, SetCondition, SetRequest};
use crate::store::router::Router;

/// The keyspace that Redis clients see.
const KEYSPACE: KeyspaceId = KeyspaceId(1);
/// Times that a conditional set is tried when others write the same key meanwhile.
const CONDITION_TRIES: usize = 16;

/// The store, for Redis clients.
#[derive(Clone)]
pub struct RespStore {
    router: Arc<Router>,
    meter: Arc<Meter>,
    clock: Arc<dyn Clock>,
    client: ClientId,
    sequence: Arc<AtomicU64>,
    /// What this client has seen and written.
    session: Session,
}

impl RespStore {
    /// Serves through a router; all of its clients share one client id, whose window is wide
    /// enough for what a connection keeps in flight.
    pub fn new(router: Arc<Router>, meter: Arc<Meter>, env: &Env) -> Self {
        let client = ClientId(env.rng.next_u64());
        let (clock, session) = (env.clock.clone(), Session::default());
        Self { router, meter, clock, client, sequence: Arc::default(), session }
    }

    fn by(&self, deadline: Duration) -> Deadline {
        Deadline::after(deadline.saturating_sub(self.clock.now()))
    }

    async fn write(
        self,
        key: Bytes,
        action: WriteAction,
        by: Deadline,
    ) -> Result<OperationResult, StoreError> {
        let request = RequestId {
            client: self.client,
            sequence: self.sequence.fetch_add(1, Ordering::Relaxed) + 1,
            first_attempt: Hlc::from_unix_ms(self.clock.unix_ms()),
        };
        let request = WriteRequest {
            keyspace: KEYSPACE,
            item: WriteItem { request, key, action, ttl_ms: None },
            sync: None,
            floor: SyncPolicy::Leader,
            routing: Routing::Forward,
        };
        let begun = self.meter.begin();
        // What has begun must end, even if the client goes away.
        let reply = tokio::spawn(async move {
            let reply = self.router.write(request, by).await?;
            self.session.wrote(reply.position, reply.sync);
            self.meter.wrote(begun);
            Ok(reply.result)
        });
        reply.await.unwrap_or_else(|error| Err(StoreError::Unknown { why: error.to_string() }))
    }

    async fn read(
        &self,
        key: Bytes,
        by: Deadline,
    ) -> Result<Option<(Bytes, evenkeel_shared::version::Version)>, StoreError> {
        let shard = self.router.shard_of(KEYSPACE, &key);
        let token = shard.and_then(|shard| self.session.token(shard)).unwrap_or_default();
        let level = ReadLevel::Default(token.clone());
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
        Ok(reply.found)
    }

    async fn set(self, request: SetRequest, by: Deadline) -> Result<bool, StoreError> {
        let SetRequest { key, value, lifetime, condition } = request;
        let expires = lifetime.map(|lifetime| {
            let lifetime_ms = u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX >> 17);
            Hlc::from_unix_ms(self.clock.unix_ms()).plus_ms(lifetime_ms)
        });
        for _ in 0..CONDITION_TRIES {
            let (value, key) = (value.clone(), key.clone());
            let action = match condition {
                SetCondition::Always => WriteAction::Put { value, expires },
                SetCondition::IfAbsent => {
                    WriteAction::CompareAndSet { expected: Expected::Absent, value, expires }
                }
                SetCondition::IfPresent => {
                    let Some((_, version)) = self.read(key.clone(), by).await? else {
                        return Ok(false);
                    };
                    let expected = Expected::Version(version);
                    WriteAction::CompareAndSet { expected, value, expires }
                }
            };
            match self.clone().write(key, action, by).await? {
                OperationResult::Done { .. } | OperationResult::Provisional { .. } => {
                    return Ok(true);
                }
                OperationResult::ConditionFailed { .. } if condition == SetCondition::IfPresent => {
                }
                OperationResult::ConditionFailed { .. } => return Ok(false),
                other => return Err(not_done(&other)),
            }
        }
        Err(StoreError::Busy { what: "the key".to_owned() })
    }
}

impl KeyValue for RespStore {
    fn connection(&self) -> Arc<dyn KeyValue> {
        Arc::new(Self { session: Session::default(), ..self.clone() })
    }

    fn get(
        &self,
        key: Bytes,
        deadline: Duration,
    ) -> BoxFuture<'static, Result<Option<Bytes>, StoreError>> {
        let (store, by) = (self.clone(), self.by(deadline));
        Box::pin(async move { Ok(store.read(key, by).await?.map(|(value, _)| value)) })
    }

    fn put(
        &self,
        request: SetRequest,
        deadline: Duration,
    ) -> BoxFuture<'static, Result<bool, StoreError>> {
        let (store, by) = (self.clone(), self.by(deadline));
        Box::pin(store.set(request, by))
    }

    fn delete(
        &self,
        key: Bytes,
        deadline: Duration,
    ) -> BoxFuture<'static, Result<bool, StoreError>> {
        let (store, by) = (self.clone(), self.by(deadline));
        Box::pin(async move {
            match store.write(key, WriteAction::Delete, by).await? {
                OperationResult::Done { existed, .. } => Ok(existed),
                other => Err(not_done(&other)),
            }
        })
    }
}

fn not_done(result: &OperationResult) -> StoreError {
    let why = match result {
        OperationResult::TooManyClients => "the shard remembers as many clients as it may",
        _ => "the shard no longer knows whether it was done before",
    };
    StoreError::Unknown { why: why.to_owned() }
}
