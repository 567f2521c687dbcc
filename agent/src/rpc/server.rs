//! Accepts connections and serves each, in one task, the one service that its Hello names.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use evenkeel_shared::limits::{
    ADMIN_REQUESTS_IN_FLIGHT_MAX, AGENT_CONNECTION_BYTES_MAX, CLIENT_CONNECTIONS_MAX,
    CONNECTION_BYTES_MAX, CONNECTIONS_MAX, REQUESTS_IN_FLIGHT_MAX,
};
use evenkeel_shared::service::admin::Admin;
use evenkeel_shared::service::peer::Peer;
use evenkeel_shared::service::store::Store;
use evenkeel_shared::wire::hello::{self, Caller, Hello, Service, Welcome};
use evenkeel_shared::wire::room::Bounds;
use evenkeel_shared::wire::serve::serve_within;
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::admin::AdminService;
use super::identity::Identity;
use super::lifeline;
use super::meter::Meter;
use super::peer::PeerService;
use super::store::StoreService;
use super::watch::Feeder;
use crate::env::faults::Faults;
use crate::env::net::{Accepted, Listener};
use crate::strangers::Strangers;

/// What connections are served with, once the agent has joined.
pub struct Services {
    /// For peers.
    pub peer: PeerService,
    /// For clients.
    pub store: StoreService,
    /// For operators.
    pub admin: AdminService,
    /// For consoles.
    pub feeder: Arc<Feeder>,
    /// Counts connections.
    pub meter: Arc<Meter>,
}

/// Serves one listener.
#[derive(Clone)]
pub struct Server {
    /// Who answers.
    pub identity: Arc<Identity>,
    /// Set once the agent has joined; until then every Hello is turned away with the reason.
    pub services: Arc<OnceCell<Services>>,
    /// Ends accepting and, a moment later, every connection.
    pub ended: CancellationToken,
    /// The tasks of open connections.
    pub tasks: TaskTracker,
    /// Callers who break the rules.
    pub strangers: Arc<Strangers>,
    /// What drills have go wrong.
    pub faults: Option<Arc<Faults>>,
}

/// A connection's place among all, and among those of others than agents once it is one of them.
struct Places {
    clients: Arc<Semaphore>,
    _any: OwnedSemaphorePermit,
    client: Option<OwnedSemaphorePermit>,
}

impl Server {
    /// Accepts until the token is cancelled.
    pub async fn run(self, mut listener: Box<dyn Listener>) {
        let all = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let clients = Arc::new(Semaphore::new(CLIENT_CONNECTIONS_MAX));
        loop {
            let accepted = tokio::select! {
                () = self.ended.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok(accepted) => {
                    if let Ok(any) = all.clone().try_acquire_owned() {
                        let places = Places { clients: clients.clone(), _any: any, client: None };
                        let server = self.clone();
                        self.tasks.spawn(async move {
                            let ended = server.ended.clone();
                            let serving = server.connection(accepted, places);
                            ended.run_until_cancelled(serving).await;
                        });
                    } else {
                        let why = self.full(CONNECTIONS_MAX, "connections");
                        self.strangers.complain(accepted.from, &why);
                        hello::turn_away(accepted.stream, why).await;
                    }
                }
                // Out of descriptors, most likely: those who are connected go on.
                Err(error) => {
                    tracing::warn!(%error, "can't accept a connection");
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                }
            }
        }
    }

    async fn connection(self, accepted: Accepted, mut places: Places) {
        let Accepted { stream, from, kept } = accepted;
        // As it was when the caller was judged: the services may be there a moment later.
        let mut is_early = false;
        let judged = hello::answer(stream, |hello| {
            is_early = !self.services.initialized();
            self.judge(hello, from, &mut places)
        });
        let (hello, frames) = match judged.await {
            Ok(judged) => judged,
            Err(error) => return self.tell(from, &error, is_early),
        };
        let Some(services) = self.services.get() else { return };
        // Only a lifeline is the thread's own affair.
        let kept = kept.filter(|_| hello.service == Service::Lifeline);
        let _counted = services.meter.connected();
        let is_agent = is_agent(&hello);
        let bounds = bounds(&hello);
        // What an agent passes on, it has looked at itself; and its own mistakes are no stranger's.
        let complain = |why: &str| {
            if !is_agent {
                self.strangers.complain(from, why);
            }
        };
        let (peer, store, admin) = (&services.peer, &services.store, &services.admin);
        let served = match hello.service {
            Service::Peer(_) => serve_within(frames, bounds, peer.clone().serve(), complain).await,
            Service::Store => serve_within(frames, bounds, store.clone().serve(), complain).await,
            Service::Admin => serve_within(frames, bounds, admin.clone().serve(), complain).await,
            Service::Lifeline => {
                lifeline::serve(frames, kept).await;
                Ok(())
            }
            Service::Watch => {
                services.feeder.clone().feed(frames).await;
                Ok(())
            }
        };
        if let Err(error) = served {
            self.tell(from, &error, false);
        }
    }

    fn judge(
        &self,
        hello: &Hello,
        from: SocketAddr,
        places: &mut Places,
    ) -> Result<Welcome, String> {
        if let (Some(faults), Caller::Node { id: Some(id), .. }) = (&self.faults, &hello.caller)
            && hello.service != Service::Admin
        {
            faults.identify(from, *id);
        }
        let welcome = self.identity.judge(hello)?;
        if !self.services.initialized() {
            return Err(format!("{} is starting", self.identity.name()));
        }
        // A lifeline stands beside a connection that has a place.
        if !is_agent(hello) && hello.service != Service::Lifeline {
            let place = places.clients.clone().try_acquire_owned();
            let full = |_| self.full(CLIENT_CONNECTIONS_MAX, "connections of clients");
            places.client = Some(place.map_err(full)?);
        }
        Ok(welcome)
    }

    fn full(&self, most: usize, what: &str) -> String {
        format!("{} holds {most} {what} open and takes no more", self.identity.name())
    }

    /// Tells how a connection has ended, if the caller is to blame.
    fn tell(&self, from: SocketAddr, error: &io::Error, is_early: bool) {
        match error.kind() {
            io::ErrorKind::InvalidData | io::ErrorKind::TimedOut => {
                self.strangers.complain(from, &error.to_string());
            }
            io::ErrorKind::PermissionDenied if !is_early => {
                self.strangers.complain(from, &error.to_string());
            }
            // Whoever looks only whether somebody listens, is early, or was killed meanwhile.
            _ => tracing::debug!(%from, %error, "a connection ended"),
        }
    }
}

fn is_agent(hello: &Hello) -> bool {
    matches!(hello.caller, Caller::Node { .. })
}

fn bounds(hello: &Hello) -> Bounds {
    let is_operator = hello.service == Service::Admin;
    Bounds {
        requests_max: if is_operator {
            ADMIN_REQUESTS_IN_FLIGHT_MAX
        } else {
            REQUESTS_IN_FLIGHT_MAX
        },
        bytes_max: if is_agent(hello) { AGENT_CONNECTION_BYTES_MAX } else { CONNECTION_BYTES_MAX },
    }
}
