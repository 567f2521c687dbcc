//! The Rust client as a journey uses it: the same code as the command line's, held open.
//!
//! Whatever it says about a write is what the client library says; nothing is smoothed.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use evenkeel_shared::client::{
    ClientError, Freshness, Pool, PoolConfig, StoreClientConfig, StoreHandle,
};
use evenkeel_shared::ids::{ClientId, KeyspaceId};
use evenkeel_shared::service::store::{ReadReply, WriteReply};
use evenkeel_shared::view::SyncPolicy;
use evenkeel_shared::wire::hello::Caller;
use evenkeel_shared::wire::tcp::Tcp;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::clock::unix_ms;
use crate::network::Network;

/// Longest that one request may take.
const REQUEST_MAX: Duration = Duration::from_secs(20);
/// Requests under way at once when many keys are read.
const AT_ONCE: usize = 16;

/// A client, and the runtime that it works on.
#[derive(Clone)]
pub struct Client {
    pub(crate) runtime: Arc<Runtime>,
    pub(crate) store: StoreHandle,
}

impl Client {
    /// A client that begins with these agents.
    pub fn new(seeds: Vec<String>) -> Self {
        Self::on(Arc::new(Network::Own.runtime()), seeds)
    }

    /// A client that works on this runtime.
    pub(crate) fn on(runtime: Arc<Runtime>, seeds: Vec<String>) -> Self {
        let caller = Caller::Client("journeys".to_owned());
        let pool = Pool::new(PoolConfig { dial: Arc::new(Tcp), caller, cluster: None });
        let store = StoreHandle::new(
            pool,
            StoreClientConfig {
                seeds,
                client: ClientId(random()),
                keyspace: KeyspaceId(1),
                sync: None,
                timeout: REQUEST_MAX,
                unix_ms: Arc::new(unix_ms),
            },
        );
        Self { runtime, store }
    }

    /// Sets keys, a few at a time; every one must be acknowledged.
    pub fn put_all(&self, records: impl Iterator<Item = (String, Bytes)>) {
        let store = self.store.clone();
        let records: Vec<_> = records.collect();
        self.runtime.block_on(each(records, move |(key, value)| {
            let store = store.clone();
            async move {
                let reply = store.put(key.clone().into(), value).await;
                assert!(is_done(&reply), "{key}: {reply:?}");
                None
            }
        }));
    }

    /// The keys that don't read back as these values, with what was read.
    pub fn wrong(&self, records: Vec<(String, Bytes)>) -> Vec<String> {
        let store = self.store.clone();
        self.runtime.block_on(each(records, move |(key, value)| {
            let store = store.clone();
            async move {
                let found = match store.get(key.clone().into()).await {
                    Ok(reply) => reply.found.map(|(found, _)| found),
                    Err(error) => return Some(format!("{key}: {error}")),
                };
                (found.as_ref() != Some(&value)).then(|| format!("{key}: {found:?}"))
            }
        }))
    }
}

impl Client {
    /// Sets a key, acknowledged as the policy says; a handle goes on with what it has seen.
    pub fn put(&self, sync: SyncPolicy, key: &str, value: &str) -> Result<WriteReply, ClientError> {
        let store = self.store.clone().with_sync(Some(sync));
        self.runtime.block_on(store.put(key.to_owned().into(), value.to_owned().into()))
    }

    /// Reads a key, never less than what this client has seen and written.
    pub fn get_in_session(&self, key: &str) -> Result<ReadReply, ClientError> {
        self.runtime.block_on(self.store.get_at(key.to_owned().into(), Freshness::Session))
    }
}

/// Whether a write was acknowledged.
pub(crate) fn is_done(reply: &Result<WriteReply, ClientError>) -> bool {
    matches!(reply, Ok(reply) if reply.result.is_done())
}

/// Does the same with each item, a few at a time; what each has to say is gathered.
async fn each<T, F>(items: Vec<T>, work: impl Fn(T) -> F) -> Vec<String>
where
    F: Future<Output = Option<String>> + Send + 'static,
{
    let mut tasks = JoinSet::new();
    let mut said = Vec::new();
    for item in items {
        if tasks.len() >= AT_ONCE {
            said.extend(tasks.join_next().await.expect("some are under way").expect("no panic"));
        }
        tasks.spawn(work(item));
    }
    while let Some(done) = tasks.join_next().await {
        said.extend(done.expect("no panic"));
    }
    said
}

/// 64 bits that no other client has drawn: std seeds its hasher from the system's randomness.
fn random() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(unix_ms())
}
