//! The loop: beats, listens, judges, and elects. Its state changes under one lock; the lock is
//! never held across a wait.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use evenkeel_shared::dossier::Score;
use evenkeel_shared::heartbeat::{Claim, Heartbeat, HeartbeatReply, Load, RaftRole};
use evenkeel_shared::ids::{Incarnation, NodeId, ShardId};
use evenkeel_shared::limits::HEARTBEAT_INTERVAL;
use evenkeel_shared::service::peer::{CanvassAnswer, CanvassQuestion};
use tokio::sync::{Notify, mpsc, watch};

use super::ports::{Groups, Held, Peers};
use super::registry::{PeerRecord, PulseEvent};
use crate::decide::detector::{Verdict, VerdictChange, VerdictState};
use crate::decide::dossier::{Instruments, curve};
use crate::decide::elector::backing::Backed;
use crate::decide::elector::{ElectorAction, ElectorFacts};
use crate::decide::slow::{Axis, Slowness};
use crate::env::clock::Clock;
use list::list_mark;
use state::State;

mod lag;
mod list;
mod rise;
mod state;
mod worth;

/// How long a beat may take before its lane is dialled again.
const BEAT_MAX: Duration = Duration::from_secs(1);
/// An answer older than this backs nothing: ten heartbeats.
const BACKING_MAX_AGE: Duration = Duration::from_secs(1);
/// Heartbeats between two that list every replica.
const BEATS_PER_LIST: u64 = 10;

/// How a pulse beats.
#[derive(Clone, Copy, Debug)]
pub struct PulseConfig {
    /// This node.
    pub me: NodeId,
    /// Count of its starts.
    pub incarnation: Incarnation,
    /// Drawn at random: ties and pauses must not fall alike on all nodes.
    pub seed: u64,
}

/// The heartbeat of one node.
pub struct Pulse {
    config: PulseConfig,
    clock: Arc<dyn Clock>,
    groups: Arc<dyn Groups>,
    peers: Arc<dyn Peers>,
    events: mpsc::UnboundedSender<PulseEvent>,
    state: Mutex<State>,
    wake: Notify,
    /// Changes with what is held of nodes.
    standing: watch::Sender<()>,
}

impl Pulse {
    /// A pulse that has not beaten yet; events come out of the returned queue, one a change.
    pub fn new(
        config: PulseConfig,
        clock: Arc<dyn Clock>,
        groups: Arc<dyn Groups>,
        peers: Arc<dyn Peers>,
    ) -> (Arc<Self>, mpsc::UnboundedReceiver<PulseEvent>) {
        let (events, seen) = mpsc::unbounded_channel();
        let state = Mutex::new(State::new(config.seed));
        let (wake, standing) = (Notify::new(), watch::Sender::default());
        (Arc::new(Self { config, clock, groups, peers, events, state, wake, standing }), seen)
    }

    /// Beats until it is dropped.
    pub async fn run(self: Arc<Self>) {
        loop {
            let wait = self.round();
            let due = self.clock.now() + wait;
            // A wake-up that comes while the round runs is not lost: the permit stays.
            if tokio::time::timeout(wait, self.wake.notified()).await.is_err() {
                let now = self.clock.now();
                self.lock().lag.note(now, now.saturating_sub(due));
            }
        }
    }

    /// A replica's role or leader has changed: that is told at once, not at the next beat.
    pub fn role_changed(&self) {
        self.wake.notify_one();
    }

    /// This node's disk has become full, or has room again: that is told at once, too.
    pub fn room_changed(&self) {
        self.lock().next_beat = Duration::ZERO;
        self.wake.notify_one();
    }

    /// The process at the other end of a new connection.
    pub fn connected(&self, node: NodeId, incarnation: Incarnation) {
        let now = self.clock.now();
        let was_dead = {
            let mut state = self.lock();
            let was_dead = state.detector.verdict(now, node).state == VerdictState::Dead;
            state.detector.heard(now, node, incarnation);
            was_dead
        };
        if was_dead {
            tokio::spawn(self.groups.welcome_back(node));
        }
        self.wake.notify_one();
    }

    /// A connection has closed and was refused at once: the process is gone.
    pub fn refused(&self, node: NodeId) {
        self.lock().detector.closed_and_refused(self.clock.now(), node);
        self.wake.notify_one();
    }

