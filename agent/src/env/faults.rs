//! Faults that drills make: the same world, with something wrong in it for a while.
//!
//! Invariant: each fault ends at its own time on the monotonic clock, by itself; none outlives the
//! process. Only an agent that was started with `--drills` has this layer at all.

mod disk;
mod net;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use evenkeel_shared::fault::{Fault, Way};
use evenkeel_shared::ids::NodeId;
use tokio::sync::Notify;

use super::Env;
use super::clock::Clock;
use super::rng::Rng;

/// One fault, and when it ends.
#[derive(Clone, Debug)]
struct Active {
    fault: Fault,
    until: Duration,
}

/// What is wrong now.
pub struct Faults {
    clock: Arc<dyn Clock>,
    rng: Arc<dyn Rng>,
    active: Mutex<Vec<Active>>,
    /// Whether there is any: looked at by every read and write.
    any: AtomicBool,
    changed: Notify,
    healed: Condvar,
    /// Who listens where: dials are judged by that.
    addresses: Mutex<BTreeMap<String, NodeId>>,
    /// Who is at the other end of connections that others have opened; 0 until it has said so.
    callers: Mutex<BTreeMap<SocketAddr, Arc<AtomicU32>>>,
}

/// The way of bytes, as this node sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bound {
    In,
    Out,
}

impl Faults {
    /// Puts this layer between an agent and its world.
    pub fn between(env: &Env) -> Env {
        let faults = Arc::new(Self {
            clock: env.clock.clone(),
            rng: env.rng.clone(),
            active: Mutex::default(),
            any: AtomicBool::new(false),
            changed: Notify::new(),
            healed: Condvar::new(),
            addresses: Mutex::default(),
            callers: Mutex::default(),
        });
        Env {
            clock: Arc::new(SkewedClock { real: env.clock.clone(), faults: faults.clone() }),
            net: Arc::new(net::FaultyNet { real: env.net.clone(), faults: faults.clone() }),
            disk: Arc::new(disk::FaultyDisk { real: env.disk.clone(), faults: faults.clone() }),
            faults: Some(faults),
            ..env.clone()
        }
    }

    /// Makes a fault for so long; it replaces one of its kind.
    pub fn begin(&self, fault: Fault, lasts: Duration) {
        let until = self.clock.now() + lasts;
        let kind = std::mem::discriminant(&fault);
        let mut active = self.active();
        active.retain(|one| std::mem::discriminant(&one.fault) != kind);
        active.push(Active { fault, until });
        self.any.store(true, Ordering::Release);
        drop(active);
        self.tell();
    }

    /// Ends all of them; says which there were.
    pub fn heal(&self) -> Vec<Fault> {
        let ended = self.now().into_iter().map(|one| one.fault).collect();
        self.active().clear();
        self.any.store(false, Ordering::Release);
        self.tell();
        ended
    }

    /// What is wrong, in words; `None` when nothing is.
    pub fn words(&self) -> Option<String> {
        let now = self.clock.now();
        let word = |one: Active| {
            let left = one.until.saturating_sub(now).as_millis().div_ceil(1_000);
            format!("{} for {left} s more", one.fault)
        };
        let words: Vec<String> = self.now().into_iter().map(word).collect();
        (!words.is_empty()).then(|| words.join(", "))
    }

    /// Whether one of them leaves this node of no use to its shards.
    pub fn take_node_away(&self) -> bool {
        self.now().iter().any(|one| one.fault.takes_node_away())
    }

    /// Says who listens where.
    pub fn know(&self, addresses: &BTreeMap<NodeId, String>) {
        let addresses = addresses.iter().map(|(node, address)| (address.clone(), *node));
        *lock(&self.addresses) = addresses.collect();
    }

    /// Says who has opened a connection from there.
    pub fn identify(&self, from: SocketAddr, node: NodeId) {
        if let Some(caller) = lock(&self.callers).get(&from) {
            caller.store(node.0, Ordering::Release);
        }
    }

    fn tell(&self) {
        self.changed.notify_waiters();
        self.healed.notify_all();
    }

    fn active(&self) -> MutexGuard<'_, Vec<Active>> {
        lock(&self.active)
    }

    /// Those that have not ended.
    fn now(&self) -> Vec<Active> {
        if !self.any.load(Ordering::Acquire) {
            return Vec::new();
        }
        let now = self.clock.now();
        let mut active = self.active();
        active.retain(|one| one.until > now);
        self.any.store(!active.is_empty(), Ordering::Release);
        active.clone()
    }

    /// Until when nothing passes to or from a node, if it does not.
    fn cut_until(&self, node: NodeId, bound: Bound) -> Option<Duration> {
        let cuts = self.now().into_iter().filter(|one| match &one.fault {
            Fault::Cut { from, way } => {
                let way = matches!(
                    (way, bound),
                    (Way::Both, _) | (Way::In, Bound::In) | (Way::Out, Bound::Out)
                );
                way && (from.is_empty() || from.contains(&node))
            }
            _ => false,
        });
        cuts.map(|cut| cut.until).max()
    }

    /// How late the next thing leaves that is sent to another agent.
    fn delay(&self) -> Option<Duration> {
        self.now().into_iter().find_map(|one| match one.fault {
            Fault::Slow { delay_ms, jitter_ms } => {
                let drawn = self.rng.next_u64() % (u64::from(jitter_ms) + 1);
                Some(Duration::from_millis(u64::from(delay_ms) + drawn))
            }
            _ => None,
        })
    }

    /// Waits until something passes between this node and that one.
    async fn passes(self: Arc<Self>, node: NodeId, bound: Bound) {
        loop {
            let changed = self.changed.notified();
            let Some(until) = self.cut_until(node, bound) else { return };
            let left = until.saturating_sub(self.clock.now());
            let _ = tokio::time::timeout(left, changed).await;
        }
    }

    /// Waits, blocking, while syncs do not end.
    fn wait_for_disk(&self) {
        let stalled = |active: &[Active], now| {
            let stalls = active.iter().filter(|one| one.fault == Fault::StallDisk);
            stalls.map(|one| one.until.saturating_sub(now)).max().filter(|left| !left.is_zero())
        };
        if !self.any.load(Ordering::Acquire) {
            return;
        }
        let mut active = self.active();
        while let Some(left) = stalled(&active, self.clock.now()) {
            let waited = self.healed.wait_timeout(active, left);
            active = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn is_disk_full(&self) -> bool {
        self.now().iter().any(|one| one.fault == Fault::FillDisk)
    }

    fn skew_ms(&self) -> i64 {
        let skew = |one: Active| match one.fault {
            Fault::Skew { milliseconds } => Some(milliseconds),
            _ => None,
        };
        self.now().into_iter().find_map(skew).unwrap_or(0)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no holder of this lock panics")
}

/// A clock whose wall time may be off. Monotonic time is never touched: it ends the faults.
struct SkewedClock {
    real: Arc<dyn Clock>,
    faults: Arc<Faults>,
}

impl Clock for SkewedClock {
    fn now(&self) -> Duration {
        self.real.now()
    }

    fn unix_ms(&self) -> u64 {
        self.real.unix_ms().saturating_add_signed(self.faults.skew_ms())
    }
}

#[cfg(test)]
mod tests;
