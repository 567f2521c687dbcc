//! Judges from the arrival of heartbeats, and from closed and refused connections, which peers are
//! alive.
//!
//! Invariant: a verdict follows from what was told and from `now` alone. An own pause delays a
//! verdict by one grace at most and never resets a peer's clock (safety rule 9).

mod window;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use evenkeel_shared::ids::{Incarnation, NodeId};
use evenkeel_shared::limits::HEARTBEAT_INTERVAL;

use self::window::{Prior, Window};

/// What a process said just before it was gone may be read for so long after: a heartbeat that was on
/// its way. Whoever goes on speaking lives, though it lets nobody in.
const STRAY: Duration = Duration::from_millis(100);

/// The detector's settings.
#[derive(Clone, Copy, Debug)]
pub struct DetectorConfig {
    /// How often a peer should be heard.
    pub interval: Duration,
    /// Intervals kept of each peer: 20 s at the usual pace.
    pub samples_max: usize,
    /// A longer interval is an outage, and no sample.
    pub sample_max: Duration,
    /// How many samples the expected interval is worth while the window is young.
    pub prior_weight: f64,
    /// The least standard deviation that phi assumes.
    pub deviation_min: Duration,
    /// From this phi on a peer is suspect.
    pub phi_suspect: f64,
    /// From this phi on a peer is dead, if it has been silent for `silence_min`.
    pub phi_dead: f64,
    /// No shorter silence is a verdict, whatever phi says.
    pub silence_min: Duration,
    /// Any longer silence is a verdict, whatever phi says: an unsteady peer is not waited for
    /// without end.
    pub silence_max: Duration,
    /// How long a peer may stay unheard after it became known.
    pub first_contact: Duration,
    /// A longer gap between two ticks means that this node itself was paused.
    pub pause_min: Duration,
    /// How long each peer then has to be heard.
    pub pause_grace: Duration,
}

impl Default for DetectorConfig {
    fn default() -> Self {
        Self {
            interval: HEARTBEAT_INTERVAL,
            samples_max: 200,
            sample_max: Duration::from_secs(2),
            prior_weight: 10.0,
            deviation_min: Duration::from_millis(50),
            phi_suspect: 3.0,
            phi_dead: 8.0,
            silence_min: Duration::from_millis(600),
            silence_max: Duration::from_secs(5),
            first_contact: Duration::from_secs(1),
            pause_min: Duration::from_millis(350),
            pause_grace: Duration::from_millis(150),
        }
    }
}

/// What this node holds of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum VerdictState {
    /// Heard as usual.
    Alive,
    /// Silent for longer than usual, or not heard of yet.
    Suspect,
    /// Held dead: its shards may be canvassed for.
    Dead,
}

/// What a verdict rests on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Evidence {
    /// Heard this long ago.
    Heard(Duration),
    /// Not heard for this long.
    Silence(Duration),
    /// Its connection closed and an immediate reconnect was refused, this long ago.
    Refused(Duration),
    /// Known for this long and never heard.
    NeverHeard(Duration),
    /// Nobody has named it to this node.
    NotKnown,
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Heard(ago) => write!(f, "heard {} ms ago", ago.as_millis()),
            Self::Silence(ago) if ago.as_secs() == 0 => {
                write!(f, "silent {} ms", ago.as_millis())
            }
            Self::Silence(ago) => write!(f, "silent {:.1} s", ago.as_secs_f64()),
            Self::Refused(_) => f.write_str("refused"),
            Self::NeverHeard(since) => write!(f, "never heard in {:.1} s", since.as_secs_f64()),
            Self::NotKnown => f.write_str("not known"),
        }
    }
}

/// A judgement with its evidence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verdict {
    /// The judgement.
    pub state: VerdictState,
    /// What it rests on.
    pub evidence: Evidence,
}

/// A peer's verdict has changed, or its process has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VerdictChange {
    /// The peer.
    pub node: NodeId,
    /// What was held of it at the tick before.
    pub before: VerdictState,
    /// What is held of it now.
    pub verdict: Verdict,
    /// A newer incarnation was heard since the tick before: whatever it led, it leads no more.
    pub restarted: bool,
}