    /// A peer's heartbeat.
    pub fn heard(&self, heartbeat: &Heartbeat) -> HeartbeatReply {
        let now = self.clock.now();
        let from = heartbeat.from;
        let (was_dead, owed, rounds) = {
            let mut state = self.lock();
            let was_dead = state.detector.verdict(now, from).state == VerdictState::Dead;
            state.detector.heard(now, from, heartbeat.incarnation);
            let record = state.records.entry(from).or_default();
            let restarted = record.incarnation != Some(heartbeat.incarnation);
            if record.take(now, heartbeat) {
                self.standing.send_replace(());
            }
            if restarted {
                state.gauges.forget(from);
            }
            state.gauges.take_load(from, &heartbeat.load);
            let replicas = heartbeat.replicas.as_deref().unwrap_or_default();
            (was_dead, state.owed(now, replicas), state.rounds_now(now))
        };
        for shard in owed {
            tokio::spawn(self.groups.remind(shard, from));
        }
        if was_dead {
            tokio::spawn(self.groups.welcome_back(from));
            self.wake.notify_one();
        }
        let unbacked = heartbeat.claims.iter();
        let unbacked = unbacked.filter(|claim| !self.groups.backs(claim.shard, claim.term));
        HeartbeatReply {
            incarnation: self.config.incarnation,
            hlc: self.groups.hlc(),
            rounds,
            unbacked: unbacked.map(|claim| claim.shard).collect(),
        }
    }

    /// A peer's canvass.
    pub fn canvassed(&self, questions: &[CanvassQuestion]) -> Vec<CanvassAnswer> {
        let now = self.clock.now();
        let mut answers = Vec::with_capacity(questions.len());
        for question in questions {
            let held = self.groups.held_one(question.shard).map(|held| held.group);
            let mut state = self.lock();
            let peers = state.peer_facts(now);
            let answered = state.elector.answer(now, question, held.as_ref(), &peers);
            drop(state);
            if let Some(shard) = answered.nudge {
                tokio::spawn(self.groups.nudge(shard));
            }
            answers.push(answered.answer);
        }
        answers
    }

    /// Whether this node holds the shard unled: then it may give its vote against the lease.
    pub fn may_skip_lease(&self, shard: ShardId) -> bool {
        let now = self.clock.now();
        let Some(held) = self.groups.held_one(shard) else { return false };
        let state = self.lock();
        let peers = state.peer_facts(now);
        state.elector.may_skip_lease(now, &held.group, &peers)
    }

    /// The node that claims a shard with the highest term and is not held dead.
    pub fn leader(&self, shard: ShardId) -> Option<NodeId> {
        let now = self.clock.now();
        let state = self.lock();
        if state.leading.contains_key(&shard) {
            return Some(self.config.me);
        }
        let claims = state.records.iter().filter_map(|(node, record)| {
            let claim = record.claims.get(&shard).filter(|_| record.claims_now(shard))?;
            let alive = state.detector.verdict(now, *node).state != VerdictState::Dead;
            alive.then_some((claim.term, *node))
        });
        claims.max().map(|(_, node)| node)
    }

    /// What this node holds of a peer.
    pub fn verdict(&self, node: NodeId) -> Verdict {
        self.lock().detector.verdict(self.clock.now(), node)
    }

    /// Changes whenever this node's verdict on a node does, another node's, or what a node says of its
    /// own use.
    pub fn standing(&self) -> watch::Receiver<()> {
        self.standing.subscribe()
    }

    /// Suspicion of a peer, and how long ago it was heard.
    pub fn suspicion(&self, node: NodeId) -> (Option<f64>, Option<Duration>) {
        let now = self.clock.now();
        let state = self.lock();
        (state.detector.phi(now, node), state.detector.heard_ago(now, node))
    }

    /// Whether a node, this one too, is slower than it used to be.
    pub fn slowness(&self, node: NodeId) -> Option<Slowness> {
        self.lock().gauges.slowness(node)
    }

    /// How this node's verdicts have turned out.
    pub fn score(&self) -> Score {
        self.lock().scores.score()
    }

    /// What this node's instruments show of a node.
    pub fn instruments(&self, node: NodeId) -> Instruments {
        let now = self.clock.now();
        let state = self.lock();
        Instruments {
            verdict: state.detector.verdict(now, node),
            phi: state.detector.phi(now, node),
            curve: curve(&state.detector, node),
            standings: state.gauges.standings(node),
        }
    }

    /// What this node has to carry.
    pub fn load(&self) -> Load {
        let now = self.clock.now();
        self.load_of(&mut self.lock(), now)
    }

    fn load_of(&self, state: &mut State, now: Duration) -> Load {
        Load { lag_us: Some(state.lag.worst_us(now)), ..self.groups.load() }
    }

    /// What every peer said last.
    pub fn records(&self) -> BTreeMap<NodeId, PeerRecord> {
        self.lock().records.clone()
    }

