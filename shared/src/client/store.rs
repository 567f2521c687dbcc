//! Reads and writes with retries: one request id, as many attempts as the deadline allows.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;

use super::pool::Pool;
use super::routes::RouteTable;
use super::session::{Freshness, Session};
use crate::command::{Expected, RequestId, WriteAction};
use crate::error::{StoreError, WireError};
use crate::ids::{ClientId, KeyspaceId, ShardId};
use crate::key::Slot;
use crate::service::store::{
    ReadLevel, ReadReply, ReadRequest, Routing, ScanReply, ScanRequest, StoreClient, WriteReply,
    WriteRequest,
};
use crate::version::Hlc;
use crate::wire::deadline::Deadline;

/// How a store handle works.
#[derive(Clone)]
pub struct StoreClientConfig {
    /// Addresses to begin with.
    pub seeds: Vec<String>,
    /// Drawn at random: two clients must not share it.
    pub client: ClientId,
    /// The keyspace that is read and written.
    pub keyspace: KeyspaceId,
    /// How long one request may take in all.
    pub timeout: Duration,
    /// Milliseconds since 1970, for the HLC of first attempts.
    pub unix_ms: Arc<dyn Fn() -> u64 + Send + Sync>,
}

/// How long one attempt may take before another node is tried: a frozen leader costs this much.
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(1_500);
/// Between attempts that failed at once.
const RETRY_PAUSE: Duration = Duration::from_millis(5);

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The write may or may not have taken effect: read, or retry under the same id.
    #[error("outcome unknown after {attempts} attempts: {last}")]
    Unknown {
        /// How often it was tried.
        attempts: u32,
        /// What the last attempt said.
        last: String,
    },
    /// Nothing was done: the deadline passed without a node that could serve it.
    #[error("no answer after {attempts} attempts: {last}")]
    Unavailable {
        /// How often it was tried.
        attempts: u32,
        /// What the last attempt said.
        last: String,
    },
    /// The request can't succeed as it is.
    #[error(transparent)]
    Refused(#[from] StoreError),
}

/// Reads and writes one keyspace. Cloning shares connections and routes.
#[derive(Clone)]
pub struct StoreHandle {
    pool: Pool,
    config: StoreClientConfig,
    routes: Arc<Mutex<RouteTable>>,
    sequence: Arc<AtomicU64>,
    hlc: Arc<AtomicU64>,
    session: Session,
}

/// One attempt's failure.
enum Failure {
    /// Nothing was done.
    Before(String),
    /// It may have been done.
    Maybe(String),
    /// It can't be done.
    Final(StoreError),
}

impl StoreHandle {
    /// A handle over a pool's connections.
    pub fn new(pool: Pool, config: StoreClientConfig) -> Self {
        let routes = Arc::new(Mutex::new(RouteTable::new(config.seeds.clone())));
        let session = Session::default();
        Self { pool, config, routes, sequence: Arc::default(), hlc: Arc::default(), session }
    }

    /// A new request id, as of now.
    pub fn request_id(&self) -> RequestId {
        let wall = Hlc::from_unix_ms((self.config.unix_ms)());
        let first_attempt = wall.max(Hlc(self.hlc.load(Ordering::Relaxed)));
        let sequence = self.sequence.fetch_add(1, Ordering::Relaxed) + 1;
        RequestId { client: self.config.client, sequence, first_attempt }
    }

    /// Sets a value.
    pub async fn put(&self, key: Bytes, value: Bytes) -> Result<WriteReply, ClientError> {
        let action = WriteAction::Put { value, expires: None };
        self.write(self.request_id(), key, action, self.config.timeout).await
    }

    /// Removes a record.
    pub async fn delete(&self, key: Bytes) -> Result<WriteReply, ClientError> {
        self.write(self.request_id(), key, WriteAction::Delete, self.config.timeout).await
    }

    /// Sets a value if the record is as expected.
    pub async fn compare_and_set(
        &self,
        key: Bytes,
        expected: Expected,
        value: Bytes,
    ) -> Result<WriteReply, ClientError> {
        let action = WriteAction::CompareAndSet { expected, value, expires: None };
        self.write(self.request_id(), key, action, self.config.timeout).await
    }

    /// Adds to a counter.
    pub async fn add(&self, key: Bytes, by: i64) -> Result<WriteReply, ClientError> {
        let action = WriteAction::Add { by };
        self.write(self.request_id(), key, action, self.config.timeout).await
    }

