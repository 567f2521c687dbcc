//! Seeded faults: what is broken next, for how long, and that everything is mended in the end.

use std::time::Duration;

use rand::RngExt as _;

use crate::agent::{Crash, DiskFault};
use crate::world::{Failure, World};

/// Longest time between two faults, and longest life of one, in milliseconds.
const CALM_MS_MAX: u64 = 1_500;
const FAULT_MS_MAX: u64 = 3_000;
/// Most bytes left on a full disk, and most writes before one is torn.
const ROOM_BYTES_MAX: u64 = 64 << 10;
const WRITES_MAX: u64 = 60;

/// Which faults there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kinds {
    /// Crashes and cuts: the named seeds of `tests/seeds.rs` were found with these.
    CrashesAndCuts,
    /// Those, halves, held messages and failing disks; one link may stay half cut to the end.
    All,
}

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
    /// The agents of the set, as bits, and the others lose each other.
    Halves(u32),
    /// What one agent and the others send each other comes late, and all of it.
    Held(usize),
    /// One agent's disk is at fault.
    Disk(usize, DiskFault),
}

/// Breaks and mends, one fault at a time, until that many have passed.
pub fn storm(world: &mut World, kinds: Kinds, faults: u32) -> Result<(), Failure> {
    let lasting = (kinds == Kinds::All).then(|| draw_lasting(world)).flatten();
    if let Some(lasting) = lasting {
        world.note(&format!("fault, to the end: {lasting:?}"));
        strike(world, lasting);
    }
    for _ in 0..faults {
        let calm = world.chance.random_range(0..CALM_MS_MAX);
        world.pass(Duration::from_millis(calm))?;
        let fault = match kinds {
            Kinds::CrashesAndCuts => draw(world),
            Kinds::All => draw_any(world),
        };
        world.note(&format!("fault: {fault:?}"));
        strike(world, fault);
        let lasts = world.chance.random_range(50..FAULT_MS_MAX);
        world.pass(Duration::from_millis(lasts))?;
        mend(world, fault);
    }
    if let Some(lasting) = lasting {
        mend(world, lasting);
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

fn draw_any(world: &mut World) -> Fault {
    let agents = world.layout.agents;
    let one = world.chance.random_range(0..agents);
    match world.chance.random_range(0..16) {
        0 => Fault::Halves(world.chance.random_range(1..(1 << agents) - 1)),
        1..=2 => Fault::Held(one),
        3 => Fault::Disk(one, DiskFault::Syncs),
        4 => Fault::Disk(one, DiskFault::Writes),
        5 => Fault::Disk(one, DiskFault::Full(world.chance.random_range(0..ROOM_BYTES_MAX))),
        6..=7 => Fault::Disk(one, DiskFault::Torn(world.chance.random_range(1..WRITES_MAX))),
        _ => draw(world),
    }
}

/// In one run of four, one direction of one link is gone until all is mended.
fn draw_lasting(world: &mut World) -> Option<Fault> {
    let agents = world.layout.agents;
    let from = world.chance.random_range(0..agents);
    let to = (from + world.chance.random_range(1..agents)) % agents;
    world.chance.random_bool(0.25).then_some(Fault::OneWay(from, to))
}

/// Each pair of agents that a fault comes between.
fn pairs(world: &World, apart: impl Fn(usize, usize) -> bool) -> Vec<(usize, usize)> {
    let agents = 0..world.layout.agents;
    let all = agents.clone().flat_map(|one| (one + 1..agents.end).map(move |other| (one, other)));
    all.filter(|(one, other)| apart(*one, *other)).collect()
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
        Fault::Halves(half) => {
            let apart = pairs(world, |one, other| half >> one & 1 != half >> other & 1);
            for (one, other) in apart {
                world.cut(one, other);
            }
        }
        Fault::Held(number) => {
            let touched = pairs(world, |one, other| one == number || other == number);
            for (one, other) in touched {
                world.hold(one, other);
            }
        }
        Fault::Disk(number, fault) => world.break_disk(number, fault),
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
        Fault::Halves(half) => {
            let apart = pairs(world, |one, other| half >> one & 1 != half >> other & 1);
            for (one, other) in apart {
                world.mend(one, other);
            }
        }
        Fault::Held(number) => {
            let touched = pairs(world, |one, other| one == number || other == number);
            for (one, other) in touched {
                world.release(one, other);
            }
        }
        Fault::Disk(number, fault) => mend_disk(world, number, fault),
    }
}

/// A full disk gets room again, and whoever lived on it lives on. Any other fault ends in a power
/// cut, unless the agent has ended of it.
fn mend_disk(world: &mut World, number: usize, fault: DiskFault) {
    let lives_on = matches!(fault, DiskFault::Full(_));
    if !lives_on && world.runs(number) {
        world.crash(number, Crash::Power);
    }
    world.mend_disk(number);
    if !world.runs(number) {
        world.start(number);
    }
}
