//! Wires the parts of one agent together and stops them in reverse.
//!
//! Nothing here decides: it opens, connects, starts, and waits.

mod control;
mod enter;
mod events;
mod files;
mod ledger;
mod load;
mod parts;
mod ports;
mod probe;
pub mod rescue;
mod stop;
mod upkeep;

use std::collections::BTreeMap;
use std::sync::Arc;

use evenkeel_shared::view::JoinRequest;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::{BoundAddresses, Config, ConfigError};
use crate::env::Env;
use crate::env::faults::Faults;
use crate::env::net::Listener;
use crate::folder::{Folder, FolderError, Opener};
use crate::rpc::identity::Identity;
use crate::rpc::server::Server;
use crate::store::engine::Engine;
use crate::store::wal::WalConfig;
use crate::strangers::Strangers;

pub use probe::{Probe, Sight};

/// Why an agent can't run, each a sentence that says what to try.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// Correct the configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The folder can't be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// Choose another port, or end who has it.
    #[error("can't listen on {address}; choose another port, or end the process that has it")]
    Listen {
        /// The address.
        address: String,
        /// The cause.
        source: std::io::Error,
    },
    /// The cluster does not want this node.
    #[error("the cluster turned this node away: {why}")]
    TurnedAway {
        /// Its sentence.
        why: String,
    },
    /// The log or the data can't be opened.
    #[error("can't open {what}: {why}")]
    Open {
        /// What.
        what: &'static str,
        /// Why.
        why: String,
    },
    /// The disk has failed: nothing that is written can be trusted any more.
    #[error("the log has failed: {why}")]
    Fatal {
        /// Why.
        why: String,
    },
}

/// Listeners that are open before anything else is, so that a taken port is said at once.
struct Listeners {
    rpc: Box<dyn Listener>,
    resp: Option<Box<dyn Listener>>,
    resp_cluster: Option<Box<dyn Listener>>,
    http: Option<Box<dyn Listener>>,
}

/// What the simulation fits differently; the default is an agent in the real world.
#[derive(Default)]
pub struct Fittings {
    /// Where data lies; without one, in the folder.
    pub engine: Option<Arc<dyn Engine>>,
    /// How the log is kept.
    pub log: WalConfig,
    /// Gets a probe of the replicas as soon as they are open.
    pub probe: Option<Box<dyn FnOnce(Probe) + Send>>,
}

/// Runs one agent until `stop` ends or its disk fails. The caller holds the folder's lock.
pub async fn run(
    env: Env,
    config: Config,
    fittings: Fittings,
    stop: impl Future<Output = ()>,
) -> Result<(), NodeError> {
    let env = if config.drills { Faults::between(&env) } else { env };
    let listeners = listen(&env, &config).await?;
    let opener = Opener { name: config.name.clone(), fresh_bits: env.rng.next_u64() };
    let mut folder = {
        let (disk, path) = (env.disk.clone(), config.data.clone());
        env.work.run(move || Folder::open(disk, &path, opener)).await?
    };
    let request = join_request(&config, &listeners, &folder)?;
    let identity = Arc::new(Identity::new(config.name.clone(), folder.identity().incarnation));
    let ended = CancellationToken::new();
    let server = Server {
        identity: identity.clone(),
        services: Arc::default(),
        ended: ended.child_token(),
        tasks: TaskTracker::new(),
        strangers: Strangers::new(env.clock.clone()),
        faults: env.faults.clone(),
    };
    server.tasks.spawn(server.clone().run(listeners.rpc));
    tracing::info!(name = config.name, address = request.addresses.rpc, "listening");

    let outcome = {
        tokio::pin!(stop);
        let entrance = enter::Entrance {
            env: &env,
            config: &config,
            identity: &identity,
            request: request.clone(),
        };
        let membership = tokio::select! {
            entered = entrance.enter(&mut folder) => Some(entered?),
            () = &mut stop => None,
        };
        match membership {
            None => Ok(()),
            Some(membership) => {
                identity.join(membership.cluster, membership.node);
                let opening = parts::Parts::open(parts::Opening {
                    env: env.clone(),
                    config: config.clone(),
                    identity,
                    membership,
                    request,
                    folder,
                    fittings,
                    ended: ended.clone(),
                });
                // A damaged copy of the system shard is replaced while it opens: that may wait.
                let opened = tokio::select! {
                    parts = opening => Some(parts?),
                    () = &mut stop => None,
                };
                let Listeners { resp, resp_cluster, http, .. } = listeners;
                let gateways = parts::Gateways { resp, resp_cluster, http };
                match opened {
                    Some(parts) => parts.run(&server, gateways, stop).await,
                    None => Ok(()),
                }
            }
        }
    };
    ended.cancel();
    server.tasks.close();
    // Connections end with the token; a handler that is stuck is not waited for.
    let _ = tokio::time::timeout(stop::LAST_WAIT, server.tasks.wait()).await;
    outcome
}

async fn listen(env: &Env, config: &Config) -> Result<Listeners, NodeError> {
    let open = |address: String| async move {
        let opened = env.net.listen(&address).await;
        opened.map_err(|source| NodeError::Listen { address, source })
    };
    let rpc = open(config.listen.to_string()).await?;
    let resp = match &config.resp {
        Some(address) => Some(open(address.to_string()).await?),
        None => None,
    };
    let resp_cluster = match &config.resp_cluster {
        Some(address) => Some(open(address.to_string()).await?),
        None => None,
    };
    let http = match &config.http {
        Some(address) => Some(open(address.to_string()).await?),
        None => None,
    };
    Ok(Listeners { rpc, resp, resp_cluster, http })
}

fn join_request(
    config: &Config,
    listeners: &Listeners,
    folder: &Folder,
) -> Result<JoinRequest, NodeError> {
    let port = |listener: &dyn Listener| {
        let bound = listener.local_address();
        bound
            .map(|address| address.port())
            .map_err(|source| NodeError::Listen { address: config.listen.to_string(), source })
    };
    let bound = BoundAddresses {
        rpc: port(listeners.rpc.as_ref())?,
        resp: listeners.resp.as_deref().map(port).transpose()?,
        resp_cluster: listeners.resp_cluster.as_deref().map(port).transpose()?,
        http: listeners.http.as_deref().map(port).transpose()?,
    };
    let known = folder.identity().membership.as_ref();
    Ok(JoinRequest {
        name: config.name.clone(),
        zone: config.zone.clone(),
        capacity: config.capacity,
        addresses: config.addresses(&bound),
        drills: config.drills,
        folder: folder.identity().folder,
        known_as: known.map(|known| (known.cluster, known.node)),
    })
}

/// Where the other nodes are, by number.
type Addresses = BTreeMap<evenkeel_shared::ids::NodeId, String>;
