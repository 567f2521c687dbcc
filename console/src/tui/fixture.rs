//! A toy cluster that tells what real agents would: views, reports, journal lines, pre-flights.
//!
//! It knows nothing of the console, so that tests and the example share it. Same clock and same
//! acts, same words: nothing is drawn at random.

use std::collections::{BTreeMap, BTreeSet};

use evenkeel_shared::event::{Event, EventKind, RESTORE_VERIFIED, Severity, restore_line};
use evenkeel_shared::explain::Phases;
use evenkeel_shared::heartbeat::{Load, PeerReport, Report};
use evenkeel_shared::ids::{Epoch, Incarnation, IntentId, KeyspaceId, NodeId, ReplicaId, ShardId};
use evenkeel_shared::key::SlotRange;
use evenkeel_shared::preflight::{Action, Harm, Outcome, Preflight};
use evenkeel_shared::version::Hlc;
use evenkeel_shared::view::{
    BackupRecord, Intent, IntentKind, IntentPhase, Modes, NodeAddresses, NodeState, NodeView,
    Observer, ReplicaRole, ReplicaState, ReplicaView, ShardHealth, ShardPhase, ShardView,
};

// The example includes this file by its path, which moves where submodules are looked for.
#[path = "fixture/view.rs"]
mod view;

/// The toy cluster.
pub(crate) struct World {
    /// Its wall clock.
    pub(crate) now: u64,
    /// Dead nodes, since when, and until when.
    pub(crate) down: BTreeMap<NodeId, (u64, Option<u64>)>,
    /// Nodes that give everything away.
    pub(crate) draining: BTreeSet<NodeId>,
    /// The catalogue.
    pub(crate) backups: Vec<BackupRecord>,
    pub(crate) modes: Modes,
    /// A restore under way.
    pub(crate) intents: Vec<Intent>,
    /// The journal.
    pub(crate) events: Vec<Event>,
    nodes: u32,
    shards: u32,
    revision: u64,
    ranges: Vec<SlotRange>,
}

impl World {
    /// A healthy cluster of so many nodes and shards.
    pub(crate) fn new(now: u64, nodes: u32, shards: u32) -> Self {
        let mut world = Self {
            now,
            down: BTreeMap::new(),
            draining: BTreeSet::new(),
            backups: Vec::new(),
            modes: Modes::default(),
            intents: Vec::new(),
            events: Vec::new(),
            nodes,
            shards,
            revision: 412,
            ranges: SlotRange::split_all(u16::try_from(shards).expect("few shards")),
        };
        for node in world.node_ids() {
            let what = format!("n{} joined", node.0);
            world.tell(EventKind::Membership, Severity::Info, (Some(node), None), (what, ""));
        }
        world
    }

    /// Every node.
    pub(crate) fn node_ids(&self) -> Vec<NodeId> {
        (1..=self.nodes).map(NodeId).collect()
    }

    /// The nodes that live.
    pub(crate) fn living(&self) -> Vec<NodeId> {
        self.node_ids().into_iter().filter(|id| !self.down.contains_key(id)).collect()
    }

    /// Lets time pass; nodes whose time is over come back. New journal lines are returned.
    pub(crate) fn advance(&mut self, now: u64) -> Vec<Event> {
        self.now = now;
        let before = self.events.len();
        let over = |until: &Option<u64>| until.is_some_and(|until| until <= now);
        let back: Vec<NodeId> =
            self.down.iter().filter(|(_, (_, until))| over(until)).map(|(id, _)| *id).collect();
        for node in back {
            self.down.remove(&node);
            self.revision += 1;
            let what = format!("n{} is back", node.0);
            self.tell(EventKind::Verdict, Severity::Info, (Some(node), None), (what, "heartbeat"));
        }
        self.events[before..].to_vec()
    }

