//! What this node sees of the cluster: its facts, what peers say, and what it holds of them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use evenkeel_shared::dossier::Dossier;
use evenkeel_shared::event::Event;
use evenkeel_shared::heartbeat::{Claim, PeerReport, RaftRole, ReplicaStatus, Report};
use evenkeel_shared::ids::{Incarnation, NodeId, ShardId};
use evenkeel_shared::limits::{EVENTS_MAX, EVENTS_PER_REPLY_MAX};
use evenkeel_shared::view::{ClusterFacts, ClusterView};
use evenkeel_shared::wire::deadline::Deadline;
use tokio::sync::watch;

use crate::decide::detector::VerdictState;
use crate::decide::dossier::dossier;
use crate::decide::facts::{Heard, Observed};
use crate::decide::observe::{HeardNodes, observe};
use crate::decide::view::view;
use crate::env::clock::Clock;
use crate::heartbeat::Pulse;
use crate::heartbeat::ports::{Groups, Held};
use crate::store::group::Group;

/// Who observes.
#[derive(Clone, Debug)]
pub struct Myself {
    /// Its number.
    pub node: NodeId,
    /// Its name.
    pub name: String,
    /// Count of its starts.
    pub incarnation: Incarnation,
}

/// Sees the cluster from one node.
pub struct Observer {
    me: Myself,
    clock: Arc<dyn Clock>,
    pulse: Arc<Pulse>,
    groups: Arc<dyn Groups>,
    system: Arc<Group>,
    facts: watch::Receiver<Arc<ClusterFacts>>,
    /// The picture before, for since when each state holds.
    before: Mutex<Observed>,
}

impl Observer {
    /// Sees through these.
    pub fn new(
        me: Myself,
        clock: Arc<dyn Clock>,
        pulse: Arc<Pulse>,
        groups: Arc<dyn Groups>,
        system: Arc<Group>,
    ) -> Self {
        let facts = system.machine().facts();
        Self { me, clock, pulse, groups, system, facts, before: Mutex::default() }
    }

    /// Whether this node's control loop should run.
    pub fn is_controller(&self) -> bool {
        self.system.is_leader()
    }

    /// This node stands for a shard because somebody said so.
    pub fn ordered_to_stand(&self, shard: ShardId) {
        self.pulse.ordered_to_stand(shard);
    }

    /// This node.
    pub fn me(&self) -> &Myself {
        &self.me
    }

    /// The facts and what is observed beside them, at one moment.
    pub fn observe(&self) -> (Arc<ClusterFacts>, Observed) {
        let facts = self.facts.borrow().clone();
        let heard = self.heard(&facts);
        let mut before = self.before.lock().expect("no holder of this lock panics");
        let observed = observe(&facts, &heard, &before, self.clock.unix_ms());
        before.clone_from(&observed);
        (facts, observed)
    }

    /// Changes with what is held of nodes.
    pub fn standing(&self) -> watch::Receiver<()> {
        self.pulse.standing()
    }

    /// Waits until a look shows it, or the time is over. It looks again whenever what is held of nodes
    /// changes.
    pub async fn wait_until(&self, by: Deadline, shows: impl Fn(&Observed) -> bool) {
        let mut standing = self.standing();
        while !shows(&self.observe().1) {
            let changed = tokio::time::timeout(by.remaining(), standing.changed()).await;
            if !matches!(changed, Ok(Ok(()))) {
                return;
            }
        }
    }

    /// The cluster as this node sees it.
    pub fn view(&self) -> ClusterView {
        let (facts, observed) = self.observe();
        ClusterView { score: self.pulse.score(), ..view(&facts, &observed, self.me.node) }
    }

    /// All that this node can say of a node.
    pub fn dossier(&self, node: NodeId) -> Option<Dossier> {
        let (facts, observed) = self.observe();
        let heard = self.heard(&facts);
        let seen = self.pulse.instruments(node);
        dossier(&facts, &observed, &heard, (self.me.node, node), &seen)
    }

