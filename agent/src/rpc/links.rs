//! Connections to the other nodes: three lanes each, dialled again as soon as they break.
//!
//! The heartbeat lane is also a witness: a connection that closes and is refused at once means
//! that the process is gone.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use evenkeel_shared::error::WireError;
use evenkeel_shared::ids::{Incarnation, NodeId};
use evenkeel_shared::service::peer::{PeerClient, PeerRequest, PeerResponse};
use evenkeel_shared::wire::connection;
use evenkeel_shared::wire::hello::{self, Lane, Service};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::appends::Appends;
use super::identity::Identity;
use super::lifeline;
use crate::env::Env;

/// The first wait after a failed dial; it doubles up to the longest.
const REDIAL_FIRST: Duration = Duration::from_millis(20);
pub(super) const REDIAL_LONGEST: Duration = Duration::from_millis(250);
/// How long one dial may take: a node that is cut off does not answer at all.
pub(super) const DIAL_MAX: Duration = Duration::from_secs(1);

/// What a heartbeat lane has seen of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// A connection is up, to this incarnation.
    Connected(NodeId, Incarnation),
    /// It closed, and the attempt to open it again was refused.
    ClosedAndRefused(NodeId),
}

/// Connections to every other node.
pub struct Links {
    pub(super) env: Env,
    pub(super) identity: Arc<Identity>,
    evidence: mpsc::UnboundedSender<Evidence>,
    peers: Mutex<BTreeMap<NodeId, Peer>>,
    ended: CancellationToken,
}

struct Peer {
    address: watch::Sender<String>,
    lanes: BTreeMap<Lane, LaneSlot>,
    appends: Appends,
    stop: CancellationToken,
}

/// The open connection of one lane, if there is one, and how to have it dialled again.
#[derive(Clone)]
pub struct LaneSlot {
    client: watch::Receiver<Option<PeerClient>>,
    redial: Arc<tokio::sync::Notify>,
    /// When the peer last answered on it.
    heard: Arc<Mutex<Duration>>,
    /// Of all lanes to that peer.
    tally: Arc<Tally>,
}

/// Calls that have ended since somebody last asked.
#[derive(Debug, Default)]
struct Tally {
    answered: AtomicU32,
    failed: AtomicU32,
}

impl LaneSlot {
    /// The open connection.
    pub fn client(&self) -> Option<PeerClient> {
        self.client.borrow().clone()
    }

    /// Ends once another connection has been opened.
    pub(super) async fn reopened(&self) {
        let mut client = self.client.clone();
        client.mark_unchanged();
        while client.changed().await.is_ok() {
            if client.borrow_and_update().is_some() {
                return;
            }
        }
        // Nobody keeps it open any more.
        std::future::pending::<()>().await;
    }

    /// The peer has answered.
    pub fn hear(&self, now: Duration) {
        *self.heard.lock().expect("no holder of this lock panics") = now;
    }

    /// When the peer last answered.
    pub fn heard(&self) -> Duration {
        *self.heard.lock().expect("no holder of this lock panics")
    }

    /// A call has ended: with an answer, whatever it said, or without one.
    pub fn count(&self, answered: bool) {
        let ended = if answered { &self.tally.answered } else { &self.tally.failed };
        ended.fetch_add(1, Ordering::Relaxed);
    }

    /// Closes the connection: a call on it took too long.
    pub fn redial(&self) {
        self.redial.notify_one();
    }
}

impl Links {
    /// No peers yet. Evidence comes out of the returned queue; each peer sends at most one message
    /// a change of its connection, so it needs no bound.
    pub fn new(
        env: Env,
        identity: Arc<Identity>,
        ended: CancellationToken,
    ) -> (Arc<Self>, mpsc::UnboundedReceiver<Evidence>) {
        let (evidence, seen) = mpsc::unbounded_channel();
        (Arc::new(Self { env, identity, evidence, peers: Mutex::default(), ended }), seen)
    }

    /// Dials these nodes, and no others.
    pub fn follow(self: &Arc<Self>, addresses: &BTreeMap<NodeId, String>) {
        if let Some(faults) = &self.env.faults {
            faults.know(addresses);
        }
        let mut peers = self.lock();
        peers.retain(|node, peer| {
            let kept = addresses.contains_key(node);
            if !kept {
                peer.stop.cancel();
            }
            kept
        });
        for (node, address) in addresses {
            let peer = peers.entry(*node).or_insert_with(|| self.start(*node, address));
            peer.address.send_if_modified(|old| {
                let changed = old != address;
                old.clone_from(address);
                changed
            });
        }
    }

    /// One lane to a node.
    pub fn lane(&self, node: NodeId, lane: Lane) -> Option<LaneSlot> {
        self.lock().get(&node).and_then(|peer| peer.lanes.get(&lane).cloned())
    }

    /// The open connection of one lane to a node.
    pub fn client(&self, node: NodeId, lane: Lane) -> Option<PeerClient> {
        self.lane(node, lane)?.client()
    }

