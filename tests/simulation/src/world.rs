//! A whole cluster in one thread: steps it, crashes and starts its agents, runs clients, and holds
//! every invariant after every step.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use evenkeel_agent::node::Sight;
use evenkeel_shared::heartbeat::RaftRole;
use evenkeel_shared::ids::ShardId;
use rand::RngExt as _;
use rand::rngs::StdRng;

use crate::agent::{Crash, DiskFault, Layout, Machine};
use crate::env::BEGINS_UNIX_S;
use crate::invariants::{self, Invariant, Seen, sound};
use crate::seed::Seed;
use crate::trace::Trace;

/// How far each step goes: the resolution of every observation.
const STEP: Duration = Duration::from_millis(1);
/// No run is longer, in simulated time.
const RUN_MAX: Duration = Duration::from_secs(600);
/// Messages of one connection under way: turmoil's own 64 fall short of a busy lane.
const TCP_CAPACITY: usize = 65_536;

/// Why a run has failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A property does not hold: the product loses or forks data.
    #[error("unsafe: {0}")]
    Unsafe(String),
    /// Something that should come about did not, in time.
    #[error("{what} did not come about within {limit:?}")]
    Late {
        /// What was waited for.
        what: String,
        /// For how long.
        limit: Duration,
    },
    /// A host has ended with an error.
    #[error("a host ended: {0}")]
    Ended(String),
}

/// A client's task and what came of it.
pub struct Job<T>(Rc<RefCell<Option<T>>>);

/// Agents, network, clients, invariants.
pub struct World {
    /// What decides the run.
    pub seed: Seed,
    /// How the cluster is laid out.
    pub layout: Layout,
    /// Chance for faults.
    pub chance: StdRng,
    /// What happened.
    pub trace: Rc<RefCell<Trace>>,
    sim: turmoil::Sim<'static>,
    machines: Vec<Machine>,
    running: Vec<bool>,
    invariants: Vec<Box<dyn Invariant>>,
    sights: BTreeMap<(usize, ShardId), Sight>,
    clients: u32,
}

impl World {
    /// A cluster whose agents all start now.
    pub fn new(seed: Seed, layout: Layout, trace: Rc<RefCell<Trace>>) -> Self {
        let mut chance = seed.stream("faults", 0);
        let mut sim = turmoil::Builder::new()
            .epoch(SystemTime::UNIX_EPOCH + Duration::from_secs(BEGINS_UNIX_S))
            .simulation_duration(RUN_MAX)
            .tick_duration(STEP)
            .min_message_latency(Duration::from_millis(1))
            .max_message_latency(Duration::from_millis(chance.random_range(2..10)))
            .tcp_capacity(TCP_CAPACITY)
            .enable_random_order()
            .rng_seed(seed.number("network", 0))
            .build();
        let machines: Vec<_> =
            (0..layout.agents).map(|number| Machine::new(seed, layout, number)).collect();
        for machine in &machines {
            let machine = machine.clone();
            sim.host(machine.name.clone(), move || machine.clone().run());
        }
        let running = vec![true; machines.len()];
        Self {
            seed,
            layout,
            chance,
            trace,
            sim,
            machines,
            running,
            invariants: invariants::all(),
            sights: BTreeMap::new(),
            clients: 0,
        }
    }

    /// Goes one step further and looks at everything.
    pub fn step(&mut self) -> Result<(), Failure> {
        self.sim.step().map_err(|error| Failure::Ended(chain(error.as_ref())))?;
        for number in 0..self.machines.len() {
            if let Some(how) = self.machines[number].has_ended() {
                self.note(&format!("{} gives up", self.machines[number].name));
                self.crash(number, how);
                // As its supervisor would; on a disk that is at fault it would only end again.
                if !self.machines[number].is_broken() {
                    self.start(number);
                }
            }
        }
        for machine in &self.machines {
            sound::check(&machine.name, &machine.damaged()).map_err(Failure::Unsafe)?;
        }
        let seen = self.look();
        self.note_changes(&seen);
        for invariant in &mut self.invariants {
            invariant.check(&seen).map_err(Failure::Unsafe)?;
        }
        Ok(())
    }

    /// Steps until something holds.
    pub fn until(
        &mut self,
        what: &str,
        limit: Duration,
        mut holds: impl FnMut(&mut Self) -> bool,
    ) -> Result<(), Failure> {
        let end = self.sim.elapsed() + limit;
        while !holds(self) {
            if self.sim.elapsed() >= end {
                return Err(Failure::Late { what: what.to_owned(), limit });
            }
            self.step()?;
        }
        self.note(&format!("{what}: done"));
        Ok(())
    }

    /// Lets time pass.
    pub fn pass(&mut self, time: Duration) -> Result<(), Failure> {
        let end = self.sim.elapsed() + time;
        while self.sim.elapsed() < end {
            self.step()?;
        }
        Ok(())
    }