    fn tell(
        &mut self,
        kind: EventKind,
        severity: Severity,
        (node, shard): (Option<NodeId>, Option<ShardId>),
        (what, why): (String, &str),
    ) {
        let id = self.events.len() as u64 + 1;
        let took_us = (kind == EventKind::Leader).then_some(61_400 + id * 731);
        let reporter = self.living().first().copied().unwrap_or_default();
        let why = why.to_owned();
        let unix_ms = self.now + id % 7;
        let event =
            Event { id, unix_ms, reporter, kind, severity, node, shard, what, why, took_us };
        self.events.push(event);
    }

    /// What an act would do.
    pub(crate) fn preflight(&self, action: &Action) -> Preflight {
        let mut found = Preflight { revision: self.revision, ..Preflight::default() };
        match action {
            Action::Kill { node, .. } => {
                found.title = format!("kill n{}: SIGKILL, no drain", node.0);
                for shard in self.all_shards() {
                    let holds = shard.replicas.iter().any(|replica| replica.node == *node);
                    let alive = shard.replicas.iter().filter(|r| !self.down.contains_key(&r.node));
                    match (holds, alive.count()) {
                        (true, ..=2) => found.quorum_lost.push(shard.id),
                        (true, 3) => found.no_spare.push(shard.id),
                        _ => {}
                    }
                    if shard.leader == Some(*node) {
                        found.leaders_moved.push(shard.id);
                    }
                }
                found.harm = if found.quorum_lost.is_empty() { Harm::None } else { Harm::Break };
                found.notes.push("its supervisor starts it again after that time".into());
                found.safer = Some("D drains it first: no shard without a spare copy".into());
            }
            Action::Drain { node, undo } => {
                let verb = if *undo { "stop draining" } else { "drain" };
                found.title = format!("{verb} n{}", node.0);
                found.harm = if self.down.is_empty() { Harm::None } else { Harm::Risk };
            }
            Action::Restore { backup, .. } => {
                found.title = format!("restore {backup} beside, then swap");
                found.harm = Harm::Risk;
                found.writes_dropped = Some(12_408);
            }
            Action::RestoreUndo => {
                found.harm = Harm::Break;
                found.writes_dropped = Some(311);
            }
            Action::Evict { .. } => found.refused = Some("it is neither drained nor down".into()),
            _ => {}
        }
        found
    }

    /// Does it.
    pub(crate) fn act(&mut self, action: &Action) -> Outcome {
        let what = match action {
            Action::Kill { node, down_secs } => {
                let until = down_secs.map(|secs| self.now + u64::from(secs) * 1_000);
                let moved = self.preflight(action).leaders_moved;
                self.down.insert(*node, (self.now, until));
                let what = format!("n{} is DOWN", node.0);
                let about = (Some(*node), None);
                self.tell(EventKind::Verdict, Severity::Alarm, about, (what, "refused, 4/4 agree"));
                for shard in moved {
                    let to = self.leader(shard).map_or(0, |node| node.0);
                    let what = format!("{shard} leader n{} to n{to}", node.0);
                    let about = (Some(NodeId(to)), Some(shard));
                    let part = u64::from(shard.0 % 5) * 1_730;
                    let parts = [27_000, 900 + part / 4, 14_200 + part, 6_300, 11_700 + part / 2];
                    let why = format!("n{} held dead {}", node.0, Phases::of(parts.map(Some)));
                    self.tell(EventKind::Leader, Severity::Warn, about, (what, &why));
                }
                format!("n{} was killed", node.0)
            }
            Action::Drain { node, undo } => {
                if *undo {
                    self.draining.remove(node);
                } else {
                    self.draining.insert(*node);
                }
                format!("n{} drains", node.0)
            }
            Action::Backup { archive } => {
                self.back_up(archive);
                "backed up 16 shards".into()
            }
            Action::Restore { archive, backup } => {
                self.restore(archive, backup);
                format!("restored {backup}")
            }
            other => format!("{other:?}"),
        };
        self.revision += 1;
        let audit = format!("operator: {what}");
        self.tell(EventKind::Audit, Severity::Info, (None, None), (audit, "console"));
        Outcome { what, took_us: 41_300, backup: None }
    }

