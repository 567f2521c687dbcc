//! One replica of one shard: Raft, its log, its state machine, and the tasks that feed them.
//!
//! Nothing here trusts "I am leader": writes are proposed, reads go through `ReadIndex` (safety
//! rule 10).

#[cfg(feature = "planted-bugs")]
mod early;
mod inbound;
mod membership;
mod probe;
mod proposer;
mod queue;
mod reader;
mod salvage;
mod status;
mod transfer;
mod waits;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use evenkeel_shared::command::{Applied, Command, Operation, WriteAction};
use evenkeel_shared::error::StoreError;
use evenkeel_shared::ids::{NodeId, ReplicaId, ShardId};
use evenkeel_shared::limits::{CLIENT_LEASE, HLC_AHEAD_MAX};
use evenkeel_shared::version::{Hlc, Position};
use openraft::async_runtime::WatchReceiver;
use openraft::{EmptyNode, ServerState};
use tokio_util::sync::CancellationToken;

use super::machine::Machine;
use super::network::Network;
use super::peers::{Elections, PeerLink};
use super::raft::{Metrics, MetricsWatch, Raft};
use super::settings::raft_config;
use super::wal::{ReplicaKey, Wal};
use crate::env::Env;
use crate::planted::{self, Bug};

pub use inbound::Inbound;
use probe::Probe;
pub use proposer::{Proposer, Queued, Write, Written};
pub use status::{GroupStatus, Members};
use transfer::HandOver;

/// A leader that leaves something unanswered for this long leads in name only.
const STALLED_AFTER: Duration = Duration::from_secs(1);

/// What a group needs of the node that holds it.
#[derive(Clone)]
pub struct GroupPorts {
    /// The world.
    pub env: Env,
    /// The log of all replicas.
    pub wal: Wal,
    /// Other nodes.
    pub link: Arc<dyn PeerLink>,
    /// When votes may be given.
    pub lease: Arc<dyn Elections>,
    /// What writes of all replicas hold while they wait.
    pub queued: Queued,
}

/// One replica of one shard.
pub struct Group {
    key: ReplicaKey,
    raft: Raft,
    /// Kept rather than made at each look: that touches memory which an idle shard has let go cold.
    metrics: MetricsWatch,
    machine: Machine,
    wal: Wal,
    env: Env,
    proposer: Proposer,
    reads: reader::ReadGate,
    probe: Probe,
    inbound: Inbound,
    /// Cleared while a majority of voters does not back the leadership (safety rule 7).
    backed: AtomicBool,
    /// Why no writes are taken, while there is no room for them.
    no_room: Mutex<Option<StoreError>>,
    /// The last hand-over that was begun: openraft itself never ends one.
    handing_over: Mutex<Option<HandOver>>,
    /// Held while leadership is handed over.
    transferring: tokio::sync::Mutex<()>,
    operations: AtomicU64,
    members: Mutex<Arc<Members>>,
    tasks: CancellationToken,
}

impl Group {
    /// Opens a replica over its log and its state machine. It says nothing until it is asked.
    pub async fn open(
        ports: GroupPorts,
        key: ReplicaKey,
        machine: Machine,
    ) -> Result<Arc<Self>, StoreError> {
        let network = Network {
            key,
            link: ports.link.clone(),
            rng: ports.env.rng.clone(),
            work: ports.env.work.clone(),
        };
        let log = ports.wal.replica(key);
        let notices = log.notices();
        let raft = Raft::new(key.replica, raft_config(), network, log, machine.clone())
            .await
            .map_err(|error| StoreError::Refused { why: format!("{}: {error}", key.shard) })?;
        let tasks = CancellationToken::new();
        let proposer = Proposer::start(
            raft.clone(),
            machine.clone(),
            ports.env.clone(),
            notices,
            ports.queued,
            &tasks,
        );
        let clock = ports.env.clock.clone();
        let reads = reader::ReadGate::start(raft.clone(), key.shard, clock, &tasks);
        tokio::spawn(
            tasks.clone().run_until_cancelled_owned(tell_roles(raft.clone(), ports.lease.clone())),
        );
        let inbound = Inbound::new(raft.clone(), machine.clone(), key, ports.lease.clone());
        let metrics = raft.metrics();
        let members = Members::of(&metrics.borrow_watched());
        Ok(Arc::new(Self {
            key,
            raft,
            metrics,
            machine,
            wal: ports.wal,
            env: ports.env,
            proposer,
            reads,
            probe: Probe::default(),
            inbound,
            backed: AtomicBool::new(true),
            no_room: Mutex::default(),
            handing_over: Mutex::default(),
            transferring: tokio::sync::Mutex::default(),
            operations: AtomicU64::new(0),
            members: Mutex::new(Arc::new(members)),
            tasks,
        }))
    }

