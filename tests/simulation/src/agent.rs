//! One simulated machine: its disk, which outlives crashes, and the agent that runs on it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use evenkeel_agent::config::{Config, Settings};
use evenkeel_agent::env::fs::Disk as _;
use evenkeel_agent::env::fs::sim::SimDisk;
use evenkeel_agent::node::{self, Fittings, Probe, Sight};
use evenkeel_agent::store::engine::memory::MemoryEngine;
use evenkeel_agent::store::wal::WalConfig;

use crate::env;
use crate::seed::Seed;

/// The port of every agent.
const PORT: u16 = 7400;
/// Small segments, so that short runs recycle them too.
const SEGMENT_BYTES: u64 = 512 << 10;

/// How a cluster is laid out.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Agents.
    pub agents: usize,
    /// Shards of the first keyspace.
    pub shards: u16,
    /// Copies of each.
    pub replicas: u8,
}

/// How an agent ends without being asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// The process dies; what it wrote stays.
    Process,
    /// The machine loses power; what was not synced may be lost.
    Power,
}

/// What can be wrong with a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskFault {
    /// Every sync fails.
    Syncs,
    /// Every write fails.
    Writes,
    /// So many more bytes fit.
    Full(u64),
    /// So many more writes get through, then the machine is off: the last ones are torn.
    Torn(u64),
}

/// One machine. Clones are the same machine.
#[derive(Clone)]
pub struct Machine {
    /// The agent's name, which is also the host's.
    pub name: String,
    number: usize,
    seed: Seed,
    settings: Settings,
    disk: SimDisk,
    engine: MemoryEngine,
    probe: Arc<Mutex<Option<Probe>>>,
    lives: Arc<AtomicU64>,
    /// The disk has been at fault in this life: the agent may end with an error, later too.
    faulty: Arc<AtomicBool>,
    /// The disk is at fault now.
    broken: Arc<AtomicBool>,
    /// It has.
    ended: Arc<AtomicBool>,
    /// How it ends then.
    ends: Arc<Mutex<Crash>>,
}

impl Machine {
    /// A new machine with an empty disk, counted from 0; the first one founds the cluster.
    pub fn new(seed: Seed, layout: Layout, number: usize) -> Self {
        let founds = number == 0;
        let name = name(number);
        let others = (0..layout.agents).filter(|other| *other != number).map(address);
        let settings = Settings {
            name: Some(name.clone()),
            data: Some(PathBuf::from("/data")),
            listen: Some(format!("0.0.0.0:{PORT}")),
            advertise: Some(address(number)),
            insecure: Some(true),
            bootstrap: Some(founds),
            shards: founds.then_some(layout.shards),
            replicas: founds.then_some(layout.replicas),
            join: (!founds).then(|| others.collect()),
            ..Settings::default()
        };
        Self {
            name,
            number,
            seed,
            settings,
            disk: SimDisk::new(),
            engine: MemoryEngine::new(),
            probe: Arc::default(),
            lives: Arc::default(),
            faulty: Arc::default(),
            broken: Arc::default(),
            ended: Arc::default(),
            ends: Arc::new(Mutex::new(Crash::Process)),
        }
    }

    /// Runs the agent until it is crashed; the host calls it once a life.
    pub async fn run(self) -> turmoil::Result {
        let life = self.lives.fetch_add(1, Ordering::Relaxed) + 1;
        self.faulty.store(self.broken.load(Ordering::Relaxed), Ordering::Relaxed);
        let which = u64::try_from(self.number)? << 32 | life;
        let env = env::env(self.disk.mount(), self.seed.stream("agent", which));
        let config = Config::check(self.settings.clone())?;
        let probe = self.probe.clone();
        let fittings = Fittings {
            engine: Some(Arc::new(self.engine.clone())),
            log: WalConfig {
                segment_bytes: SEGMENT_BYTES,
                bytes_max: 8 * SEGMENT_BYTES,
                yield_before_sync: true,
                ..WalConfig::default()
            },
            probe: Some(Box::new(move |open| *lock(&probe) = Some(open))),
        };
        let outcome = node::run(env, config, fittings, std::future::pending()).await;
        if outcome.is_err() && self.faulty.load(Ordering::Relaxed) {
            self.ended.store(true, Ordering::Relaxed);
            // Until the world has seen it and ends the host as the process would end.
            std::future::pending::<()>().await;
        }
        Ok(outcome?)
    }

    /// How the agent has ended because of its disk, if it has.
    pub fn has_ended(&self) -> Option<Crash> {
        let ended = self.ended.load(Ordering::Relaxed);
        ended.then(|| *lock(&self.ends))
    }

    /// Lets the disk fail.
    pub fn break_disk(&self, fault: DiskFault) {
        self.faulty.store(true, Ordering::Relaxed);
        self.broken.store(true, Ordering::Relaxed);
        let off = matches!(fault, DiskFault::Torn(_));
        *lock(&self.ends) = if off { Crash::Power } else { Crash::Process };
        match fault {
            DiskFault::Syncs => self.disk.fail_syncs(true),
            DiskFault::Writes => self.disk.fail_writes(true),
            DiskFault::Torn(writes) => self.disk.crash_after_writes(writes),
            DiskFault::Full(bytes) => {
                self.disk.set_capacity_bytes(None);
                let space = self.disk.space(Path::new("/data"));
                let space = space.expect("the simulated disk knows its space");
                let used = space.total_bytes - space.free_bytes;
                self.disk.set_capacity_bytes(Some(used + bytes));
            }
        }
    }

    /// Lets the disk work again, for an agent that lives on or for the next one.
    pub fn mend_disk(&self) {
        self.disk.fail_syncs(false);
        self.disk.fail_writes(false);
        self.disk.set_capacity_bytes(None);
        self.broken.store(false, Ordering::Relaxed);
    }

    /// Whether the disk is at fault now.
    pub fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    /// Ends the disk's current life, before the host is ended: nothing more reaches it.
    pub fn stop_disk(&self, how: Crash) {
        *lock(&self.probe) = None;
        self.ended.store(false, Ordering::Relaxed);
        match how {
            Crash::Process => self.disk.kill(),
            Crash::Power => {
                let life = self.lives.load(Ordering::Relaxed);
                let which = (self.number as u64) << 32 | life;
                self.disk.crash(self.seed.number("power cut", which));
            }
        }
    }

    /// What a crash does to the data, after the host has ended: nobody holds a tree any more.
    pub fn lose_data(&self, how: Crash) {
        if how == Crash::Power {
            self.engine.lose_unsynced();
        }
    }

    /// Count of its starts.
    pub fn life(&self) -> u64 {
        self.lives.load(Ordering::Relaxed)
    }

    /// Every replica of the living agent.
    pub fn look(&self) -> Vec<Sight> {
        lock(&self.probe).as_ref().map(Probe::look).unwrap_or_default()
    }

    /// What the living agent has taken out of service.
    pub fn damaged(&self) -> Vec<String> {
        lock(&self.probe).as_ref().map(Probe::damaged).unwrap_or_default()
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().expect("nothing panics while it holds what a machine shares")
}

/// An agent's name.
pub fn name(number: usize) -> String {
    format!("n{}", number + 1)
}

/// Where an agent is reached.
pub fn address(number: usize) -> String {
    format!("{}:{PORT}", name(number))
}
