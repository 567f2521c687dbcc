//! Which fault comes when, and to whom: a function of the seed and of the length of the run.
//!
//! It reads no clock and asks no cluster, so the same seed plans the same run on every machine.

use std::time::Duration;

use evenkeel_tests::Dice;

use crate::fault::{Fault, Kind, NODES, Victims, ZONES};

/// Time planned for one fault, its healing included.
pub(crate) const SLOT: Duration = Duration::from_secs(6);

/// The faults of a run: each kind once, and then whatever the seed says.
pub(crate) fn plan(seed: u64, length: Duration) -> Vec<Fault> {
    let mut dice = Dice::new(seed);
    let slots = usize::try_from(length.as_secs() / SLOT.as_secs()).unwrap_or(usize::MAX);
    let count = slots.max(Kind::ALL.len());
    (0..count)
        .map(|turn| {
            let any = Kind::ALL[below(&mut dice, Kind::ALL.len())];
            fault(Kind::ALL.get(turn).copied().unwrap_or(any), &mut dice)
        })
        .collect()
}

fn fault(kind: Kind, dice: &mut Dice) -> Fault {
    let one = below(dice, NODES);
    let other = (one + 1 + below(dice, NODES - 1)) % NODES;
    let victims = match kind {
        Kind::Kill | Kind::Freeze | Kind::Unheard | Kind::Deaf | Kind::Flapping => vec![one],
        Kind::Halves => vec![one.min(other), one.max(other)],
        Kind::ZoneKilled | Kind::ZoneCut => {
            (0..NODES).filter(|node| ZONES[*node] == ZONES[one]).collect()
        }
        Kind::IsolatedLeader => Vec::new(),
    };
    let victims = if victims.is_empty() { Victims::Busiest } else { Victims::Nodes(victims) };
    let hold = between(dice, 100, 1_500);
    let flaps = if kind == Kind::Flapping { 3 + below(dice, 4) } else { 0 };
    let flaps = (0..flaps).map(|_| (between(dice, 50, 400), between(dice, 50, 300))).collect();
    Fault { kind, victims, hold, flaps }
}

fn below(dice: &mut Dice, bound: usize) -> usize {
    let bound = u64::try_from(bound).expect("few");
    usize::try_from(dice.draw(bound)).expect("below few")
}

fn between(dice: &mut Dice, least_ms: u64, most_ms: u64) -> Duration {
    Duration::from_millis(least_ms + dice.draw(most_ms - least_ms))
}

#[test]
fn a_seed_decides_the_plan() {
    let minutes = Duration::from_secs(1_800);
    assert_eq!(plan(7, minutes), plan(7, minutes));
    assert_ne!(plan(7, minutes), plan(8, minutes));
    assert_eq!(plan(7, minutes).len(), 300);
}

#[test]
fn every_kind_comes_in_the_shortest_run_and_in_every_order_in_a_long_one() {
    for seed in 0..50 {
        let kinds: Vec<Kind> = plan(seed, Duration::ZERO).iter().map(|fault| fault.kind).collect();
        assert_eq!(kinds, Kind::ALL);
    }
    let kinds: Vec<Kind> = plan(1, SLOT * 3_000).iter().map(|fault| fault.kind).collect();
    for first in Kind::ALL {
        for second in Kind::ALL {
            assert!(kinds.windows(2).any(|two| two == [first, second]), "{first:?}, {second:?}");
        }
    }
}

#[test]
fn a_majority_of_nodes_is_never_struck() {
    for fault in plan(3, SLOT * 500) {
        if let Victims::Nodes(nodes) = &fault.victims {
            assert!(!nodes.is_empty() && nodes.len() * 2 < NODES, "{fault}");
            assert!(nodes.is_sorted_by(|one, other| one < other), "{fault}");
        }
    }
}
