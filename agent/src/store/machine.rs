//! One replica's state machine: what its log has made of its tree.
//!
//! The applied index stands in the same commit as what was applied, so a crash never leaves one
//! without the other. Apply is the only writer besides a snapshot's install; both hold one lock.

mod apply;
mod clients;
mod image;
mod raft;
mod read;
mod rows;
mod run;
mod salvage;
mod scrub;
mod snapshot;
mod state;
mod trouble;
mod witness;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, RwLock};

use bytes::Bytes;
use evenkeel_shared::event::Event;
use evenkeel_shared::ids::{Epoch, History, KeyspaceId, ReplicaId, ShardId};
use evenkeel_shared::key::SlotRange;
use evenkeel_shared::version::Hlc;
use evenkeel_shared::view::ClusterFacts;
use serde::Serialize;
use tokio::sync::{broadcast, watch};

pub use self::image::{ContentAt, Image};
pub use self::read::{ScanPage, ScanQuery};
pub use self::snapshot::{Chunks, Outgoing, SnapshotData, Staged, Staging};
pub use self::state::MachinePhase;
pub use self::trouble::Trouble;
pub use salvage::Salvage;

use self::image::Cuts;
use self::state::State;
use crate::env::Env;
use crate::env::work::Work;
use crate::store::engine::{Changes, Engine, EngineError, Tree};

/// What an entry carries: a command, a membership, or nothing.
type Payload =
    openraft::EntryPayload<evenkeel_shared::command::Command, ReplicaId, openraft::EmptyNode>;

/// The tree that says which tree each replica lives in.
const POINTERS: &str = "pointers";
/// Events that a slow listener may fall behind before it must read them from the journal.
const EVENTS_QUEUED_MAX: usize = 1_024;

/// Why a machine did not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum MachineError {
    /// The engine failed, or found damage.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// Quarantine the replica: a row can't be read.
    #[error("{what} is malformed")]
    Malformed {
        /// What was being read.
        what: String,
    },
    /// Quarantine the replica: what it has applied is gone.
    #[error("tree {tree} is missing")]
    Missing {
        /// The tree that the pointer names.
        tree: String,
    },
    /// Choose a later cut: entries above this one are already applied.
    #[error("{hlc} is already applied, past the cut at {cut}")]
    PastCut {
        /// The cut.
        cut: Hlc,
        /// The time of the last applied entry.
        hlc: Hlc,
    },
    /// Start the transfer again: what came is not what was sent.
    #[error("snapshot refused: {why}")]
    BadSnapshot {
        /// What was wrong with it.
        why: String,
    },
    /// Open the machine again: it failed before, or has been destroyed.
    #[error("the state machine of {0} has stopped")]
    Stopped(ShardId),
}

/// Which replica of which life of a shard a machine belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct MachineId {
    /// The shard.
    pub shard: ShardId,
    /// Which life of it.
    pub history: History,
    /// The replica.
    pub replica: ReplicaId,
}

impl MachineId {
    fn tree_prefix(&self) -> String {
        let Self { shard, history, replica } = self;
        format!("{shard}-h{}-{:016x}-r{:x}-g", history.number, history.salt, replica.0)
    }

    fn tree_name(&self, generation: u64) -> String {
        format!("{}{generation}", self.tree_prefix())
    }

    fn pointer_key(&self) -> Bytes {
        rows::encode(self)
    }
}

/// How far a machine is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Term and index of the last applied entry.
    pub applied: Option<(u64, u64)>,
    /// The time of the last applied entry.
    pub hlc: Hlc,
    /// Count of applied configuration changes.
    pub epoch: Epoch,
    /// Hash over every applied entry: equal on every replica at an equal index.
    pub chain: u64,
    /// Whose keys the shard holds.
    pub keyspace: Option<KeyspaceId>,
    /// Its slots.
    pub slots: Arc<[SlotRange]>,
    /// Whether it takes writes.
    pub phase: MachinePhase,
}

impl Status {
    /// The last applied index; 0 when nothing was applied (or the first entry only).
    pub fn applied_index(&self) -> u64 {
        self.applied.map_or(0, |(_, index)| index)
    }

    /// Whether the shard holds the slot and takes clients' requests.
    pub fn owns(&self, slot: evenkeel_shared::key::Slot) -> bool {
        self.is_open() && self.slots.iter().any(|range| range.contains(slot))
    }

    /// Whether the shard takes clients' writes.
    pub fn is_open(&self) -> bool {
        self.phase == MachinePhase::Open
    }
}

/// A replica's state machine. Clones are handles to the same one.
#[derive(Clone)]
pub struct Machine {
    inner: Arc<Inner>,
}

struct Inner {
    id: MachineId,
    engine: Arc<dyn Engine>,
    work: Arc<dyn Work>,
    tree: RwLock<Home>,
    /// Held by whoever writes the tree.
    core: Mutex<Core>,
    generation_next: AtomicU64,
    stopped: AtomicBool,
    trouble: Mutex<Option<Trouble>>,
    status: watch::Sender<Status>,
    facts: watch::Sender<Arc<ClusterFacts>>,
    events: broadcast::Sender<Event>,
}

/// The tree that a replica lives in now.
#[derive(Clone)]
struct Home {
    generation: u64,
    tree: Arc<dyn Tree>,
}

/// What only a writer may touch.
struct Core {
    state: State,
    cuts: Cuts,
}