    /// Which replica this is.
    pub fn key(&self) -> ReplicaKey {
        self.key
    }

    /// Which shard this is.
    pub fn shard(&self) -> ShardId {
        self.key.shard
    }

    /// What is stored.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// What other replicas say to this one.
    pub fn inbound(&self) -> &Inbound {
        &self.inbound
    }

    /// Whether Raft believes that this replica leads.
    pub fn is_leader(&self) -> bool {
        self.metrics.borrow_watched().state == ServerState::Leader
    }

    /// The node that leads, as this replica believes.
    pub fn leader_node(&self) -> Option<NodeId> {
        self.metrics.borrow_watched().current_leader.map(ReplicaId::node)
    }

    /// Whether its Raft core has ended.
    pub fn has_ended(&self) -> bool {
        let metrics = self.metrics.borrow_watched();
        metrics.running_state.is_err() || metrics.state == ServerState::Shutdown
    }

    /// How far this copy has applied the shard's log.
    pub fn position(&self) -> Option<Position> {
        self.machine.status().applied.map(|place| self.position_of(place))
    }

    /// A place in this replica's log, as sessions remember it.
    pub fn position_of(&self, (term, index): (u64, u64)) -> Position {
        Position { shard: self.key.shard, history: self.key.history, term, index }
    }

    /// The term that it is in.
    pub fn term(&self) -> u64 {
        self.metrics.borrow_watched().current_term
    }

    /// Whether proposals, a read's round or a probe of the Raft core have been under way for too
    /// long without an answer: it leads in name only (safety rule 6).
    pub fn is_stalled(&self, now: Duration) -> bool {
        let waits = [self.proposer.waits(), self.reads.waits(), self.probe.waits()];
        waits.into_iter().any(|waits| waits.is_over(STALLED_AFTER, now))
    }

    /// Asks the Raft core for a sign of life, once in a while; nobody waits for it.
    pub fn probe(&self, now: Duration) {
        self.probe.ask(&self.raft, now);
    }

    /// Whether anybody has initialised the shard here.
    pub async fn is_initialized(&self) -> bool {
        self.raft.is_initialized().await.unwrap_or(false)
    }

    /// Initialises the shard with exactly these voters; harmless when it has been done.
    pub async fn initialize(&self, voters: &[ReplicaId]) -> Result<(), StoreError> {
        #[expect(clippy::zero_sized_map_values, reason = "openraft keeps members in a map")]
        let members: BTreeMap<ReplicaId, EmptyNode> =
            voters.iter().map(|replica| (*replica, EmptyNode::default())).collect();
        if self.is_initialized().await {
            return Ok(());
        }
        self.raft
            .initialize(members)
            .await
            .map_err(|error| StoreError::Refused { why: format!("{}: {error}", self.key.shard) })
    }

    /// Stands for election now. The caller has canvassed.
    pub async fn elect(&self) {
        if let Err(error) = self.raft.trigger().elect(false).await {
            tracing::warn!(shard = %self.key.shard, %error, "can't stand for election");
        }
    }

    /// Sends one append to every follower, so that it is heard.
    pub async fn nudge(&self) {
        if let Err(error) = self.raft.trigger().heartbeat().await {
            tracing::debug!(shard = %self.key.shard, %error, "can't be heard");
        }
    }

    /// Replicates to a returned peer at once instead of after its back-off.
    pub async fn welcome_back(&self, node: NodeId) {
        let metrics = self.metrics();
        if metrics.state != ServerState::Leader {
            return;
        }
        let returned: Vec<ReplicaId> = metrics
            .membership_config
            .membership()
            .nodes()
            .map(|(replica, _)| *replica)
            .filter(|replica| replica.node() == node)
            .collect();
        if !returned.is_empty() {
            // The core may have ended; then there is nothing to speed up.
            let _ = self.raft.trigger().reset_backoff(returned).await;
            // An idle leader says nothing, and who comes back doesn't know what is committed.
            self.nudge().await;
        }
    }