    /// Writes under an id that the caller keeps, so that an unknown outcome can be resolved by
    /// sending the same again.
    pub async fn write(
        &self,
        request: RequestId,
        key: Bytes,
        action: WriteAction,
        timeout: Duration,
    ) -> Result<WriteReply, ClientError> {
        let request = WriteRequest {
            request,
            keyspace: self.config.keyspace,
            key: key.clone(),
            action,
            routing: Routing::Forward,
        };
        let shard = Target::Key(Slot::of(&key));
        let reply = self
            .attempts(shard, timeout, |client, deadline| {
                let request = request.clone();
                async move { client.write(deadline.context(), request).await }
            })
            .await?;
        self.saw(reply.hlc);
        self.session.saw(reply.position);
        if let Some(shard) = self.shard(Slot::of(&key)) {
            self.routes().led_by(shard, reply.leader);
        }
        Ok(reply)
    }

    /// Reads a value at the linearizable level.
    pub async fn get(&self, key: Bytes) -> Result<ReadReply, ClientError> {
        self.get_at(key, Freshness::Linearizable).await
    }

    /// Reads a value that is as fresh as asked for. Below linearizable, any node with a copy may
    /// answer.
    pub async fn get_at(&self, key: Bytes, fresh: Freshness) -> Result<ReadReply, ClientError> {
        let slot = Slot::of(&key);
        if self.routes().is_empty() {
            // What the session has seen is told by shard: the map has to be known first.
            self.learn_any_routes().await;
        }
        let request = ReadRequest {
            keyspace: self.config.keyspace,
            key,
            level: self.level(slot, fresh),
            routing: Routing::Forward,
        };
        let leader = fresh == Freshness::Linearizable;
        let target = if leader { Target::Key(slot) } else { Target::Named };
        let reply = self
            .attempts(target, self.config.timeout, |client, deadline| {
                let request = request.clone();
                async move { client.read(deadline.context(), request).await }
            })
            .await?;
        self.saw(reply.hlc);
        self.session.saw(reply.position);
        if let (Some(shard), Some(leader)) = (self.shard(slot), reply.leader) {
            self.routes().led_by(shard, leader);
        }
        Ok(reply)
    }

    /// What this handle and its clones have seen, to be carried on by another process.
    pub fn session(&self) -> Session {
        self.session.clone()
    }

    /// The same handle, going on with what a session has seen.
    #[must_use]
    pub fn in_session(mut self, session: Session) -> Self {
        self.session = session;
        self
    }

    fn level(&self, slot: Slot, fresh: Freshness) -> ReadLevel {
        match fresh {
            Freshness::Linearizable => ReadLevel::Linearizable,
            Freshness::Any => ReadLevel::Any,
            Freshness::Bounded(age) => {
                ReadLevel::Bounded(u32::try_from(age.as_millis()).unwrap_or(u32::MAX))
            }
            Freshness::Session => {
                let shard = self.shard(slot);
                let seen = shard.and_then(|shard| self.session.position(shard));
                // A shard that serves no more may have held this key: only the cluster can tell
                // whether the session still has a past there.
                let gone = || {
                    let seen = self.session.positions();
                    seen.into_iter().find(|seen| !self.routes().serves(seen.shard))
                };
                ReadLevel::Session(seen.or_else(gone))
            }
        }
    }

    async fn learn_any_routes(&self) {
        let deadline = Deadline::after(self.config.timeout).at_most(ATTEMPT_TIMEOUT);
        let Some(address) = self.choose(Target::Any, None) else { return };
        let dialled = tokio::time::timeout(deadline.remaining(), self.pool.store(&address)).await;
        if let Ok(Ok(client)) = dialled {
            self.learn_routes(&client, deadline).await;
        }
    }

    /// Reads one page of a scan; keyspace and routing are filled in.
    pub async fn scan(&self, page: ScanRequest) -> Result<ScanReply, ClientError> {
        let request =
            ScanRequest { keyspace: self.config.keyspace, routing: Routing::Forward, ..page };
        let target = request.shard.map_or(Target::Any, Target::Shard);
        self.attempts(target, self.config.timeout, |client, deadline| {
            let request = request.clone();
            async move { client.scan(deadline.context(), request).await }
        })
        .await
    }