    /// One round; gives back how long nothing is due.
    fn round(self: &Arc<Self>) -> Duration {
        let now = self.clock.now();
        let held = self.groups.held();
        let nodes: BTreeSet<NodeId> = self.peers.nodes().into_iter().collect();
        let mut state = self.lock();
        state.follow(now, &nodes);
        for change in state.detector.tick(now) {
            let silence = state.detector.heard_ago(now, change.node);
            state.scores.take(now, &change, silence);
            let VerdictChange { node, before, verdict, restarted } = change;
            if verdict.state == VerdictState::Dead {
                state.gauges.forget(node);
            }
            self.tell(PulseEvent::Verdict { node, before, verdict, restarted });
            self.standing.send_replace(());
        }
        state.judge_slowness(now);
        let peers = state.peer_facts(now);
        let groups: Vec<_> = held.iter().map(|held| held.group.clone()).collect();
        state.note_unled(now, &groups, &peers);
        let facts = ElectorFacts { groups: &groups, peers: &peers };
        let actions = state.elector.tick(now, facts);
        self.note_leaderships(&mut state, now, &held);
        self.judge_leaderships(&mut state, now, &held);
        let beat = (now >= state.next_beat).then(|| self.beat(&mut state, now, &held));
        let due = [state.next_beat, state.elector.next_wake(now), state.detector.next_wake(now)];
        let wait = due.into_iter().min().unwrap_or(now).saturating_sub(now);
        let wait = Self::wait_at_most(&state, wait);
        state.note_stands(now, &actions);
        drop(state);
        self.execute(actions);
        if let Some(heartbeat) = beat {
            for node in nodes {
                tokio::spawn(self.clone().beat_one(node, heartbeat.clone()));
            }
        }
        wait.max(Duration::from_millis(1))
    }

    fn beat(&self, state: &mut State, now: Duration, held: &[Held]) -> Heartbeat {
        state.next_beat = now + HEARTBEAT_INTERVAL;
        state.sequence += 1;
        let peers = state.peer_facts(now);
        let claimed = |held: &&Held| {
            held.group.role == RaftRole::Leader
                && state.elector.unled(now, &held.group, &peers).is_none()
        };
        let claims = held.iter().filter(claimed).map(|held| Claim {
            shard: held.group.shard,
            term: held.group.term,
            committed: held.committed,
        });
        let claims: Vec<Claim> = claims.collect();
        state.note_committed(now, &claims);
        let mark = list_mark(held, &self.groups.out_of_service());
        let changed = std::mem::replace(&mut state.listed, mark) != mark;
        let list = changed || state.sequence.is_multiple_of(BEATS_PER_LIST);
        let load = self.load_of(state, now);
        state.gauges.take_load(self.config.me, &load);
        state.note_failures(now, |node| self.peers.failures(node));
        let dead = |node: &&NodeId| state.detector.verdict(now, **node).state == VerdictState::Dead;
        Heartbeat {
            from: self.config.me,
            incarnation: self.config.incarnation,
            sequence: state.sequence,
            hlc: self.groups.hlc(),
            load,
            claims,
            replicas: list.then(|| self.groups.statuses()),
            dead: state.records.keys().filter(dead).copied().collect(),
            revision: self.groups.revision(),
        }
    }

    async fn beat_one(self: Arc<Self>, node: NodeId, heartbeat: Heartbeat) {
        let sent = self.clock.now();
        let claims: BTreeMap<ShardId, u64> =
            heartbeat.claims.iter().map(|claim| (claim.shard, claim.term)).collect();
        let Some(reply) = self.peers.beat(node, heartbeat, BEAT_MAX).await else { return };
        let unbacked = reply.unbacked.iter().copied().collect();
        let now = self.clock.now();
        let mut state = self.lock();
        state.detector.heard(now, node, reply.incarnation);
        state.hear_rounds(sent, &reply.rounds);
        state.note_published(now, &claims);
        let round_trip_us = u32::try_from(now.saturating_sub(sent).as_micros());
        state.gauges.take(node, Axis::RoundTrip, round_trip_us.unwrap_or(u32::MAX));
        state.records.entry(node).or_default().take_reply(now, Backed { sent, claims, unbacked });
    }

    fn execute(self: &Arc<Self>, actions: Vec<ElectorAction>) {
        for action in actions {
            match action {
                ElectorAction::Canvass { node, round, questions } => {
                    tokio::spawn(self.clone().canvass_one(node, round, questions));
                }
                ElectorAction::Elect { shard, term, cause } => {
                    tracing::info!(%shard, term, %cause, "standing for election");
                    tokio::spawn(self.groups.elect(shard, term));
                }
                ElectorAction::Nudge { shard } => drop(tokio::spawn(self.groups.nudge(shard))),
                ElectorAction::AskToStand { shard, term, node, cause } => {
                    tracing::warn!(%shard, %node, %cause, "another voter is to stand");
                    tokio::spawn(self.peers.stand(node, shard, term));
                }
            }
        }
    }

    async fn canvass_one(
        self: Arc<Self>,
        node: NodeId,
        round: u64,
        questions: Vec<CanvassQuestion>,
    ) {
        let wait = self.lock().elector.config().answer_limit;
        let answers = self.peers.canvass(node, questions, wait).await;
        let now = self.clock.now();
        let groups: Vec<_> = self.groups.held().into_iter().map(|held| held.group).collect();
        let actions = {
            let mut state = self.lock();
            let peers = state.peer_facts(now);
            let facts = ElectorFacts { groups: &groups, peers: &peers };
            let actions = state.elector.on_answers(now, round, node, answers.as_deref(), facts);
            state.note_stands(now, &actions);
            actions
        };
        self.execute(actions);
        self.wake.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock panics")
    }
}
