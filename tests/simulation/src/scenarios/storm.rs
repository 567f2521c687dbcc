//! Three clients put keys while faults of every kind follow each other; then all is mended, the
//! cluster must heal, and every acknowledged key is read back.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use crate::agent::Layout;
use crate::faults::{self, Kinds};
use crate::load::Clients;
use crate::seed::Seed;
use crate::trace::Trace;
use crate::world::{Failure, World};

const LAYOUT: Layout = Layout { agents: 3, shards: 4, replicas: 3 };
/// Each client puts as many; the faults end before the keys do.
const KEYS: u32 = 400;
const FAULTS: u32 = 8;
/// How long the cluster may take to form, and to heal.
const SETTLE_MAX: Duration = Duration::from_secs(60);
/// How long the keys may take once nothing is broken any more.
const PUT_MAX: Duration = Duration::from_secs(120);

pub(super) fn run(seed: Seed, trace: Rc<RefCell<Trace>>) -> Result<Duration, Failure> {
    let mut world = World::new(seed, LAYOUT, trace.clone());
    let clients = Clients::new(seed, LAYOUT, trace);
    world.until("the cluster forms", SETTLE_MAX, |world| world.is_settled())?;

    let putting = ["a", "b", "c"].map(|prefix| world.client(clients.clone().put(prefix, KEYS)));
    faults::storm(&mut world, Kinds::CrashesAndCuts, FAULTS)?;
    for job in &putting {
        let put = world.finish("all keys of a client are put", PUT_MAX, job)?;
        put.map_err(|error| Failure::Unsafe(format!("a put was refused: {error}")))?;
    }
    world.until("the cluster heals", SETTLE_MAX, |world| world.is_settled())?;

    let reading = world.client(clients.read_back());
    let read = world.finish("every key is read", SETTLE_MAX, &reading)?;
    let kept = read.map_err(|error| Failure::Unsafe(format!("a read was refused: {error}")))?;
    let count = kept.map_err(Failure::Unsafe)?;
    world.note(&format!("{count} keys are as promised"));
    Ok(world.elapsed())
}
