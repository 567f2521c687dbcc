//! Five agents, of which up to three die one after the other. Before each death a living agent says
//! what it would do; what can't be written afterwards must be just what was foretold.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use evenkeel_shared::ids::ShardId;
use rand::RngExt as _;

use crate::agent::{Crash, Layout};
use crate::load::Clients;
use crate::seed::Seed;
use crate::trace::Trace;
use crate::world::{Failure, World};

const LAYOUT: Layout = Layout { agents: 5, shards: 6, replicas: 3 };
const DEATHS_MAX: usize = 3;
/// Longest time between two deaths, in milliseconds: repair has not begun, is under way, or over.
const BETWEEN_MS_MAX: u64 = 40_000;
/// How long the cluster may take to form, and to heal.
const SETTLE_MAX: Duration = Duration::from_secs(120);
/// Between two questions.
const APART: Duration = Duration::from_millis(600);
/// How long questions and writes may take that have limits of their own.
const ASK_MAX: Duration = Duration::from_secs(60);

pub(super) fn run(seed: Seed, trace: Rc<RefCell<Trace>>) -> Result<Duration, Failure> {
    let mut world = World::new(seed, LAYOUT, trace.clone());
    let clients = Clients::new(seed, LAYOUT, trace);
    world.until("the cluster forms", SETTLE_MAX, |world| world.is_settled())?;
    let finding = world.client(clients.clone().one_key_of_each());
    let found = world.finish("each shard has a key", ASK_MAX, &finding)?;
    let keys = found.map_err(Failure::Unsafe)?;

    let mut lost = BTreeSet::new();
    for _ in 0..world.chance.random_range(1..=DEATHS_MAX) {
        let between = world.chance.random_range(0..BETWEEN_MS_MAX);
        world.pass(Duration::from_millis(between))?;
        let (dies, asked) = two_of_the_living(&mut world);
        lost.extend(foretold(&mut world, &clients, asked, dies)?);
        world.crash(dies, Crash::Process);
        let writing = world.client(clients.clone().unavailable(keys.clone(), asked));
        let seen = world.finish("each shard is tried", ASK_MAX, &writing)?;
        if seen != lost {
            let why = format!("{lost:?} were to be unavailable, and {seen:?} are");
            return Err(Failure::Unsafe(why));
        }
        world.note(&format!("unavailable, as foretold: {seen:?}"));
    }

    (0..LAYOUT.agents)
        .filter(|number| !world.runs(*number))
        .collect::<Vec<_>>()
        .into_iter()
        .for_each(|number| world.start(number));
    world.until("the cluster heals", SETTLE_MAX, |world| world.is_settled())?;
    Ok(world.elapsed())
}

/// Who dies next, and who is asked about it.
fn two_of_the_living(world: &mut World) -> (usize, usize) {
    let living: Vec<usize> = (0..LAYOUT.agents).filter(|number| world.runs(*number)).collect();
    let dies = world.chance.random_range(0..living.len());
    let asked = (dies + world.chance.random_range(1..living.len())) % living.len();
    (living[dies], living[asked])
}

/// What is foretold; asked again until two answers, some rounds of the controller apart, agree: a
/// repair may be under way.
fn foretold(
    world: &mut World,
    clients: &Clients,
    asked: usize,
    dies: usize,
) -> Result<BTreeSet<ShardId>, Failure> {
    let mut before = None;
    loop {
        let dead = (0..LAYOUT.agents).filter(|number| !world.runs(*number)).collect();
        let asking = world.client(clients.clone().foretell(asked, (dead, dies)));
        let told = world.finish("a death is foretold", ASK_MAX, &asking)?;
        if before.as_ref() == Some(&told) {
            return Ok(told.1);
        }
        before = Some(told);
        world.pass(APART)?;
    }
}