/// Every known peer's arrivals and verdict.
#[derive(Clone, Debug)]
pub struct Detector {
    config: DetectorConfig,
    peers: BTreeMap<NodeId, Peer>,
    last_tick: Option<Duration>,
}

#[derive(Clone, Debug)]
struct Peer {
    known_since: Duration,
    heard: Option<Duration>,
    incarnation: Option<Incarnation>,
    window: Window,
    refused: Option<Duration>,
    /// An own pause excuses the peer's silence until then.
    excused_until: Option<Duration>,
    reported: VerdictState,
    restarted: bool,
}

impl Peer {
    fn new(now: Duration) -> Self {
        Self {
            known_since: now,
            heard: None,
            incarnation: None,
            window: Window::default(),
            refused: None,
            excused_until: None,
            reported: VerdictState::Suspect,
            restarted: false,
        }
    }
}

impl Detector {
    /// A detector that knows nobody.
    pub fn new(config: DetectorConfig) -> Self {
        Self { config, peers: BTreeMap::new(), last_tick: None }
    }

    /// Makes a peer known, so that its silence counts from now on.
    pub fn expect(&mut self, now: Duration, node: NodeId) {
        self.peers.entry(node).or_insert_with(|| Peer::new(now));
    }

    /// A heartbeat, its reply or a Hello of this peer arrived. An older incarnation than the one
    /// known is a message of a dead process and says nothing.
    pub fn heard(&mut self, now: Duration, node: NodeId, incarnation: Incarnation) {
        let (config, prior) = (self.config, self.prior());
        let peer = self.peers.entry(node).or_insert_with(|| Peer::new(now));
        if peer.incarnation.is_some_and(|known| known > incarnation) {
            return;
        }
        let same_process = peer.incarnation == Some(incarnation);
        if same_process && peer.refused.is_some_and(|at| now.saturating_sub(at) < STRAY) {
            return;
        }
        if !same_process {
            peer.restarted = peer.incarnation.is_some();
            peer.incarnation = Some(incarnation);
            peer.window.clear();
        }
        if let Some(before) = peer.heard {
            let interval = now.saturating_sub(before);
            // A crash, a long outage, or our own pause is no sample of how the peer beats. A
            // silence that was called dead too early is one: else phi would never learn from it.
            let usual = peer.refused.is_none() && peer.excused_until.is_none();
            let sample = usual && interval < config.sample_max;
            if same_process && sample {
                peer.window.push(interval, &prior);
            }
        }
        peer.heard = Some(now);
        peer.refused = None;
        peer.excused_until = None;
    }

    /// The peer's connection closed, and an immediate reconnect was refused: it has crashed.
    pub fn closed_and_refused(&mut self, now: Duration, node: NodeId) {
        let peer = self.peers.entry(node).or_insert_with(|| Peer::new(now));
        peer.refused.get_or_insert(now);
    }

    /// Looks at the clock: notices an own pause, and reports what has changed since the last tick.
    pub fn tick(&mut self, now: Duration) -> Vec<VerdictChange> {
        let paused =
            self.last_tick.is_some_and(|last| now.saturating_sub(last) > self.config.pause_min);
        self.last_tick = Some(now);
        if paused {
            self.excuse(now);
        }
        let nodes: Vec<NodeId> = self.peers.keys().copied().collect();
        nodes.into_iter().filter_map(|node| self.change(now, node)).collect()
    }

    /// What is held of a peer now.
    pub fn verdict(&self, now: Duration, node: NodeId) -> Verdict {
        let Some(peer) = self.peers.get(&node) else {
            return Verdict { state: VerdictState::Suspect, evidence: Evidence::NotKnown };
        };
        if let Some(at) = peer.refused {
            let evidence = Evidence::Refused(now.saturating_sub(at));
            return Verdict { state: VerdictState::Dead, evidence };
        }
        let excused = peer.excused_until.is_some_and(|until| now < until);
        let Some(heard) = peer.heard else {
            let since = now.saturating_sub(peer.known_since);
            let dead = since > self.config.first_contact && !excused;
            let state = if dead { VerdictState::Dead } else { VerdictState::Suspect };
            return Verdict { state, evidence: Evidence::NeverHeard(since) };
        };
        let silence = now.saturating_sub(heard);
        let state = self.judge(silence, peer.window.phi(silence, &self.prior()));
        // An excuse postpones a verdict that was not given before; it takes none back.
        let state = if excused { state.min(peer.reported) } else { state };
        let evidence = match state {
            VerdictState::Alive => Evidence::Heard(silence),
            VerdictState::Suspect | VerdictState::Dead => Evidence::Silence(silence),
        };
        Verdict { state, evidence }
    }

