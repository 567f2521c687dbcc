//! The seams between parts that don't know each other: heartbeats drive the store's groups, the
//! store asks heartbeats who leads.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use evenkeel_shared::error::StoreError;
use evenkeel_shared::heartbeat::{Heartbeat, HeartbeatReply, Load, RaftRole, ReplicaStatus};
use evenkeel_shared::ids::{NodeId, ShardId};
use evenkeel_shared::service::peer::{CanvassAnswer, CanvassQuestion};
use evenkeel_shared::version::Hlc;
use evenkeel_shared::view::{ClusterFacts, Modes};
use evenkeel_shared::wire::deadline::Deadline;
use evenkeel_shared::wire::hello::Lane;
use futures::future::BoxFuture;
use tokio::sync::watch;

use super::load::LoadSampler;
use crate::decide::detector::VerdictState;
use crate::decide::elector::GroupFacts;
use crate::decide::elector::backing::backs;
use crate::decide::facts::name;
use crate::decide::room::{Obstacle, Room};
use crate::env::Env;
use crate::env::clock::Clock;
use crate::heartbeat::Pulse;
use crate::heartbeat::ports::{Groups, Held, Peers};
use crate::rpc::links::Links;
use crate::store::group::{Backing, Group};
use crate::store::peers::Elections;
use crate::store::replicas::Replicas;
use crate::store::router::Leaders;
use crate::store::wal::Wal;

/// A claim whose oldest append has waited longer for the disk is not earned (safety rule 6).
const UNSYNCED_MAX: Duration = Duration::from_secs(1);

/// The pulse, once there is one: the store is opened before heartbeats begin.
#[derive(Clone, Default)]
pub(super) struct LatePulse(Arc<OnceLock<Arc<Pulse>>>);

impl LatePulse {
    pub(super) fn set(&self, pulse: Arc<Pulse>) {
        // Set once, at start; a second value would be the same.
        let _ = self.0.set(pulse);
    }
}

impl Elections for LatePulse {
    fn may_skip_lease(&self, shard: ShardId) -> bool {
        self.0.get().is_some_and(|pulse| pulse.may_skip_lease(shard))
    }

    fn role_changed(&self) {
        if let Some(pulse) = self.0.get() {
            pulse.role_changed();
        }
    }
}

impl Leaders for LatePulse {
    fn leader(&self, shard: ShardId) -> Option<NodeId> {
        self.0.get().and_then(|pulse| pulse.leader(shard))
    }

    fn freshness(&self, shard: ShardId) -> Option<(Duration, u64)> {
        let pulse = self.0.get()?;
        pulse.freshness(shard).map(|fresh| (fresh.age(pulse.now()), fresh.committed))
    }

    fn is_held_dead(&self, node: NodeId) -> bool {
        self.0.get().is_some_and(|pulse| pulse.verdict(node).state == VerdictState::Dead)
    }
}

/// The store's groups, as heartbeats see them.
pub(super) struct HeldGroups {
    replicas: Arc<Replicas>,
    facts: watch::Receiver<Arc<ClusterFacts>>,
    clock: Arc<dyn Clock>,
    load: LoadSampler,
    wal: Wal,
    votes: Mutex<BTreeMap<ShardId, TermSeen>>,
    led: Mutex<BTreeMap<ShardId, TermSeen>>,
    rates: Mutex<BTreeMap<ShardId, RateSeen>>,
}

/// Something of a term, and when it was first seen.
#[derive(Clone, Copy, PartialEq, Eq)]
struct TermSeen {
    term: u64,
    at: Duration,
}

/// Operations counted at a moment, and the rate since the moment before.
#[derive(Clone, Copy, Default)]
struct RateSeen {
    at: Duration,
    operations: u64,
    ops_s: f64,
}

impl HeldGroups {
    pub(super) fn new(
        replicas: Arc<Replicas>,
        facts: watch::Receiver<Arc<ClusterFacts>>,
        load: LoadSampler,
        (env, wal): (&Env, Wal),
    ) -> Self {
        Self {
            replicas,
            facts,
            clock: env.clock.clone(),
            load,
            wal,
            votes: Mutex::default(),
            led: Mutex::default(),
            rates: Mutex::default(),
        }
    }