    /// Tries until it is answered or the time is over.
    async fn attempts<T, F, Fut>(
        &self,
        target: Target,
        timeout: Duration,
        call: F,
    ) -> Result<T, ClientError>
    where
        F: Fn(StoreClient, Deadline) -> Fut,
        Fut: Future<Output = Result<Result<T, StoreError>, tarpc::client::RpcError>>,
    {
        let deadline = Deadline::after(timeout);
        let (mut attempts, mut maybe_done, mut avoid) = (0, false, None::<String>);
        loop {
            attempts += 1;
            let address = self.choose(target, avoid.as_deref());
            let last = match self.attempt(address.as_deref(), deadline, &call).await {
                Ok(reply) => return Ok(reply),
                // A retry that was refused says nothing about the attempt before it.
                Err(Failure::Final(error)) if !maybe_done => return Err(error.into()),
                Err(Failure::Final(error)) => {
                    return Err(ClientError::Unknown { attempts, last: error.to_string() });
                }
                Err(Failure::Before(last)) => last,
                Err(Failure::Maybe(last)) => {
                    maybe_done = true;
                    last
                }
            };
            self.forget_leader(target, address.as_deref());
            avoid = address;
            if deadline.is_over() {
                return Err(if maybe_done {
                    ClientError::Unknown { attempts, last }
                } else {
                    ClientError::Unavailable { attempts, last }
                });
            }
            tokio::time::sleep(RETRY_PAUSE.min(deadline.remaining())).await;
        }
    }

    async fn attempt<T, F, Fut>(
        &self,
        address: Option<&str>,
        deadline: Deadline,
        call: &F,
    ) -> Result<T, Failure>
    where
        F: Fn(StoreClient, Deadline) -> Fut,
        Fut: Future<Output = Result<Result<T, StoreError>, tarpc::client::RpcError>>,
    {
        let address = address.ok_or_else(|| Failure::Before("no address to ask".to_owned()))?;
        let attempt = deadline.at_most(ATTEMPT_TIMEOUT);
        let dialled = tokio::time::timeout(attempt.remaining(), self.pool.store(address)).await;
        let client = match dialled {
            Ok(Ok(client)) => client,
            Ok(Err(error)) => return Err(Failure::Before(describe(&error))),
            Err(_) => return Err(Failure::Before(format!("{address} did not answer in time"))),
        };
        if self.routes().is_empty() {
            self.learn_routes(&client, attempt).await;
        }
        match call(client, attempt).await {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(error @ StoreError::Unknown { .. })) => Err(Failure::Maybe(error.to_string())),
            Ok(Err(error)) if error.is_retriable() => {
                if let StoreError::NotLeader { shard, leader: Some(leader) } = &error {
                    self.routes().led_by(*shard, *leader);
                }
                Err(Failure::Before(error.to_string()))
            }
            Ok(Err(error)) => Err(Failure::Final(error)),
            Err(error) => {
                if matches!(error, tarpc::client::RpcError::DeadlineExceeded) {
                    self.pool.distrust_store(address);
                }
                Err(Failure::Maybe(format!("{address}: {error}")))
            }
        }
    }

    async fn learn_routes(&self, client: &StoreClient, deadline: Deadline) {
        match client.routes(deadline.context()).await {
            Ok(routes) => self.routes().learn(routes),
            Err(error) => tracing::debug!(%error, "no routes"),
        }
    }

    fn choose(&self, target: Target, avoid: Option<&str>) -> Option<String> {
        if matches!(target, Target::Named) {
            return self.routes().named(avoid);
        }
        let shard = self.shard_of(target);
        self.routes().target(shard, avoid)
    }

    fn forget_leader(&self, target: Target, address: Option<&str>) {
        if let (Some(shard), Some(address)) = (self.shard_of(target), address) {
            self.routes().not_led_by(shard, address);
        }
    }

    fn shard_of(&self, target: Target) -> Option<ShardId> {
        match target {
            Target::Key(slot) => self.shard(slot),
            Target::Shard(shard) => Some(shard),
            Target::Any | Target::Named => None,
        }
    }

    fn shard(&self, slot: Slot) -> Option<ShardId> {
        self.routes().shard_of(self.config.keyspace, slot)
    }

    fn routes(&self) -> std::sync::MutexGuard<'_, RouteTable> {
        self.routes.lock().expect("no holder of this lock panics")
    }

    fn saw(&self, hlc: Hlc) {
        self.hlc.fetch_max(hlc.0, Ordering::Relaxed);
    }
}

/// What a request is for.
#[derive(Clone, Copy)]
enum Target {
    Key(Slot),
    Shard(ShardId),
    Any,
    /// One of the nodes that were named at the start.
    Named,
}

/// An error with its causes, in one line.
fn describe(error: &WireError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