    fn heard(&self, facts: &ClusterFacts) -> HeardNodes {
        let mut heard = HeardNodes::new();
        let now = self.clock.now();
        for (node, record) in self.pulse.records() {
            let verdict = self.pulse.verdict(node);
            let (phi, ago) = self.pulse.suspicion(node);
            let round_trip = record.answered.map(|(_, took)| took);
            heard.insert(
                node,
                Heard {
                    verdict: verdict.state,
                    why: verdict.evidence.to_string(),
                    heard_ms: ago.map(millis),
                    phi,
                    round_trip_us: round_trip.and_then(|took| u32::try_from(took.as_micros()).ok()),
                    incarnation: record.incarnation,
                    claims: record.claims_held(),
                    load: record.load,
                    revision: Some(record.revision),
                    slow: self.pulse.slowness(node).map(|slow| slow.to_string()),
                    dead: record.dead,
                    replicas: record.replicas,
                    listed_ms: record.listed.map(|listed| millis(now.saturating_sub(listed))),
                },
            );
        }
        heard.insert(self.me.node, self.heard_of_myself(facts));
        heard
    }

    fn heard_of_myself(&self, facts: &ClusterFacts) -> Heard {
        let held = self.groups.held();
        let leads = |held: &&Held| held.group.role == RaftRole::Leader && held.group.claim_earned;
        let claims = held.iter().filter(leads).map(|held| Claim {
            shard: held.group.shard,
            term: held.group.term,
            committed: held.committed,
        });
        let dead = facts.nodes.keys().filter(|node| {
            self.pulse.verdict(**node).state == VerdictState::Dead && **node != self.me.node
        });
        Heard {
            verdict: VerdictState::Alive,
            why: "this node".to_owned(),
            heard_ms: Some(0),
            phi: None,
            round_trip_us: None,
            incarnation: Some(self.me.incarnation),
            load: Some(self.pulse.load()),
            revision: Some(facts.revision),
            slow: self.pulse.slowness(self.me.node).map(|slow| slow.to_string()),
            dead: dead.copied().collect(),
            claims: claims.collect(),
            replicas: self.groups.statuses(),
            listed_ms: Some(0),
        }
    }

    /// Journal lines with a higher id, oldest first.
    pub fn events_after(&self, after: u64) -> Vec<Event> {
        match self.system.machine().events_after(after, EVENTS_PER_REPLY_MAX) {
            Ok(events) => events,
            Err(error) => {
                tracing::warn!(%error, "the journal can't be read");
                Vec::new()
            }
        }
    }

    /// The whole journal, oldest first.
    pub fn all_events(&self) -> Vec<Event> {
        self.system.machine().events_after(0, EVENTS_MAX).unwrap_or_else(|error| {
            tracing::warn!(%error, "the journal can't be read");
            Vec::new()
        })
    }

    /// What consoles are told of this node.
    pub fn report(&self) -> Report {
        let leads = |status: &ReplicaStatus| {
            let leads = status.role == RaftRole::Leader && !status.shard.is_system();
            leads.then_some((status.shard, status.ops_s))
        };
        let facts = self.facts.borrow().clone();
        let records = self.pulse.records();
        let peer = |node: &NodeId| {
            let (phi, heard) = self.pulse.suspicion(*node);
            let answered = records.get(node).and_then(|record| record.answered);
            PeerReport {
                node: *node,
                phi,
                heard_ms: heard.map(millis),
                round_trip_us: answered.and_then(|(_, took)| u32::try_from(took.as_micros()).ok()),
                dead: self.pulse.verdict(*node).state == VerdictState::Dead,
            }
        };
        Report {
            node: self.me.node,
            name: self.me.name.clone(),
            incarnation: self.me.incarnation,
            unix_ms: self.clock.unix_ms(),
            load: self.pulse.load(),
            revision: facts.revision,
            peers: facts.nodes.keys().filter(|node| **node != self.me.node).map(peer).collect(),
            leads: self.groups.statuses().iter().filter_map(leads).collect(),
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
