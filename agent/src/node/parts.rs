//! The parts of an agent that belongs to a cluster: opened in order, run together.

use std::sync::{Arc, Mutex};

use evenkeel_shared::client::{Pool, PoolConfig};
use evenkeel_shared::ids::ShardId;
use evenkeel_shared::view::{ClusterFacts, JoinRequest};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::control::{Control, ControlPorts};
use super::enter::Entrance;
use super::files::{open_data, open_log};
use super::ledger::FolderLedger;
use super::load::LoadSampler;
use super::ports::{HeldGroups, LanePeers, LatePulse};
use super::probe::Probe;
use super::{Addresses, Fittings, NodeError, events, stop, upkeep};
use crate::config::Config;
use crate::control::Controller;
use crate::control::files::Collector;
use crate::control::scrub::Scrub;
use crate::env::Env;
use crate::env::net::Listener;
use crate::folder::{Folder, Membership};
use crate::gateway::http::Http;
use crate::gateway::resp::Resp;
use crate::heartbeat::{Pulse, PulseConfig, PulseEvent};
use crate::rpc::admin::AdminService;
use crate::rpc::identity::Identity;
use crate::rpc::links::{Evidence, Links};
use crate::rpc::meter::Meter;
use crate::rpc::monitored::Observations;
use crate::rpc::peer::PeerService;
use crate::rpc::resp::RespStore;
use crate::rpc::server::{Server, Services};
use crate::rpc::store::StoreService;
use crate::rpc::watch::Feeder;
use crate::store::engine::Engine;
use crate::store::group::{Group, GroupPorts, Queued};
use crate::store::ledger::Ledger;
use crate::store::replicas::{OpenError, Replicas};
use crate::store::router::Router;
use crate::store::wal::{ReplicaKey, Wal};
use crate::strangers::Strangers;

/// What parts are opened from.
pub(super) struct Opening {
    pub(super) env: Env,
    pub(super) config: Config,
    pub(super) identity: Arc<Identity>,
    pub(super) membership: Membership,
    pub(super) request: JoinRequest,
    pub(super) folder: Folder,
    pub(super) fittings: Fittings,
    pub(super) ended: CancellationToken,
}

/// Everything that runs.
pub(super) struct Parts {
    pub(super) env: Env,
    pub(super) config: Config,
    pub(super) membership: Membership,
    pub(super) request: JoinRequest,
    pub(super) folder: Arc<Mutex<Folder>>,
    pub(super) ended: CancellationToken,
    pub(super) wal: Wal,
    pub(super) replicas: Arc<Replicas>,
    pub(super) links: Arc<Links>,
    pub(super) pulse: Arc<Pulse>,
    pub(super) router: Arc<Router>,
    pub(super) control: Control,
    pub(super) groups: Arc<HeldGroups>,
    pub(super) system_group: Arc<Group>,
    pub(super) meter: Arc<Meter>,
    pub(super) facts: watch::Receiver<Arc<ClusterFacts>>,
    evidence: mpsc::UnboundedReceiver<Evidence>,
    pulse_events: mpsc::UnboundedReceiver<PulseEvent>,
}

/// Listeners for other people's clients; what was not asked for is absent.
pub(super) struct Gateways {
    pub(super) resp: Option<Box<dyn Listener>>,
    pub(super) resp_cluster: Option<Box<dyn Listener>>,
    pub(super) http: Option<Box<dyn Listener>>,
}

