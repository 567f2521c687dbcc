//! Clients contend for a few keys while faults of every kind follow each other; then all is mended,
//! the cluster must heal, and the history of what they did and saw must be linearizable.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use crate::agent::Layout;
use crate::faults::{self, Kinds};
use crate::load::Clients;
use crate::seed::Seed;
use crate::trace::Trace;
use crate::world::{Failure, World};

const LAYOUT: Layout = Layout { agents: 3, shards: 4, replicas: 3 };
const CLIENTS: usize = 5;
const FAULTS: u32 = 8;
/// How long the cluster may take to form, and to heal.
const SETTLE_MAX: Duration = Duration::from_secs(60);
/// How long the clients go on once nothing is broken any more.
const AFTER: Duration = Duration::from_secs(2);

pub(super) fn run(seed: Seed, trace: Rc<RefCell<Trace>>) -> Result<Duration, Failure> {
    let mut world = World::new(seed, LAYOUT, trace.clone());
    let clients = Clients::new(seed, LAYOUT, trace);
    world.until("the cluster forms", SETTLE_MAX, |world| world.is_settled())?;

    let going = Rc::new(Cell::new(true));
    let contend = |_| world.client(clients.clone().contend(going.clone()));
    let contending: Vec<_> = (0..CLIENTS).map(contend).collect();
    faults::storm(&mut world, Kinds::All, FAULTS)?;
    world.pass(AFTER)?;
    going.set(false);
    for job in &contending {
        world.finish("a client ends", SETTLE_MAX, job)?;
    }
    world.until("the cluster heals", SETTLE_MAX, |world| world.is_settled())?;

    let looking = world.client(clients.clone().look_at_all());
    world.finish("every key is read", SETTLE_MAX, &looking)?;
    let history = clients.history.borrow();
    world.note(&format!("{} operations to be judged", history.operations().len()));
    evenkeel_history::check(&history).map_err(|verdict| Failure::Unsafe(verdict.to_string()))?;
    Ok(world.elapsed())
}