    /// Looks how full the disk is; when to look again.
    pub(super) fn look_at_disk(&self) -> (Room, Duration) {
        self.load.look_at_disk()
    }

    fn hold(&self, group: &Group) -> Held {
        let now = self.clock.now();
        let unsynced = self.wal.sync_health().oldest_unsynced;
        let stuck = unsynced.is_some_and(|waited| waited > UNSYNCED_MAX);
        let status = group.status();
        if status.role == RaftRole::Leader {
            group.probe(now);
        }
        let shard = group.shard();
        let leads = status.role == RaftRole::Leader;
        let members = status.members;
        let facts = GroupFacts {
            shard,
            me: group.key().replica,
            role: status.role,
            term: status.term,
            leader: status.leader,
            last: status.last_log,
            voted_at: first_seen(&self.votes, now, shard, status.voted_for_other),
            led_since: first_seen(&self.led, now, shard, leads.then_some(status.term)),
            effective: Arc::clone(&members.effective),
            committed: Arc::clone(&members.committed),
            quorum_acked: status.quorum_acked,
            claim_earned: leads && !stuck && !group.is_stalled(now),
            transfer_since: status.transfer_since,
            initialized: status.initialized,
            voted_for_me: status.voted_for_me,
            automatic: self.elects(shard),
        };
        Held {
            group: facts,
            committed: status.committed,
            epoch: status.epoch,
            members: (members.voters.len(), members.learners.len()),
        }
    }

    /// Whether a failover of the shard may begin without an operator's word. The cluster's own facts
    /// always may: without them nobody could change that.
    fn elects(&self, shard: ShardId) -> bool {
        let facts = self.facts.borrow().clone();
        let modes = &facts.recovery.modes;
        if shard.is_system() || *modes == Modes::default() {
            return true;
        }
        let now = self.clock.unix_ms();
        let keyspace = facts.shards.get(&shard).map(|known| known.keyspace);
        keyspace.is_none_or(|keyspace| modes.of(keyspace, now).elects(now))
    }

    fn rate(&self, now: Duration, shard: ShardId, operations: u64) -> f64 {
        let mut rates = self.rates.lock().expect("no holder of this lock panics");
        let seen = rates.entry(shard).or_default();
        let seconds = now.saturating_sub(seen.at).as_secs_f64();
        if seconds >= 1.0 {
            #[expect(clippy::cast_precision_loss, reason = "a rate needs no 53rd bit")]
            let ops_s = operations.saturating_sub(seen.operations) as f64 / seconds;
            *seen = RateSeen { at: now, operations, ops_s };
        }
        seen.ops_s
    }
}

/// When a term was first seen, for as long as there is one.
fn first_seen(
    all: &Mutex<BTreeMap<ShardId, TermSeen>>,
    now: Duration,
    shard: ShardId,
    term: Option<u64>,
) -> Option<Duration> {
    let mut all = all.lock().expect("no holder of this lock panics");
    let Some(term) = term else {
        all.remove(&shard);
        return None;
    };
    let seen = all.entry(shard).or_insert(TermSeen { term, at: now });
    if seen.term != term {
        *seen = TermSeen { term, at: now };
    }
    Some(seen.at)
}

impl Groups for HeldGroups {
    fn held(&self) -> Vec<Held> {
        self.replicas.all().iter().map(|group| self.hold(group)).collect()
    }

    fn statuses(&self) -> Vec<ReplicaStatus> {
        let now = self.clock.now();
        let status = |group: &Arc<Group>| {
            group.replica_status(self.rate(now, group.shard(), group.operations()))
        };
        self.replicas.all().iter().map(status).chain(self.out_of_service()).collect()
    }

    fn out_of_service(&self) -> Vec<ReplicaStatus> {
        self.replicas.out_of_service()
    }

    fn backs(&self, shard: ShardId, claimed: u64) -> bool {
        self.replicas.get(shard).is_some_and(|group| {
            let (role, term, initialized) = group.standing();
            backs(role, initialized, term, claimed)
        })
    }

    fn held_one(&self, shard: ShardId) -> Option<Held> {
        self.replicas.get(shard).map(|group| self.hold(&group))
    }