impl Parts {
    /// Opens everything; nothing runs yet but what the parts themselves need.
    pub(super) async fn open(opening: Opening) -> Result<Self, NodeError> {
        let Opening { env, config, identity, membership, request, folder, fittings, ended } =
            opening;
        let me = membership.node;
        let wal = open_log(&env, &config.data, fittings.log).await?;
        let engine = open_data(&env, &config.data, fittings.engine).await?;
        let (links, evidence) = Links::new(env.clone(), identity.clone(), ended.clone());
        let late = LatePulse::default();
        let ports = GroupPorts {
            env: env.clone(),
            wal: wal.clone(),
            link: Arc::new(links.clone()),
            lease: Arc::new(late.clone()),
            queued: Queued::default(),
        };
        let folder = Arc::new(Mutex::new(folder));
        let ledger = FolderLedger { folder: folder.clone(), work: env.work.clone() };
        let replicas = open_replicas(ports, engine, Arc::new(ledger), fittings.probe);
        let entrance =
            Entrance { env: &env, config: &config, identity: &identity, request: request.clone() };
        let (membership, system_group) =
            open_system(&replicas, &folder, membership, &entrance).await?;
        let facts = system_group.machine().facts();
        links.follow(&known_addresses(&facts.borrow(), &folder, &membership));

        let pool = Pool::new(PoolConfig {
            dial: env.net.clone(),
            caller: identity.caller(),
            cluster: Some(membership.cluster),
        });
        let router = router(&env, me, (replicas.clone(), facts.clone()), (&late, &pool));
        let meter = Meter::new(env.clock.clone());
        let load = LoadSampler::new(env.clone(), config.data.clone(), meter.clone(), wal.clone());
        let groups = HeldGroups::new(replicas.clone(), facts.clone(), load, (&env, wal.clone()));
        let groups = Arc::new(groups);
        let (incarnation, seed) = (identity.incarnation(), env.rng.next_u64());
        let peers = Arc::new(LanePeers(links.clone()));
        let (pulse, pulse_events) = Pulse::new(
            PulseConfig { me, incarnation, seed },
            env.clock.clone(),
            groups.clone(),
            peers,
        );
        late.set(pulse.clone());

        let started = ControlPorts { env: &env, config: &config, identity: &identity };
        let control = Control::open(
            &started,
            (links.clone(), pool, router.clone()),
            (pulse.clone(), groups.clone(), system_group.clone()),
        );
        Ok(Self {
            env,
            config,
            membership,
            request,
            folder,
            ended,
            wal,
            replicas,
            links,
            pulse,
            router,
            control,
            groups,
            system_group,
            meter,
            facts,
            evidence,
            pulse_events,
        })
    }

    /// Runs until `stop` ends or the disk fails, then stops in reverse.
    pub(super) async fn run(
        mut self,
        server: &Server,
        gateways: Gateways,
        stop: impl Future<Output = ()>,
    ) -> Result<(), NodeError> {
        let (_, no_evidence) = mpsc::unbounded_channel();
        let (_, no_events) = mpsc::unbounded_channel();
        let evidence = std::mem::replace(&mut self.evidence, no_evidence);
        let pulse_events = std::mem::replace(&mut self.pulse_events, no_events);
        let parts = Arc::new(self);
        // The server waits for this; it is set once, here.
        let _ = server.services.set(parts.services());

        let tasks = &server.tasks;
        let ended = parts.ended.clone();
        let start = |task: futures::future::BoxFuture<'static, ()>| {
            let ended = ended.clone();
            tasks.spawn(async move { ended.run_until_cancelled(task).await });
        };
        start(Box::pin(parts.pulse.clone().run()));
        start(Box::pin(upkeep::take_evidence(parts.pulse.clone(), evidence)));
        start(Box::pin(upkeep::found(parts.clone())));
        start(Box::pin(upkeep::follow_facts(parts.clone())));
        start(Box::pin(upkeep::lead_shards(parts.clone())));
        start(Box::pin(upkeep::announce(parts.clone())));
        start(Box::pin(upkeep::trim_logs(parts.clone())));
        start(Box::pin(upkeep::canary(parts.clone())));
        start(Box::pin(stop::shed(parts.clone())));
        start(Box::pin(events::write(parts.clone(), pulse_events)));
        start(Box::pin(parts.control.journal.clone().run(parts.control.system.clone())));
        start(Box::pin(parts.scrub().run()));
        start(Box::pin(parts.collector().run()));
        start(Box::pin(Controller::new(parts.control.operator.clone()).run()));
        let for_redis = [(gateways.resp, false), (gateways.resp_cluster, true)];
        for (listener, finds_way) in for_redis {
            let Some(listener) = listener else { continue };
            let resp = parts.redis(&server.strangers, finds_way);
            tasks.spawn(resp.serve(listener, parts.ended.child_token()));
        }
        if let Some(listener) = gateways.http {
            let monitored = Arc::new(Observations(parts.control.operator.clone()));
            let http = Http::new(monitored, server.strangers.clone());
            tasks.spawn(http.serve(listener, parts.ended.child_token()));
        }

