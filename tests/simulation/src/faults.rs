//! Seeded faults: what is broken next, for how long, and that everything is mended in the end.

use std::time::Duration;

use rand::RngExt as _;

use crate::agent::Crash;
use crate::world::{Failure, World};

/// Longest time between two faults, and longest life of one, in milliseconds.
const CALM_MS_MAX: u64 = 1_500;
const FAULT_MS_MAX: u64 = 3_000;

/// One thing that can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// One agent ends.
    One(usize, Crash),
    /// All agents end at once.
    All(Crash),
    /// One agent hears nobody, and nobody hears it.
    Isolated(usize),
    /// What one agent sends to another is lost; the other way is open.
    OneWay(usize, usize),
}

/// Breaks and mends, one fault at a time, until that many have passed.
pub fn storm(world: &mut World, faults: u32) -> Result<(), Failure> {
    for _ in 0..faults {
        let calm = world.chance.random_range(0..CALM_MS_MAX);
        world.pass(Duration::from_millis(calm))?;
        let fault = draw(world);
        world.note(&format!("fault: {fault:?}"));
        strike(world, fault);
        let lasts = world.chance.random_range(50..FAULT_MS_MAX);
        world.pass(Duration::from_millis(lasts))?;
        mend(world, fault);
    }
    Ok(())
}

fn draw(world: &mut World) -> Fault {
    let agents = world.layout.agents;
    let one = world.chance.random_range(0..agents);
    let other = (one + world.chance.random_range(1..agents)) % agents;
    let how = if world.chance.random_bool(0.5) { Crash::Process } else { Crash::Power };
    match world.chance.random_range(0..8) {
        0..=2 => Fault::One(one, how),
        3 => Fault::All(how),
        4..=5 => Fault::Isolated(one),
        _ => Fault::OneWay(one, other),
    }
}

fn strike(world: &mut World, fault: Fault) {
    match fault {
        Fault::One(number, how) => world.crash(number, how),
        Fault::All(how) => (0..world.layout.agents).for_each(|number| world.crash(number, how)),
        Fault::Isolated(number) => {
            let others = (0..world.layout.agents).filter(|other| *other != number);
            others.for_each(|other| world.cut(number, other));
        }
        Fault::OneWay(from, to) => world.cut_one_way(from, to),
    }
}

fn mend(world: &mut World, fault: Fault) {
    match fault {
        Fault::One(number, _) => world.start(number),
        Fault::All(_) => (0..world.layout.agents).for_each(|number| world.start(number)),
        Fault::Isolated(number) => {
            let others = (0..world.layout.agents).filter(|other| *other != number);
            others.for_each(|other| world.mend(number, other));
        }
        Fault::OneWay(from, to) => world.mend(from, to),
    }
}