    /// How many calls of a node have failed since this was last asked, in thousandths; `None` if
    /// none has ended.
    pub fn failures(&self, node: NodeId) -> Option<u32> {
        let tally = self.lane(node, Lane::Heartbeat)?.tally;
        let answered = tally.answered.swap(0, Ordering::Relaxed);
        let failed = tally.failed.swap(0, Ordering::Relaxed);
        let share = u64::from(failed) * 1_000;
        let share = share.checked_div(u64::from(answered) + u64::from(failed))?;
        u32::try_from(share).ok()
    }

    /// The way of appends to a node.
    pub fn appends(&self, node: NodeId) -> Option<Appends> {
        self.lock().get(&node).map(|peer| peer.appends.clone())
    }

    /// The time, on this node's clock.
    pub fn now(&self) -> Duration {
        self.env.clock.now()
    }

    /// Every node that is dialled.
    pub fn nodes(&self) -> Vec<NodeId> {
        self.lock().keys().copied().collect()
    }

    fn start(self: &Arc<Self>, node: NodeId, address: &str) -> Peer {
        let stop = self.ended.child_token();
        let (address, _) = watch::channel(address.to_owned());
        let tally = Arc::<Tally>::default();
        let lanes = [Lane::Raft, Lane::Heartbeat, Lane::Bulk].map(|lane| {
            let (open, client) = watch::channel(None);
            let redial = Arc::new(tokio::sync::Notify::new());
            let tally = tally.clone();
            let slot = LaneSlot { client, redial, heard: Arc::default(), tally };
            let keeper = Keeper {
                links: self.clone(),
                node,
                lane,
                address: address.subscribe(),
                open,
                slot: slot.clone(),
            };
            let stop = stop.clone();
            tokio::spawn(async move { stop.run_until_cancelled(keeper.run()).await });
            (lane, slot)
        });
        let lanes = BTreeMap::from(lanes);
        let life = lifeline::watch(self.clone(), node, address.subscribe());
        let ended = stop.clone();
        tokio::spawn(async move { ended.run_until_cancelled(life).await });
        let (appends, bundler) = Appends::new(node, lanes[&Lane::Raft].clone());
        let ended = stop.clone();
        tokio::spawn(async move { ended.run_until_cancelled(bundler).await });
        Peer { address, lanes, appends, stop }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<NodeId, Peer>> {
        self.peers.lock().expect("no holder of this lock panics")
    }
}

/// Keeps one lane open.
struct Keeper {
    links: Arc<Links>,
    node: NodeId,
    lane: Lane,
    address: watch::Receiver<String>,
    open: watch::Sender<Option<PeerClient>>,
    slot: LaneSlot,
}

impl Keeper {
    async fn run(mut self) {
        let mut wait = REDIAL_FIRST;
        let mut told = false;
        loop {
            let address = self.address.borrow_and_update().clone();
            match tokio::time::timeout(DIAL_MAX, self.dial(&address)).await {
                Ok(Ok(())) => {
                    // Try again at once: a refusal right after a close is what crashes look like.
                    told = false;
                    wait = REDIAL_FIRST;
                    self.hold().await;
                    continue;
                }
                Ok(Err(WireError::Refused { .. })) => {
                    // Once a close: the dial right after it may still meet a dying listener and
                    // be reset instead.
                    if !told {
                        self.tell(Evidence::ClosedAndRefused(self.node));
                        told = true;
                    }
                }
                Ok(Err(error)) => {
                    tracing::debug!(node = %self.node, lane = ?self.lane, %error, "no lane");
                }
                Err(_) => {
                    tracing::debug!(node = %self.node, lane = ?self.lane, "dial took too long");
                }
            }
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                changed = self.address.changed() => if changed.is_err() { return },
            }
            wait = (wait * 2).min(REDIAL_LONGEST);
        }
    }

    /// Opens the connection and starts its dispatcher.
    async fn dial(&self, address: &str) -> Result<(), WireError> {
        let hello = self.links.identity.hello(Service::Peer(self.lane));
        let dial = self.links.env.net.as_ref();
        let (welcome, frames) = hello::call(dial, address, hello).await?;
        if welcome.node != Some(self.node) {
            let why = format!("{} answers there, not {}", welcome.name, self.node);
            return Err(WireError::TurnedAway { address: address.to_owned(), why });
        }
        let (channel, connection) = connection::open::<PeerRequest, PeerResponse>(frames);
        let open = self.open.clone();
        let (redial, links) = (self.slot.redial.clone(), self.links.ended.clone());
        self.slot.hear(self.links.now());
        open.send_replace(Some(channel.into()));
        self.tell(Evidence::Connected(self.node, welcome.incarnation));
        tokio::spawn(async move {
            let until = async {
                tokio::select! {
                    () = redial.notified() => {}
                    () = links.cancelled() => {}
                }
            };
            if let Err(error) = connection.run_until(until).await {
                tracing::debug!(%error, "lane ended");
            }
            open.send_replace(None);
        });
        Ok(())
    }

    /// Waits until the open connection has ended.
    async fn hold(&self) {
        let mut open = self.open.subscribe();
        // The sender is our own, so waiting can't fail.
        let _ = open.wait_for(Option::is_none).await;
    }

    fn tell(&self, evidence: Evidence) {
        if self.lane == Lane::Heartbeat {
            // Nobody listens any more when the node is stopping.
            let _ = self.links.evidence.send(evidence);
        }
    }
}

#[cfg(test)]
mod tests;
