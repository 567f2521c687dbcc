//! What was heard from the agents: views, reports, journal lines and connections.
//!
//! Each agent sends its own view. One is shown, and kept while it is fresh and its observer hears
//! a majority of the nodes, so that the screen does not flicker between observers.

use std::collections::{BTreeMap, BTreeSet};

use evenkeel_shared::heartbeat::{Load, Report};
use evenkeel_shared::ids::{ClusterId, NodeId, ShardId};
use evenkeel_shared::view::{ClusterView, NodeState, NodeView, ShardView};

use super::clean;
use super::heat::Heat;
use super::history::{LinkKept, Moment, Samples};
use super::journal::Journal;
use super::ring::Ring;
use super::track::{Heard, REPORT_STALE_MS, Track, VIEW_STALE_MS};
use crate::tui::LinkState;

/// Addresses whose connections are shown; more than any cluster has.
const LINKS_MAX: usize = 1_024;
/// How often histories take a sample.
const SAMPLE_MS: u64 = 1_000;

/// All that is known of the cluster.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cluster {
    views: BTreeMap<NodeId, Heard<ClusterView>>,
    observer: Option<NodeId>,
    /// What each node has reported.
    pub(crate) tracks: BTreeMap<NodeId, Track>,
    /// Connections by address.
    pub(crate) links: BTreeMap<String, Link>,
    /// The journal.
    pub(crate) journal: Journal,
    /// Operations a second of all nodes.
    pub(crate) ops: Ring,
    /// The worst node's 99th percentile of writes, in microseconds.
    pub(crate) p99: Ring,
    /// How much work each shard had.
    pub(crate) heat: Heat,
    sampled_at: Option<u64>,
    /// The cluster that answers at the same addresses by now, and is not shown.
    pub(crate) stranger: Option<ClusterId>,
}

/// One connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    /// Who answers there.
    pub(crate) node: Option<NodeId>,
    /// How it is.
    pub(crate) state: LinkState,
    /// Since when.
    pub(crate) since: u64,
}

/// A node's load, and how old it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LoadSeen<'a> {
    /// The figures.
    pub(crate) load: &'a Load,
    /// Whether they are older than two intervals.
    pub(crate) stale: bool,
}

impl Cluster {
    /// The view that is shown.
    pub(crate) fn view(&self) -> Option<&ClusterView> {
        self.heard().map(|heard| &heard.value)
    }

    /// The view that is shown, with its arrival.
    pub(crate) fn heard(&self) -> Option<&Heard<ClusterView>> {
        self.views.get(&self.observer?)
    }

    /// Whether what is shown is older than two intervals.
    pub(crate) fn is_stale(&self, now: u64) -> bool {
        self.heard().is_none_or(|heard| heard.age(now) > VIEW_STALE_MS)
    }

    /// One node of the view.
    pub(crate) fn node(&self, id: NodeId) -> Option<&NodeView> {
        self.view()?.nodes.iter().find(|node| node.id == id)
    }

    /// One shard of the view, the system shard included.
    pub(crate) fn shard(&self, id: ShardId) -> Option<&ShardView> {
        let view = self.view()?;
        view.shards.iter().chain(&view.system).find(|shard| shard.id == id)
    }

    /// A node's name, or its number when it has not said it.
    pub(crate) fn name(&self, id: NodeId) -> String {
        let viewed = self.node(id).map(|node| node.name.clone());
        let reported = || Some(self.tracks.get(&id)?.report.as_ref()?.value.name.clone());
        viewed.or_else(reported).unwrap_or_else(|| id.to_string())
    }

    /// Every node that was heard of.
    pub(crate) fn node_ids(&self) -> BTreeSet<NodeId> {
        let viewed = self.view().into_iter().flat_map(|view| view.nodes.iter().map(|n| n.id));
        match self.view() {
            Some(_) => viewed.collect(),
            None => self.tracks.keys().copied().collect(),
        }
    }