    fn elect(&self, shard: ShardId, term: u64) -> BoxFuture<'static, ()> {
        let group = self.replicas.get(shard);
        Box::pin(async move {
            if let Some(group) = group.filter(|group| group.term() == term && !group.is_leader()) {
                group.elect().await;
            }
        })
    }

    fn nudge(&self, shard: ShardId) -> BoxFuture<'static, ()> {
        let group = self.replicas.get(shard);
        Box::pin(async move {
            if let Some(group) = group {
                group.nudge().await;
            }
        })
    }

    fn welcome_back(&self, node: NodeId) -> BoxFuture<'static, ()> {
        let groups = self.replicas.all();
        Box::pin(async move {
            for group in groups {
                group.welcome_back(node).await;
            }
        })
    }

    fn remind(&self, shard: ShardId, node: NodeId) -> BoxFuture<'static, ()> {
        let group = self.replicas.get(shard);
        Box::pin(async move {
            if let Some(group) = group {
                group.welcome_back(node).await;
            }
        })
    }

    fn set_backed(&self, shard: ShardId, backed: bool) {
        if let Some(group) = self.replicas.get(shard) {
            group.set_backed(if backed { Backing::Majority } else { Backing::Minority });
        }
    }

    fn set_no_room(&self, shard: ShardId, obstacle: Option<Obstacle>) {
        let Some(group) = self.replicas.get(shard) else { return };
        group.set_no_room(obstacle.map(|obstacle| match obstacle {
            Obstacle::Leader => {
                let why = format!("{shard} leaves a node whose disk is full");
                StoreError::Unavailable { why }
            }
            Obstacle::Majority(nodes) => {
                let facts = self.facts.borrow().clone();
                let names: Vec<String> = nodes.iter().map(|node| name(&facts, *node)).collect();
                let (disks, names) =
                    (if names.len() == 1 { "disk" } else { "disks" }, names.join(", "));
                let why = format!("no room on the {disks} of {names}: only deletes are taken");
                StoreError::Refused { why }
            }
        }));
    }

    fn hlc(&self) -> Hlc {
        Hlc::from_unix_ms(self.clock.unix_ms())
    }

    fn revision(&self) -> u64 {
        self.facts.borrow().revision
    }

    fn load(&self) -> Load {
        self.load.load()
    }
}

/// The other nodes, over the heartbeat lane.
pub(super) struct LanePeers(pub(super) Arc<Links>);

impl Peers for LanePeers {
    fn nodes(&self) -> Vec<NodeId> {
        self.0.nodes()
    }

    fn failures(&self, node: NodeId) -> Option<u32> {
        self.0.failures(node)
    }

    fn beat(
        &self,
        node: NodeId,
        heartbeat: Heartbeat,
        wait: Duration,
    ) -> BoxFuture<'static, Option<HeartbeatReply>> {
        let lane = self.0.lane(node, Lane::Heartbeat);
        Box::pin(async move {
            let lane = lane?;
            let client = lane.client()?;
            let answer = client.beat(Deadline::after(wait).context(), heartbeat).await;
            lane.count(answer.is_ok());
            if matches!(answer, Err(tarpc::client::RpcError::DeadlineExceeded)) {
                lane.redial();
            }
            answer.ok()
        })
    }

    fn canvass(
        &self,
        node: NodeId,
        questions: Vec<CanvassQuestion>,
        wait: Duration,
    ) -> BoxFuture<'static, Option<Vec<CanvassAnswer>>> {
        let client = self.0.client(node, Lane::Heartbeat);
        Box::pin(
            async move { client?.canvass(Deadline::after(wait).context(), questions).await.ok() },
        )
    }

    fn stand(&self, node: NodeId, shard: ShardId, term: u64) -> BoxFuture<'static, ()> {
        let client = self.0.client(node, Lane::Heartbeat);
        Box::pin(async move {
            if let Some(client) = client {
                // If it can't be asked, the elector asks somebody else.
                let by = Deadline::after(UNSYNCED_MAX);
                let _ = client.stand(by.context(), shard, Some(term)).await;
            }
        })
    }
}