impl Machine {
    /// Opens a replica's tree, or makes one. What it reports as applied is durable.
    pub async fn open(
        id: MachineId,
        env: &Env,
        engine: Arc<dyn Engine>,
    ) -> Result<Self, MachineError> {
        let work = Arc::clone(&env.work);
        env.work.run(move || Self::open_blocking(id, work, engine)).await
    }

    fn open_blocking(
        id: MachineId,
        work: Arc<dyn Work>,
        engine: Arc<dyn Engine>,
    ) -> Result<Self, MachineError> {
        let (generation, tree) = Self::find_tree(id, &*engine)?;
        engine.sync()?;
        let state = State::load(id.shard, &*tree.view())?;
        let facts = state.facts.clone().unwrap_or_default();
        let inner = Inner {
            id,
            engine,
            work,
            tree: RwLock::new(Home { generation, tree }),
            generation_next: AtomicU64::new(generation + 1),
            stopped: AtomicBool::new(false),
            trouble: Mutex::default(),
            status: watch::Sender::new(state.status()),
            facts: watch::Sender::new(facts),
            events: broadcast::Sender::new(EVENTS_QUEUED_MAX),
            core: Mutex::new(Core { state, cuts: Cuts::default() }),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The tree that the pointer names, or the first one. Leftovers are deleted.
    fn find_tree(id: MachineId, engine: &dyn Engine) -> Result<(u64, Arc<dyn Tree>), MachineError> {
        let pointer = engine.open(POINTERS)?.get(&id.pointer_key())?;
        let pointed = pointer.map(|row| rows::decode::<u64>("a pointer row", &row)).transpose()?;
        let generation = pointed.unwrap_or(0);
        let name = id.tree_name(generation);
        let names = engine.list()?;
        if pointed.is_some() && !names.contains(&name) {
            return Err(MachineError::Missing { tree: name });
        }
        for other in names {
            // A transfer that never ended, or the tree that a finished one has replaced.
            if other.starts_with(&id.tree_prefix()) && other != name {
                engine.delete(&other)?;
            }
        }
        Ok((generation, engine.open(&name)?))
    }

    /// Which replica this is.
    pub fn id(&self) -> MachineId {
        self.inner.id
    }

    /// How far it is. Never waits for an apply.
    pub fn status(&self) -> Status {
        self.inner.status.borrow().clone()
    }

    /// Count of applied configuration changes.
    pub fn epoch(&self) -> Epoch {
        self.inner.status.borrow().epoch
    }

    /// Tells of every change of its status.
    pub fn watch_status(&self) -> watch::Receiver<Status> {
        self.inner.status.subscribe()
    }

    /// The cluster's facts; empty in any other shard than the system shard.
    pub fn facts(&self) -> watch::Receiver<Arc<ClusterFacts>> {
        self.inner.facts.subscribe()
    }

    /// Tells of lines as they are added to the journal; one who falls behind reads
    /// [`Machine::events_after`].
    pub fn watch_events(&self) -> broadcast::Receiver<Event> {
        self.inner.events.subscribe()
    }

    /// Bytes that its tree takes, roughly.
    pub fn size_bytes(&self) -> u64 {
        self.inner.tree().size_bytes()
    }

    /// Deletes the data of a replica that can't be opened.
    pub async fn erase(
        id: MachineId,
        env: &Env,
        engine: Arc<dyn Engine>,
    ) -> Result<(), MachineError> {
        env.work.run(move || erase(id, &*engine)).await
    }

    /// Deletes the replica's data. Every handle to this machine answers `Stopped` from here on.
    pub async fn destroy(&self) -> Result<(), MachineError> {
        let inner = Arc::clone(&self.inner);
        self.inner.work.run(move || inner.destroy()).await
    }
}

impl Inner {
    fn tree(&self) -> Arc<dyn Tree> {
        Arc::clone(&self.home().tree)
    }

    fn home(&self) -> std::sync::RwLockReadGuard<'_, Home> {
        self.tree.read().expect("nothing panics while it swaps trees")
    }

    /// The writer's lock; refused once a write has failed, since state and tree may differ then.
    fn core(&self) -> Result<MutexGuard<'_, Core>, MachineError> {
        let core = self.core.lock().map_err(|_| MachineError::Stopped(self.id.shard))?;
        if self.stopped.load(Ordering::Acquire) {
            return Err(MachineError::Stopped(self.id.shard));
        }
        Ok(core)
    }

    fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
    }

    fn destroy(&self) -> Result<(), MachineError> {
        let core = self.core()?;
        self.stop();
        erase(self.id, &*self.engine)?;
        drop(core);
        Ok(())
    }

    fn publish(&self, state: &State, events: Vec<Event>) {
        self.status.send_replace(state.status());
        if let Some(facts) = &state.facts
            && !Arc::ptr_eq(facts, &self.facts.borrow())
        {
            self.facts.send_replace(Arc::clone(facts));
        }
        for event in events {
            // Nobody may be listening: the line stands in the journal.
            let _ = self.events.send(event);
        }
    }
}

fn erase(id: MachineId, engine: &dyn Engine) -> Result<(), MachineError> {
    // The pointer goes first: one that names a missing tree would look like damage.
    let pointers = engine.open(POINTERS)?;
    pointers.commit(Changes::from([(id.pointer_key(), None)]))?;
    engine.sync()?;
    for name in engine.list()? {
        if name.starts_with(&id.tree_prefix()) {
            engine.delete(&name)?;
        }
    }
    Ok(engine.sync()?)
}

#[cfg(test)]
mod tests;