    /// Every node that was heard of, by name: n2 before n10.
    pub(crate) fn nodes_by_name(&self) -> Vec<NodeId> {
        let mut nodes: Vec<NodeId> = self.node_ids().into_iter().collect();
        nodes.sort_by_cached_key(|id| {
            let name = self.name(*id);
            let digits = name.len() - name.trim_end_matches(|c: char| c.is_ascii_digit()).len();
            let (word, number) = name.split_at(name.len() - digits);
            (word.to_owned(), number.parse::<u64>().ok(), *id)
        });
        nodes
    }

    /// A node's load: its own report while that is fresh, else what the observer last heard.
    pub(crate) fn load(&self, id: NodeId, now: u64) -> Option<LoadSeen<'_>> {
        let report = self.tracks.get(&id).and_then(|track| track.fresh(now));
        if let Some(report) = report {
            return Some(LoadSeen { load: &report.load, stale: false });
        }
        let node = self.node(id)?;
        // What a dead node did last says nothing of what it does.
        if matches!(node.state, NodeState::Down | NodeState::Unknown | NodeState::Left) {
            return None;
        }
        let heard = node.heard_ms.is_some_and(|ms| ms <= REPORT_STALE_MS);
        let stale = self.is_stale(now) || !heard;
        node.load.as_ref().map(|load| LoadSeen { load, stale })
    }

    /// Whether any agent is connected.
    pub(crate) fn is_connected(&self) -> bool {
        self.links.values().any(|link| link.state == LinkState::Connected)
    }

    /// A connection is being tried.
    pub(crate) fn dialling(&mut self, address: &str, now: u64) {
        self.linked(address, None, LinkState::Connecting, now);
    }

    /// A connection has changed. A lost one that is dialled again stays lost until it answers.
    pub(crate) fn linked(
        &mut self,
        address: &str,
        node: Option<NodeId>,
        state: LinkState,
        now: u64,
    ) {
        let address = clean::text(address);
        if !self.links.contains_key(&address) && self.links.len() >= LINKS_MAX {
            return;
        }
        let link = self.links.entry(address);
        let link = link.or_insert_with(|| Link { node, state: state.clone(), since: now });
        let redialled = matches!(link.state, LinkState::Lost { .. })
            && matches!(state, LinkState::Connecting | LinkState::Lost { .. });
        link.node = node.or(link.node);
        if !redialled && link.state != state {
            (link.state, link.since) = (state, now);
        }
    }

    /// An agent has reported.
    pub(crate) fn reported(&mut self, mut report: Report, now: u64) {
        clean::report(&mut report);
        let track = self.tracks.entry(report.node).or_default();
        track.report = Some(Heard { value: report, at: now });
    }

    /// An agent has sent its view.
    pub(crate) fn viewed(&mut self, mut view: ClusterView, now: u64) {
        clean::view(&mut view);
        // Another cluster has taken the addresses: nothing of it is mixed with what is known.
        if self.view().is_some_and(|known| known.cluster != view.cluster) {
            self.stranger = Some(view.cluster);
            return;
        }
        self.views.insert(view.observer, Heard { value: view, at: now });
        self.choose_observer(now);
        if let Some(view) = self.view() {
            let known: BTreeSet<NodeId> = view.nodes.iter().map(|node| node.id).collect();
            self.tracks.retain(|id, _| known.contains(id));
            self.views.retain(|id, _| known.contains(id));
        }
    }

    /// Takes the newest sample of each history, once a second; whether it was time for it.
    pub(crate) fn sample(&mut self, now: u64) -> bool {
        if self.sampled_at.is_some_and(|at| now.saturating_sub(at) < SAMPLE_MS && now >= at) {
            return false;
        }
        self.sampled_at = Some(now);
        self.choose_observer(now);
        let stale = self.is_stale(now);
        let (mut total, mut worst) = (None, None::<f64>);
        for id in self.node_ids() {
            let seen = self.load(id, now).filter(|seen| !seen.stale).map(|seen| seen.load);
            let ops = seen.map(|load| load.reads_s + load.writes_s);
            let p99 = seen.and_then(|load| load.write_p99_us).map(f64::from);
            let phi = self.node(id).and_then(|node| node.phi).filter(|_| !stale);
            total = ops.map_or(total, |ops| Some(total.unwrap_or(0.0) + ops));
            worst = p99.map_or(worst, |p99| Some(worst.unwrap_or(0.0).max(p99)));
            let track = self.tracks.entry(id).or_default();
            track.ops.push(ops);
            track.p99.push(p99);
            track.phi.push(phi);
        }
        self.ops.push(total);
        self.p99.push(worst);
        if let Some(heard) = self.observer.and_then(|id| self.views.get(&id)).filter(|_| !stale) {
            self.heat.add(now, &heard.value.shards);
        }
        true
    }

    /// The newest sample of each history.
    pub(crate) fn samples(&self) -> Samples {
        let last = |ring: &Ring| ring.last().map(narrow);
        let of = |track: &Track| [last(&track.ops), last(&track.p99), last(&track.phi)];
        let nodes = self.tracks.iter().map(|(id, track)| (*id, of(track)));
        Samples { ops: last(&self.ops), p99: last(&self.p99), nodes: nodes.collect() }
    }

    /// Takes samples as they were taken once.
    pub(crate) fn resample(&mut self, samples: &Samples) {
        let wide = |sample: Option<f32>| sample.map(f64::from);
        self.ops.push(wide(samples.ops));
        self.p99.push(wide(samples.p99));
        for (id, [ops, p99, phi]) in &samples.nodes {
            let track = self.tracks.entry(*id).or_default();
            track.ops.push(wide(*ops));
            track.p99.push(wide(*p99));
            track.phi.push(wide(*phi));
        }
    }

    /// What was known at a moment of the past, but for its histories and its journal.
    pub(crate) fn past(
        view: Option<ClusterView>,
        moment: &Moment,
        reports: Vec<Report>,
        links: Vec<LinkKept>,
    ) -> Self {
        let mut cluster = Self::default();
        for report in reports {
            let stale = moment.stale.iter().find(|(id, _)| *id == report.node);
            let at = moment.at.saturating_sub(stale.map_or(0, |(_, age)| *age));
            let track = Track { report: Some(Heard { value: report, at }), ..Track::default() };
            let node = track.report.as_ref().map(|report| report.value.node);
            cluster.tracks.extend(node.map(|node| (node, track)));
        }
        for (address, node, state, since) in links {
            let state = match state {
                None => LinkState::Connecting,
                Some(why) if why.is_empty() => LinkState::Connected,
                Some(why) => LinkState::Lost { why },
            };
            cluster.links.insert(address, Link { node, state, since });
        }
        if let Some(view) = view {
            let at = moment.at.saturating_sub(moment.view_age);
            cluster.observer = Some(view.observer);
            cluster.views.insert(view.observer, Heard { value: view, at });
        }
        cluster
    }

    fn choose_observer(&mut self, now: u64) {
        let current = self.observer;
        let rank = |id: NodeId, heard: &Heard<ClusterView>| {
            let fresh = heard.age(now) <= VIEW_STALE_MS;
            let age = if fresh { 0 } else { heard.age(now) };
            (fresh, hears_majority(&heard.value), std::cmp::Reverse(age), current == Some(id))
        };
        let best = self.views.iter().max_by_key(|(id, heard)| rank(**id, heard));
        self.observer = best.map(|(id, _)| *id);
    }
}

/// A figure as the past keeps it: seven digits are more than is drawn.
#[expect(clippy::cast_possible_truncation, reason = "a drawn figure has three digits")]
fn narrow(figure: f64) -> f32 {
    figure as f32
}

/// Whether the observer hears more than half of the nodes, itself included.
fn hears_majority(view: &ClusterView) -> bool {
    let silent = |node: &&NodeView| matches!(node.state, NodeState::Down | NodeState::Unknown);
    let heard = view.nodes.len() - view.nodes.iter().filter(silent).count();
    heard * 2 > view.nodes.len()
}