    /// Adds a backup to the catalogue.
    pub(crate) fn back_up(&mut self, archive: &str) {
        let number = self.backups.len() as u64;
        self.backups.push(BackupRecord {
            id: format!("b{:04}-full", 409 + number),
            archive: archive.into(),
            cut: Hlc::from_unix_ms(self.now),
            shards: self.shards,
            records: 148_211 + number * 9_313,
            bytes: 38_400_000_000 + number * 1_210_000_000,
        });
        let what = format!("backup b{:04}-full finished", 409 + number);
        self.tell(EventKind::Backup, Severity::Info, (None, None), (what, "asked by operator"));
    }

    /// Puts a restore into the state in which it waits for accept or undo.
    pub(crate) fn restore(&mut self, archive: &str, backup: &str) {
        let kind = IntentKind::Restore {
            archive: archive.into(),
            backup: backup.into(),
            pairs: (1..=self.shards)
                .map(|n| (Some(ShardId(n)), ShardId(n + self.shards)))
                .collect(),
        };
        let started = Hlc::from_unix_ms(self.now);
        let (id, cause) = (IntentId(7), "operator on console".into());
        for how_far in [RESTORE_VERIFIED, "complete; accept it or undo it"] {
            let line = (restore_line(backup, how_far), "operator on console");
            self.tell(EventKind::Restore, Severity::Info, (None, None), line);
        }
        self.intents = vec![Intent { id, kind, phase: IntentPhase::Complete, cause, started }];
    }

    /// What a living node reports.
    pub(crate) fn report(&self, node: NodeId) -> Report {
        let peers = self.node_ids().into_iter().filter(|peer| *peer != node);
        Report {
            node,
            name: format!("n{}", node.0),
            incarnation: Incarnation(2),
            unix_ms: self.now,
            load: self.load(node),
            revision: self.revision,
            peers: peers.map(|peer| self.peer(node, peer)).collect(),
            leads: Vec::new(),
        }
    }

    fn peer(&self, from: NodeId, to: NodeId) -> PeerReport {
        let since = self.down.get(&to).map(|(since, _)| self.now.saturating_sub(*since));
        let wobble = (self.now / 300 + u64::from(from.0 * 7 + to.0 * 3)) % 9;
        PeerReport {
            node: to,
            phi: Some(since.map_or(0.1, |ms| (float(ms) / 75.0).min(16.0)) + float(wobble) / 20.0),
            heard_ms: Some(since.unwrap_or(30 + wobble * 9)),
            round_trip_us: since
                .is_none()
                .then_some(210 + 31 * (from.0 + to.0) + whole(float(wobble))),
            dead: since.is_some_and(|ms| ms > 30),
        }
    }

    fn load(&self, node: NodeId) -> Load {
        let seconds = float(self.now) / 1_000.0;
        let weight = 1.0 + 0.25 * f64::from(node.0 % 3);
        let wave = 1.0 + 0.4 * (seconds / 9.0 + f64::from(node.0)).sin();
        let noise = 1.0 + 0.06 * (seconds * 2.3 + f64::from(node.0) * 5.0).sin();
        let ops = 3_100.0 * weight * wave * noise;
        Load {
            reads_s: ops * 0.7,
            writes_s: ops * 0.3,
            write_p99_us: Some(whole(2_400.0 * wave * noise) + 400 * node.0),
            cpu_percent: u16::try_from(whole(22.0 * wave * weight)).ok().map(f32::from),
            rss_bytes: Some(118_000_000 + u64::from(node.0) * 3_100_000),
            disk_used_bytes: Some(41_000_000_000 + u64::from(node.0) * 5_000_000_000),
            disk_total_bytes: Some(100_000_000_000),
            sync_age_ms: Some(12),
            sync_us: Some(190 + 20 * node.0),
            connections: 11 + node.0,
            disk_low: false,
            drill: None,
            drilled_away: false,
            sync_wait_ms: None,
            lag_us: Some(200),
        }
    }

    fn holders(&self, shard: ShardId) -> [NodeId; 3] {
        [0, 1, 2].map(|step| NodeId((shard.0 + step) % self.nodes + 1))
    }