    /// Makes the state durable, so that the log before it may be cut; and cuts a log of large
    /// entries, of which openraft would keep as many as of small ones, to about so many bytes.
    pub async fn trim_log(&self, log_bytes: u64, kept_bytes: u64) {
        let metrics = self.metrics();
        let last = metrics.last_log_index.unwrap_or(0);
        let entries = last.saturating_sub(metrics.purged.map_or(0, |purged| purged.index));
        let kept = u128::from(entries) * u128::from(kept_bytes) / u128::from(log_bytes.max(1));
        let upto = last.saturating_sub(u64::try_from(kept).unwrap_or(u64::MAX));
        let cut = async {
            if metrics.snapshot != metrics.last_applied {
                self.raft.trigger().snapshot().await?;
            }
            if log_bytes > kept_bytes {
                // Never beyond what is durable: the rest goes the next time.
                self.raft.trigger().purge_log(upto).await?;
            }
            Ok::<_, openraft::error::Fatal<_>>(())
        };
        if let Err(error) = cut.await {
            tracing::debug!(shard = %self.key.shard, %error, "can't trim the log");
        }
    }

    /// Says whether a majority of voters backs this leadership.
    pub fn set_backed(&self, backed: Backing) {
        self.backed.store(backed == Backing::Majority, Ordering::Relaxed);
    }

    /// Says why no writes are taken, or that they are.
    pub fn set_no_room(&self, why: Option<StoreError>) {
        *self.no_room.lock().expect("no holder of this lock panics") = why;
    }

    /// Refuses a time that somebody else's clock has run ahead with: it would pull the shard's own
    /// time along.
    fn check_ahead(&self, hlc: Hlc, most: Duration, what: &str) -> Result<(), StoreError> {
        let here = Hlc::from_unix_ms(self.env.clock.unix_ms()).max(self.machine.status().hlc);
        let most_ms = u64::try_from(most.as_millis()).unwrap_or(u64::MAX >> 17);
        if hlc <= here.plus_ms(most_ms) {
            return Ok(());
        }
        let ahead_ms = hlc.unix_ms().saturating_sub(here.unix_ms());
        let why = format!(
            "{what} bears a time {ahead_ms} ms ahead of this node's clock, at most {most_ms} are \
             taken: set the clock of whoever sent it"
        );
        Err(StoreError::Invalid { why })
    }

    /// Deletes make room; everything else needs it.
    fn check_room(&self, operation: &Operation) -> Result<(), StoreError> {
        if matches!(operation.action, WriteAction::Delete) {
            return Ok(());
        }
        match &*self.no_room.lock().expect("no holder of this lock panics") {
            None => Ok(()),
            Some(why) => Err(why.clone()),
        }
    }

    fn check_leads(&self) -> Result<(), StoreError> {
        let shard = self.key.shard;
        if !self.is_leader() {
            return Err(StoreError::NotLeader { shard, leader: self.leader_node() });
        }
        if self.backed.load(Ordering::Relaxed) {
            Ok(())
        } else {
            Err(StoreError::NoQuorum { shard })
        }
    }

    /// Proposes a command and waits until it is applied here.
    pub async fn propose(&self, command: Command) -> Result<Applied, StoreError> {
        self.check_leads()?;
        if let Command::Barrier { hlc } = &command {
            self.check_ahead(*hlc, HLC_AHEAD_MAX, "the cut")?;
        }
        self.proposer.command(command).await
    }

    /// Proposes a client's operations; they share a log entry with others.
    pub async fn operate(&self, write: Write) -> Result<Written, StoreError> {
        self.check_leads()?;
        for operation in &write.operations {
            // A client's row lives as long as its latest time says: a clock far ahead would pin it.
            self.check_ahead(operation.request.first_attempt, CLIENT_LEASE, "the request")?;
            self.check_room(operation)?;
        }
        let count = u64::try_from(write.operations.len()).unwrap_or(u64::MAX);
        self.operations.fetch_add(count, Ordering::Relaxed);
        self.proposer.write(write).await
    }

    /// Waits until everything acknowledged before this call is applied here.
    pub async fn read_barrier(&self) -> Result<(), StoreError> {
        self.check_leads()?;
        self.operations.fetch_add(1, Ordering::Relaxed);
        if planted::has(Bug::StaleRead) {
            return Ok(());
        }
        self.reads.pass().await
    }

    /// Ends the replica's tasks and Raft core; its data stays.
    pub async fn close(&self) {
        self.tasks.cancel();
        if let Err(error) = self.raft.shutdown().await {
            tracing::warn!(shard = %self.key.shard, %error, "raft core ended badly");
        }
    }

    fn metrics(&self) -> Metrics {
        self.metrics.borrow_watched().clone()
    }
}

/// Tells of every change of role or leader, until the core ends.
async fn tell_roles(raft: Raft, elections: Arc<dyn Elections>) {
    let mut seen = raft.server_metrics();
    while seen.changed().await.is_ok() {
        elections.role_changed();
    }
}

/// Whether a leadership is backed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backing {
    /// By a majority of voters.
    Majority,
    /// By fewer.
    Minority,
}

#[cfg(test)]
mod tests;