    /// Suspicion of a peer; `None` when it was never heard.
    pub fn phi(&self, now: Duration, node: NodeId) -> Option<f64> {
        let peer = self.peers.get(&node)?;
        let silence = now.saturating_sub(peer.heard?);
        Some(peer.window.phi(silence, &self.prior()))
    }

    /// What suspicion of a peer would be after such a silence; `None` when it was never heard.
    pub fn phi_after(&self, node: NodeId, silence: Duration) -> Option<f64> {
        let peer = self.peers.get(&node)?;
        peer.heard?;
        Some(peer.window.phi(silence, &self.prior()))
    }

    /// How long ago a peer was heard; `None` when it never was.
    pub fn heard_ago(&self, now: Duration, node: NodeId) -> Option<Duration> {
        Some(now.saturating_sub(self.peers.get(&node)?.heard?))
    }

    /// The newest incarnation of a peer that was heard.
    pub fn incarnation(&self, node: NodeId) -> Option<Incarnation> {
        self.peers.get(&node)?.incarnation
    }

    /// Whether this node's own pause excuses the peer's silence still: nothing that the peer has
    /// not said is held against it.
    pub fn excused(&self, now: Duration, node: NodeId) -> bool {
        let until = self.peers.get(&node).and_then(|peer| peer.excused_until);
        until.is_some_and(|until| now < until)
    }

    /// Forgets a peer that has left the cluster.
    pub fn forget(&mut self, node: NodeId) {
        self.peers.remove(&node);
    }

    /// The peers that are known, in order.
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.peers.keys().copied()
    }

    /// The earliest time at which silence alone may change a verdict; ask after each tick.
    pub fn next_wake(&self, now: Duration) -> Duration {
        let due = |peer: &Peer| {
            let silent = peer.heard.unwrap_or(peer.known_since) + self.config.silence_min;
            let excused = peer.excused_until.unwrap_or(silent);
            [silent, excused].into_iter().filter(|at| *at > now).min()
        };
        self.peers.values().filter_map(due).min().unwrap_or(now + self.config.silence_min)
    }

    fn prior(&self) -> Prior {
        Prior {
            interval: self.config.interval,
            weight: self.config.prior_weight,
            deviation_min: self.config.deviation_min,
            samples_max: self.config.samples_max,
        }
    }

    fn judge(&self, silence: Duration, phi: f64) -> VerdictState {
        let certain = phi >= self.config.phi_dead && silence >= self.config.silence_min;
        if certain || silence >= self.config.silence_max {
            VerdictState::Dead
        } else if phi >= self.config.phi_suspect {
            VerdictState::Suspect
        } else {
            VerdictState::Alive
        }
    }

    /// Gives each peer its grace after an own pause. A peer that used up an earlier grace without
    /// being heard gets no other: an overloaded node would never suspect anybody.
    fn excuse(&mut self, now: Duration) {
        let until = now + self.config.pause_grace;
        for peer in self.peers.values_mut() {
            peer.excused_until.get_or_insert(until);
        }
    }

    fn change(&mut self, now: Duration, node: NodeId) -> Option<VerdictChange> {
        let verdict = self.verdict(now, node);
        let peer = self.peers.get_mut(&node)?;
        let before = std::mem::replace(&mut peer.reported, verdict.state);
        let restarted = std::mem::take(&mut peer.restarted);
        let changed = before != verdict.state || restarted;
        changed.then_some(VerdictChange { node, before, verdict, restarted })
    }
}
