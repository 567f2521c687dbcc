//! Three whole agents form a cluster; keys are put to acknowledgement while one agent crashes, then
//! all three lose power at once, and every acknowledged key is read back.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use rand::RngExt as _;

use crate::agent::{Crash, Layout};
use crate::load::Clients;
use crate::seed::Seed;
use crate::trace::Trace;
use crate::world::{Failure, World};

const LAYOUT: Layout = Layout { agents: 3, shards: 4, replicas: 3 };
/// Keys put while all is well, and while one agent is down.
const KEYS: u32 = 60;
/// How long the cluster may take to form, and to heal.
const SETTLE_MAX: Duration = Duration::from_secs(60);
/// How long the keys may take: an election is a matter of half a second.
const PUT_MAX: Duration = Duration::from_secs(60);

pub(super) fn run(seed: Seed, trace: Rc<RefCell<Trace>>) -> Result<Duration, Failure> {
    let mut world = World::new(seed, LAYOUT, trace.clone());
    let clients = Clients::new(seed, LAYOUT, trace);
    world.until("the cluster forms", SETTLE_MAX, |world| world.is_settled())?;

    let putting = world.client(clients.clone().put("calm", KEYS));
    finish_put(&mut world, &putting)?;

    let putting = world.client(clients.clone().put("storm", KEYS));
    let before = clients.acknowledged();
    let enough = before + world.chance.random_range(1..20);
    world.until("some keys are put", PUT_MAX, |_| clients.acknowledged() >= enough)?;
    let victim = world.chance.random_range(0..LAYOUT.agents);
    world.crash(victim, Crash::Power);
    let outage = Duration::from_millis(world.chance.random_range(100..4_000));
    world.pass(outage)?;
    world.start(victim);
    finish_put(&mut world, &putting)?;

    (0..LAYOUT.agents).for_each(|number| world.crash(number, Crash::Power));
    world.pass(Duration::from_millis(100))?;
    (0..LAYOUT.agents).for_each(|number| world.start(number));

    let reading = world.client(clients.read_back());
    let read = world.finish("every key is read", SETTLE_MAX, &reading)?;
    let kept = read.map_err(|error| Failure::Unsafe(format!("a read was refused: {error}")))?;
    let count = kept.map_err(Failure::Unsafe)?;
    world.note(&format!("{count} keys are as promised"));
    world.until("the cluster heals", SETTLE_MAX, |world| world.is_settled())?;
    Ok(world.elapsed())
}

type Putting = crate::world::Job<Result<(), evenkeel_shared::client::ClientError>>;

fn finish_put(world: &mut World, putting: &Putting) -> Result<(), Failure> {
    let put = world.finish("all keys are put", PUT_MAX, putting)?;
    put.map_err(|error| Failure::Unsafe(format!("a put was refused: {error}")))
}