        let mut fatal = parts.wal.fatal();
        let failed = async move {
            // The sender lives as long as the log.
            match fatal.wait_for(Option::is_some).await {
                Ok(why) => why.clone().unwrap_or_default(),
                Err(_) => "the log has ended".to_owned(),
            }
        };
        tokio::select! {
            () = stop => {
                stop::gracefully(&parts).await;
                Ok(())
            }
            why = failed => Err(NodeError::Fatal { why }),
            why = upkeep::tend(parts.clone()) => Err(NodeError::Fatal { why }),
        }
    }

    fn scrub(&self) -> Scrub {
        Scrub {
            env: self.env.clone(),
            system: self.control.system.clone(),
            journal: self.control.journal.clone(),
            interval: self.config.scrub,
        }
    }

    fn collector(&self) -> Collector {
        let Control { system, journal, observer, .. } = &self.control;
        Collector::new(self.env.clone(), system.clone(), journal.clone(), observer.clone())
    }

    fn services(&self) -> Services {
        Services {
            peer: PeerService {
                replicas: self.replicas.clone(),
                pulse: self.pulse.clone(),
                system: self.control.system.clone(),
            },
            store: StoreService { router: self.router.clone(), meter: self.meter.clone() },
            admin: AdminService { operator: self.control.operator.clone() },
            feeder: Arc::new(Feeder::new(self.control.observer.clone())),
            meter: self.meter.clone(),
        }
    }
}

fn open_replicas(
    ports: GroupPorts,
    engine: Arc<dyn Engine>,
    ledger: Arc<dyn Ledger>,
    probe: Option<Box<dyn FnOnce(Probe) + Send>>,
) -> Arc<Replicas> {
    let replicas = Arc::new(Replicas::new(ports, engine, ledger));
    if let Some(take) = probe {
        take(Probe::new(Arc::downgrade(&replicas)));
    }
    replicas
}

/// Opens the system shard's copy; one that is damaged is replaced first.
async fn open_system(
    replicas: &Replicas,
    folder: &Mutex<Folder>,
    membership: Membership,
    entrance: &Entrance<'_>,
) -> Result<(Membership, Arc<Group>), NodeError> {
    let open = async |membership: Membership| {
        let (history, replica) = (membership.system_history, membership.system_replica);
        replicas.open(ReplicaKey { shard: ShardId::SYSTEM, history, replica }).await
    };
    let failed =
        |error: OpenError| NodeError::Open { what: "the system shard", why: error.to_string() };
    match open(membership).await {
        Ok(group) => Ok((membership, group)),
        Err(OpenError::Damaged { why }) => {
            tracing::error!(why, "the copy of the system shard is damaged: asking for a new one");
            let membership = entrance.readmit(folder, membership).await?;
            tracing::info!(replica = %membership.system_replica, "got a new one");
            Ok((membership, open(membership).await.map_err(failed)?))
        }
        Err(error) => Err(failed(error)),
    }
}

fn router(
    env: &Env,
    me: evenkeel_shared::ids::NodeId,
    (replicas, facts): (Arc<Replicas>, watch::Receiver<Arc<ClusterFacts>>),
    (late, pool): (&LatePulse, &Pool),
) -> Arc<Router> {
    Arc::new(Router {
        me,
        replicas,
        facts,
        leaders: Arc::new(late.clone()),
        pool: pool.clone(),
        clock: env.clock.clone(),
    })
}

impl Parts {
    /// The store for Redis clients, who find the way to leaders themselves or not.
    fn redis(&self, strangers: &Arc<Strangers>, finds_way: bool) -> Resp {
        let (router, meter) = (self.router.clone(), self.meter.clone());
        let store = RespStore::new(router, meter, &self.env, &self.config.name);
        Resp {
            store: Arc::new(store),
            clock: self.env.clock.clone(),
            rng: self.env.rng.clone(),
            strangers: strangers.clone(),
            finds_way,
            connected: Arc::default(),
        }
    }
}

/// Everybody else, while nothing else holds the folder.
fn known_addresses(
    facts: &ClusterFacts,
    folder: &Mutex<Folder>,
    membership: &Membership,
) -> Addresses {
    let folder = folder.lock().expect("no holder of this lock panics");
    addresses(facts, &folder, membership)
}

/// Everybody else, as the facts say, or as the folder remembers while the facts are not here yet.
pub(super) fn addresses(
    facts: &ClusterFacts,
    folder: &Folder,
    membership: &Membership,
) -> Addresses {
    let known = facts.nodes.values().map(|node| (node.id, node.addresses.rpc.clone()));
    let mut all: Addresses = known.collect();
    if all.is_empty() {
        let peers = &folder.identity().peers;
        all = peers.iter().map(|peer| (peer.node, peer.addresses.rpc.clone())).collect();
    }
    all.remove(&membership.node);
    all
}