    fn leader(&self, shard: ShardId) -> Option<NodeId> {
        let alive = |node: &NodeId| !self.down.contains_key(node);
        let holders = self.holders(shard);
        let living = holders.iter().filter(|node| alive(node)).count();
        holders.into_iter().find(alive).filter(|_| living >= 2)
    }

    fn shard(&self, id: ShardId) -> ShardView {
        let leader = self.leader(id);
        let wobble = self.now / 1_000 + u64::from(id.0);
        let replicas = self.holders(id).map(|node| {
            let state = match () {
                () if self.down.contains_key(&node) => ReplicaState::Lost,
                () if leader == Some(node) => ReplicaState::Leader,
                () if self.draining.contains(&node) => ReplicaState::Leaving,
                () => ReplicaState::Follower,
            };
            let lag = (state == ReplicaState::Follower).then_some(wobble % 5 * (wobble % 3));
            let id = ReplicaId::new(node, id.0);
            ReplicaView { id, node, role: ReplicaRole::Voter, state, lag, why: None }
        });
        let lost = replicas.iter().any(|replica| replica.state == ReplicaState::Lost);
        let health = match leader {
            None => ShardHealth::Unavailable,
            Some(_) if lost => ShardHealth::UnderReplicated,
            Some(_) => ShardHealth::Ok,
        };
        let range = self.ranges.get(id.0.saturating_sub(1) as usize);
        let slots = range.copied().into_iter().collect();
        let ops = 3_400.0 / f64::from(id.0 % 7 + 1) * (1.0 + 0.1 * float(wobble % 4));
        ShardView {
            id,
            keyspace: KeyspaceId(1),
            keyspace_name: "default".into(),
            slots,
            phase: ShardPhase::Serving,
            leader,
            term: 9,
            epoch: Epoch(3),
            committed: leader.map(|_| 8_123 + wobble % 1_000),
            health,
            wanted: 3,
            replicas: replicas.to_vec(),
            ops_s: leader.map(|_| ops),
            log_bytes: Some(41_000_000),
            data_bytes: Some(380_000_000),
        }
    }

    fn all_shards(&self) -> Vec<ShardView> {
        (1..=self.shards).map(|id| self.shard(ShardId(id))).collect()
    }

    fn node(&self, id: NodeId, observer: NodeId, shards: &[ShardView]) -> NodeView {
        let down = self.down.get(&id).map(|(since, _)| *since);
        let peer = self.peer(observer, id);
        let known = (id != observer).then_some(());
        let state = match down {
            Some(_) => NodeState::Down,
            None if self.draining.contains(&id) => NodeState::Draining,
            None => NodeState::Up,
        };
        let holds = |shard: &&ShardView| shard.replicas.iter().any(|r| r.node == id);
        let against = if down.is_some() { self.nodes - 1 } else { 0 };
        let count = |found: usize| u32::try_from(found).expect("few shards");
        NodeView {
            id,
            name: format!("n{}", id.0),
            zone: ["a", "b", "c"][(id.0 as usize - 1) % 3].into(),
            capacity: 1,
            addresses: NodeAddresses {
                rpc: format!("127.0.0.1:{}", 7_400 + 10 * id.0),
                resp: Some(format!("127.0.0.1:{}", 7_401 + 10 * id.0)),
                resp_cluster: None,
                http: Some(format!("127.0.0.1:{}", 7_402 + 10 * id.0)),
            },
            state,
            since_unix_ms: down.unwrap_or(self.now.saturating_sub(754_000)),
            why: if down.is_some() { "refused".into() } else { String::new() },
            observers: Observer { against, asked: self.nodes - 1 },
            incarnation: Some(Incarnation(2)),
            phi: known.and(peer.phi),
            heard_ms: known.and(peer.heard_ms),
            round_trip_us: known.and(peer.round_trip_us),
            leaders: count(shards.iter().filter(|shard| shard.leader == Some(id)).count()),
            replicas: count(shards.iter().filter(holds).count()),
            load: down.is_none().then(|| self.load(id)),
            drills: true,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "toy figures")]
fn float(count: u64) -> f64 {
    count as f64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "toy figures")]
fn whole(figure: f64) -> u32 {
    figure as u32
}