    /// Starts a client on a host of its own; it goes on while the world steps.
    pub fn client<T: 'static>(&mut self, task: impl Future<Output = T> + 'static) -> Job<T> {
        self.clients += 1;
        let outcome = Rc::new(RefCell::new(None));
        let put = outcome.clone();
        self.sim.client(format!("c{}", self.clients), async move {
            let result = task.await;
            *put.borrow_mut() = Some(result);
            Ok(())
        });
        Job(outcome)
    }

    /// Steps until a client has ended, and gives its result.
    pub fn finish<T>(&mut self, what: &str, limit: Duration, job: &Job<T>) -> Result<T, Failure> {
        self.until(what, limit, |_| job.0.borrow().is_some())?;
        Ok(job.0.take().expect("it has just been seen"))
    }

    /// Ends an agent without asking it.
    pub fn crash(&mut self, number: usize, how: Crash) {
        let machine = self.machines[number].clone();
        self.note(&format!("{} crashes: {how:?}", machine.name));
        machine.stop_disk(how);
        self.sim.crash(machine.name.as_str());
        machine.lose_data(how);
        self.running[number] = false;
        self.sights.retain(|(node, _), _| *node != number);
    }

    /// Starts a crashed agent again.
    pub fn start(&mut self, number: usize) {
        let name = self.machines[number].name.clone();
        self.note(&format!("{name} starts"));
        self.sim.bounce(name);
        self.running[number] = true;
    }

    /// Whether an agent runs.
    pub fn runs(&self, number: usize) -> bool {
        self.running[number]
    }

    /// Lets an agent's disk fail; the agent may end of it.
    pub fn break_disk(&mut self, number: usize, fault: DiskFault) {
        self.machines[number].break_disk(fault);
    }

    /// Lets it work again.
    pub fn mend_disk(&mut self, number: usize) {
        self.machines[number].mend_disk();
    }

    /// Keeps back whatever two agents send each other.
    pub fn hold(&mut self, one: usize, other: usize) {
        self.sim.hold(self.machines[one].name.as_str(), self.machines[other].name.as_str());
    }

    /// Delivers what was kept back.
    pub fn release(&mut self, one: usize, other: usize) {
        let (one, other) = (self.machines[one].name.as_str(), self.machines[other].name.as_str());
        self.note(&format!("{one} and {other} get what was kept back"));
        self.sim.release(one, other);
    }

    /// Loses whatever two agents send each other.
    pub fn cut(&mut self, one: usize, other: usize) {
        self.sim.partition(self.machines[one].name.as_str(), self.machines[other].name.as_str());
    }

    /// Loses whatever one agent sends to the other.
    pub fn cut_one_way(&mut self, from: usize, to: usize) {
        let (from, to) = (self.machines[from].name.as_str(), self.machines[to].name.as_str());
        self.sim.partition_oneway(from, to);
    }

    /// Mends both ways between two agents.
    pub fn mend(&mut self, one: usize, other: usize) {
        let (one, other) = (self.machines[one].name.as_str(), self.machines[other].name.as_str());
        self.note(&format!("{one} and {other} are connected again"));
        self.sim.repair(one, other);
    }

    /// Whether every agent runs, holds its share of every shard, each shard has a leader and every
    /// replica has applied as much as the others.
    pub fn is_settled(&self) -> bool {
        let seen = self.look();
        let shards = 0..=u32::from(self.layout.shards);
        self.running.iter().all(|runs| *runs)
            && shards.into_iter().all(|shard| self.is_shard_settled(ShardId(shard), &seen))
    }

    fn is_shard_settled(&self, shard: ShardId, seen: &[Seen]) -> bool {
        let copies: Vec<_> =
            seen.iter().map(|seen| seen.sight).filter(|sight| sight.shard == shard).collect();
        let wanted =
            if shard.is_system() { self.layout.agents } else { usize::from(self.layout.replicas) };
        let leads = copies.iter().filter(|copy| copy.role == RaftRole::Leader).count();
        let votes = copies.iter().all(|copy| copy.role != RaftRole::Learner);
        let equal = copies.windows(2).all(|two| two[0].applied == two[1].applied);
        copies.len() == wanted && leads == 1 && votes && equal
    }

    /// Simulated time since the beginning.
    pub fn elapsed(&self) -> Duration {
        self.sim.elapsed()
    }

    /// Adds a line to the trace.
    pub fn note(&self, what: &str) {
        self.trace.borrow_mut().add(self.sim.elapsed(), what);
    }

    fn look(&self) -> Vec<Seen> {
        let mut seen = Vec::new();
        for (node, machine) in self.machines.iter().enumerate() {
            let life = machine.life();
            seen.extend(machine.look().into_iter().map(|sight| Seen { node, life, sight }));
        }
        seen
    }

    /// Every change of a replica goes into the trace; of a role or term, as a line to be read.
    fn note_changes(&mut self, seen: &[Seen]) {
        let mut trace = self.trace.borrow_mut();
        for Seen { node, sight, .. } in seen {
            let before = self.sights.insert((*node, sight.shard), *sight);
            if before == Some(*sight) {
                continue;
            }
            let change = format!(
                "n{} {} {:?} term {} applied {:?} chain {:x}",
                node + 1,
                sight.shard,
                sight.role,
                sight.term,
                sight.applied,
                sight.chain
            );
            if before.is_some_and(|was| (was.role, was.term) == (sight.role, sight.term)) {
                trace.add_unread(self.sim.elapsed(), &change);
            } else {
                trace.add(self.sim.elapsed(), &change);
            }
        }
    }
}

/// An error with its causes, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let _ = write!(text, ": {cause}");
        source = cause.source();
    }
    text
}
