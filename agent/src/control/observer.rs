//! What this node sees of the cluster: its facts, what peers say, and what it holds of them.

use std::sync::Arc;

use evenkeel_shared::event::Event;
use evenkeel_shared::heartbeat::{PeerReport, RaftRole, Report};
use evenkeel_shared::ids::{Incarnation, NodeId};
use evenkeel_shared::limits::EVENTS_PER_REPLY_MAX;
use evenkeel_shared::view::{ClusterFacts, ClusterView};
use tokio::sync::watch;

use crate::decide::detector::VerdictState;
use crate::env::clock::Clock;
use crate::heartbeat::Pulse;
use crate::heartbeat::ports::Groups;
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
        Self { me, clock, pulse, groups, system, facts }
    }

    /// Whether this node's control loop should run.
    pub fn is_controller(&self) -> bool {
        self.system.is_leader()
    }

    /// This node.
    pub fn me(&self) -> &Myself {
        &self.me
    }

    /// The cluster as this node sees it.
    pub fn view(&self) -> ClusterView {
        ClusterView::default()
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

    /// What consoles are told of this node.
    pub fn report(&self) -> Report {
        let held = self.groups.held();
        let leads = held.iter().filter(|held| {
            held.group.role == RaftRole::Leader && !held.group.shard.is_system()
        });
        let facts = self.facts.borrow().clone();
        let records = self.pulse.records();
        let peer = |node: &NodeId| {
            let (phi, heard) = self.pulse.suspicion(*node);
            let answered = records.get(node).and_then(|record| record.answered);
            PeerReport {
                node: *node,
                phi,
                heard_ms: heard.and_then(|heard| u64::try_from(heard.as_millis()).ok()),
                round_trip_us: answered.and_then(|(_, took)| u32::try_from(took.as_micros()).ok()),
                dead: self.pulse.verdict(*node).state == VerdictState::Dead,
            }
        };
        Report {
            node: self.me.node,
            name: self.me.name.clone(),
            incarnation: self.me.incarnation,
            unix_ms: self.clock.unix_ms(),
            load: self.groups.load(),
            revision: facts.revision,
            peers: facts.nodes.keys().filter(|node| **node != self.me.node).map(peer).collect(),
            leads: leads.map(|held| (held.group.shard, held.status.ops_s)).collect(),
        }
    }
}
