//! Accepts connections and serves each, in one task, the one service that its Hello names.

use std::sync::Arc;

use evenkeel_shared::limits::CONNECTIONS_MAX;
use evenkeel_shared::service::admin::{Admin, AdminRequest, AdminResponse};
use evenkeel_shared::service::peer::{Peer, PeerRequest, PeerResponse};
use evenkeel_shared::service::store::{Store, StoreRequest, StoreResponse};
use evenkeel_shared::wire::codec::ServerTransport;
use evenkeel_shared::wire::hello::{self, Service};
use evenkeel_shared::wire::serve::{serve, server_config};
use evenkeel_shared::wire::transport::{BoxStream, Frames};
use tarpc::server::{BaseChannel, Channel};
use tokio::sync::{OnceCell, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::admin::AdminService;
use super::identity::Identity;
use super::meter::Meter;
use super::peer::PeerService;
use super::store::StoreService;
use super::watch::Feeder;
use crate::env::net::Listener;

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
}

impl Server {
    /// Accepts until the token is cancelled.
    pub async fn run(self, mut listener: Box<dyn Listener>) {
        let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            let permit = room.clone().acquire_owned().await.expect("never closed");
            let accepted = tokio::select! {
                () = self.ended.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, from)) => {
                    let server = self.clone();
                    self.tasks.spawn(async move {
                        let _permit = permit;
                        let ended = server.ended.clone();
                        ended.run_until_cancelled(server.connection(stream, from)).await;
                    });
                }
                // Out of descriptors, most likely: those who are connected go on.
                Err(error) => {
                    tracing::warn!(%error, "can't accept a connection");
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                }
            }
        }
    }

    async fn connection(self, stream: BoxStream, from: std::net::SocketAddr) {
        let judged = hello::answer(stream, |hello| {
            let welcome = self.identity.judge(hello)?;
            if self.services.initialized() {
                Ok(welcome)
            } else {
                Err(format!("{} is starting", self.identity.name()))
            }
        });
        let (hello, frames) = match judged.await {
            Ok(judged) => judged,
            Err(error) => {
                tracing::debug!(%from, %error, "turned a connection away");
                return;
            }
        };
        let Some(services) = self.services.get() else { return };
        let _counted = services.meter.connected();
        match hello.service {
            Service::Peer(_) => serve_peer(frames, services.peer.clone()).await,
            Service::Store => serve_store(frames, services.store.clone()).await,
            Service::Admin => serve_admin(frames, services.admin.clone()).await,
            Service::Watch => services.feeder.clone().feed(frames).await,
        }
    }
}

async fn serve_peer(frames: Frames, service: PeerService) {
    let transport = ServerTransport::<PeerRequest, PeerResponse>::new(frames);
    serve(BaseChannel::new(server_config(), transport).execute(service.serve())).await;
}

async fn serve_store(frames: Frames, service: StoreService) {
    let transport = ServerTransport::<StoreRequest, StoreResponse>::new(frames);
    serve(BaseChannel::new(server_config(), transport).execute(service.serve())).await;
}

async fn serve_admin(frames: Frames, service: AdminService) {
    let transport = ServerTransport::<AdminRequest, AdminResponse>::new(frames);
    serve(BaseChannel::new(server_config(), transport).execute(service.serve())).await;
}
