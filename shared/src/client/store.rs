//! Reads and writes with retries: one request id, as many attempts as the deadline allows.

mod attempts;
mod batch;
mod settings;
mod silence;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;

use attempts::{Effect, Tries};
use silence::Heard;

use super::pool::Pool;
use super::routes::RouteTable;
use super::session::{Freshness, Session};
use crate::command::{Expected, RequestId, WriteAction};
use crate::error::StoreError;
use crate::ids::{ClientId, KeyspaceId, ShardId};
use crate::key::Slot;
use crate::service::store::{
    LevelName, ReadLevel, ReadReply, ReadRequest, Routing, ScanReply, ScanRequest, SessionToken,
    StoreClient, WriteItem, WriteReply, WriteRequest,
};
use crate::version::{Hlc, Position};
use crate::view::SyncPolicy;
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
    /// When writes are acknowledged; `None`: as the keyspace says.
    pub sync: Option<SyncPolicy>,
    /// How long one request may take in all.
    pub timeout: Duration,
    /// Milliseconds since 1970, for the HLC of first attempts.
    pub unix_ms: Arc<dyn Fn() -> u64 + Send + Sync>,
}

/// How long one attempt may take before it is given up; a node that answers nobody is not waited for
/// alone that long (`silence`).
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
        /// On the disks of how many voters, of how many, when it is committed and was asked to be
        /// on all of them.
        persisted_by: Option<(u8, u8)>,
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

impl ClientError {
    /// The same as an agent would say it.
    fn into_store_error(self) -> StoreError {
        match self {
            Self::Unknown { persisted_by: Some((persisted_by, voters)), .. } => {
                StoreError::NotEverywhere { persisted_by, voters }
            }
            Self::Unknown { last: why, .. } => StoreError::Unknown { why },
            Self::Unavailable { last: why, .. } => StoreError::Unavailable { why },
            Self::Refused(error) => error,
        }
    }
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
    /// No write is acknowledged earlier than this.
    at_least: SyncPolicy,
    heard: Heard,
}

impl StoreHandle {
    /// A handle over a pool's connections.
    pub fn new(pool: Pool, config: StoreClientConfig) -> Self {
        let routes = Arc::new(Mutex::new(RouteTable::new(config.seeds.clone())));
        Self {
            pool,
            config,
            routes,
            sequence: Arc::default(),
            hlc: Arc::default(),
            session: Session::default(),
            at_least: SyncPolicy::Leader,
            heard: Heard::default(),
        }
    }

    /// A new request id, as of now.
    pub fn request_id(&self) -> RequestId {
        let wall = Hlc::from_unix_ms((self.config.unix_ms)());
        let first_attempt = wall.max(Hlc(self.hlc.load(Ordering::Relaxed)));
        let sequence = self.sequence.fetch_add(1, Ordering::Relaxed) + 1;
        RequestId { client: self.config.client, sequence, first_attempt }
    }

    /// Sets a value, without asking what was there.
    pub async fn put(&self, key: Bytes, value: Bytes) -> Result<WriteReply, ClientError> {
        self.act(key, WriteAction::PutBlind { value, expires: None }).await
    }

    /// Removes a record.
    pub async fn delete(&self, key: Bytes) -> Result<WriteReply, ClientError> {
        self.act(key, WriteAction::Delete).await
    }

    /// Sets a value if the record is as expected.
    pub async fn compare_and_set(
        &self,
        key: Bytes,
        expected: Expected,
        value: Bytes,
    ) -> Result<WriteReply, ClientError> {
        self.act(key, WriteAction::CompareAndSet { expected, value, expires: None }).await
    }

    /// Adds to a counter.
    pub async fn add(&self, key: Bytes, by: i64) -> Result<WriteReply, ClientError> {
        self.act(key, WriteAction::Add { by }).await
    }

    async fn act(&self, key: Bytes, action: WriteAction) -> Result<WriteReply, ClientError> {
        self.write(self.item(key, action), self.config.timeout).await
    }

    /// A write under a new request id.
    pub fn item(&self, key: Bytes, action: WriteAction) -> WriteItem {
        WriteItem { request: self.request_id(), key, action, ttl_ms: None }
    }

    /// Writes under an id that the caller keeps, so that an unknown outcome can be resolved by
    /// sending the same again.
    pub async fn write(
        &self,
        item: WriteItem,
        timeout: Duration,
    ) -> Result<WriteReply, ClientError> {
        let slot = Slot::of(&item.key);
        let request = WriteRequest {
            keyspace: self.config.keyspace,
            item,
            sync: self.config.sync,
            floor: SyncPolicy::Leader,
            routing: Routing::Forward,
        };
        let reply = self
            .attempts((Target::Key(slot), Effect::May), timeout, |client, deadline, tries| {
                let request = WriteRequest { floor: self.floor([slot], tries), ..request.clone() };
                async move { client.write(deadline.context(), request).await }
            })
            .await?;
        self.saw(reply.hlc);
        self.session.wrote(reply.position, reply.sync);
        if let Some(shard) = self.shard(slot) {
            self.routes().led_by(shard, reply.leader);
        }
        Ok(reply)
    }

    /// What a write must be acknowledged with at least: more than the leader's disk when an attempt
    /// before may have taken effect, or the session can't keep track of one more such write.
    fn floor(&self, slots: impl IntoIterator<Item = Slot>, tries: Tries) -> SyncPolicy {
        let full = |slot| self.shard(slot).is_some_and(|shard| self.session.is_full(shard));
        if tries == Tries::Again || slots.into_iter().any(full) {
            self.at_least.max(SyncPolicy::Quorum)
        } else {
            self.at_least
        }
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
        let level = self.level(slot, fresh);
        let token = match &level {
            ReadLevel::Session(token) | ReadLevel::Default(token) => token.clone(),
            _ => SessionToken::default(),
        };
        let keyspace = self.config.keyspace;
        let request = ReadRequest { keyspace, key, level, routing: Routing::Forward };
        let leader = matches!(fresh, Freshness::Linearizable | Freshness::Default);
        let target = if leader { Target::Key(slot) } else { Target::Named };
        let reply = self
            .attempts((target, Effect::None), self.config.timeout, |client, deadline, _| {
                let request = request.clone();
                async move { client.read(deadline.context(), request).await }
            })
            .await?;
        self.saw(reply.hlc);
        self.session.saw(reply.position);
        if reply.level == LevelName::Session {
            self.session.confirmed(&token);
        }
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
            Freshness::Session => ReadLevel::Session(self.token(slot)),
            Freshness::Default => ReadLevel::Default(self.token(slot)),
        }
    }

    fn token(&self, slot: Slot) -> SessionToken {
        let known = self.shard(slot).and_then(|shard| self.session.token(shard));
        // A shard that serves no more may have held this key: only the cluster can tell whether
        // the session still has a past there.
        let gone = || {
            let routes = self.routes();
            let serves = |seen: &Position| routes.serves(seen.shard);
            let mut all = self.session.tokens().into_iter();
            all.find(|token| !token.seen.iter().chain(&token.provisional).all(serves))
        };
        known.or_else(gone).unwrap_or_default()
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
        self.attempts((target, Effect::None), self.config.timeout, |client, deadline, _| {
            let request = request.clone();
            async move { client.scan(deadline.context(), request).await }
        })
        .await
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
