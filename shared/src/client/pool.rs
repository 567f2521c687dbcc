//! Connections by address: opened when first needed, shared by all callers, dropped when broken.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use tokio::sync::OnceCell;

use crate::error::WireError;
use crate::ids::ClusterId;
use crate::service::admin::{AdminClient, AdminRequest, AdminResponse};
use crate::service::store::{StoreClient, StoreRequest, StoreResponse};
use crate::wire::connection;
use crate::wire::hello::{Caller, Hello, Service, Welcome, call};
use crate::wire::transport::Dial;

/// How a pool opens its connections.
#[derive(Clone)]
pub struct PoolConfig {
    /// Opens the byte streams.
    pub dial: Arc<dyn Dial>,
    /// Who we say we are.
    pub caller: Caller,
    /// The cluster that is meant; `None`: whichever answers.
    pub cluster: Option<ClusterId>,
}

impl PoolConfig {
    async fn call(
        &self,
        address: &str,
        service: Service,
    ) -> Result<(Welcome, crate::wire::transport::Frames), WireError> {
        let hello = Hello { cluster: self.cluster, caller: self.caller.clone(), service };
        call(self.dial.as_ref(), address, hello).await
    }
}

/// A connection that has lasted so long gets a lifeline beside it.
const LIFELINE_AFTER: Duration = Duration::from_secs(1);

/// Connections of one process. Cloning shares them.
#[derive(Clone)]
pub struct Pool {
    config: PoolConfig,
    stores: Arc<Mutex<HashMap<String, Slot<StoreClient>>>>,
    admins: Arc<Mutex<HashMap<String, Slot<AdminClient>>>>,
}

/// One connection: many callers may wait for the same dial.
type Slot<T> = Arc<OnceCell<Open<T>>>;

#[derive(Clone)]
struct Open<T> {
    client: T,
    /// Cancelled when the connection has ended.
    ended: tokio_util::sync::CancellationToken,
}

impl Pool {
    /// An empty pool.
    pub fn new(config: PoolConfig) -> Self {
        Self { config, stores: Arc::default(), admins: Arc::default() }
    }

    /// The store's client at an address.
    pub async fn store(&self, address: &str) -> Result<StoreClient, WireError> {
        let open = |address: String| self.open_store(address);
        shared(&self.stores, address, open).await
    }

    /// Has the store's connection to an address dialled anew when it is next needed: a call on it
    /// took too long, and what it carries may never arrive.
    pub fn distrust_store(&self, address: &str) {
        self.stores.lock().expect("no holder of this lock panics").remove(address);
    }

    /// The operators' client at an address.
    pub async fn admin(&self, address: &str) -> Result<AdminClient, WireError> {
        let open = |address: String| self.open_admin(address);
        shared(&self.admins, address, open).await
    }

    /// Says Hello at an address, for a service that the caller will speak itself.
    pub async fn call(
        &self,
        address: &str,
        service: Service,
    ) -> Result<(Welcome, crate::wire::transport::Frames), WireError> {
        self.config.call(address, service).await
    }

    async fn open_store(&self, address: String) -> Result<Open<StoreClient>, WireError> {
        let (welcome, frames) = self.call(&address, Service::Store).await?;
        let (channel, connection) = connection::open::<StoreRequest, StoreResponse>(frames);
        let death = death(self.config.clone(), address, welcome);
        Ok(Open { client: channel.into(), ended: run(connection.run_until(death)) })
    }

    async fn open_admin(&self, address: String) -> Result<Open<AdminClient>, WireError> {
        let (_, frames) = self.call(&address, Service::Admin).await?;
        let (channel, connection) = connection::open::<AdminRequest, AdminResponse>(frames);
        Ok(Open { client: channel.into(), ended: run(connection.run()) })
    }
}

/// Ends when the agent at an address has been killed, before its other connections do; never if that
/// can't be known, as where another agent answers there by now.
async fn death(config: PoolConfig, address: String, of: Welcome) {
    // Most commands are over by then.
    tokio::time::sleep(LIFELINE_AFTER).await;
    match config.call(&address, Service::Lifeline).await {
        Ok((welcome, mut lifeline)) if welcome == of => drop(lifeline.next().await),
        Ok(_) => std::future::pending::<()>().await,
        Err(error) => {
            tracing::debug!(%error, "no lifeline");
            std::future::pending::<()>().await;
        }
    }
}

/// Runs a connection; it ends by itself or with its last client.
fn run<E: std::fmt::Display>(
    connection: impl Future<Output = Result<(), E>> + Send + 'static,
) -> tokio_util::sync::CancellationToken {
    let ended = tokio_util::sync::CancellationToken::new();
    let guard = ended.clone().drop_guard();
    tokio::spawn(async move {
        let _guard = guard;
        if let Err(error) = connection.await {
            tracing::debug!(%error, "connection ended");
        }
    });
    ended
}

async fn shared<T: Clone, F, Fut>(
    slots: &Mutex<HashMap<String, Slot<T>>>,
    address: &str,
    open: F,
) -> Result<T, WireError>
where
    F: FnOnce(String) -> Fut,
    Fut: Future<Output = Result<Open<T>, WireError>>,
{
    let slot = {
        let mut slots = slots.lock().expect("no holder of this lock panics");
        let slot = slots.entry(address.to_owned()).or_default();
        if slot.get().is_some_and(|open| open.ended.is_cancelled()) {
            *slot = Slot::default();
        }
        slot.clone()
    };
    let open = slot.get_or_try_init(|| open(address.to_owned())).await?;
    Ok(open.client.clone())
}
