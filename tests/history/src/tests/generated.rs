//! Generated histories: a true execution passes whatever overlapped; one changed read does not.

use proptest::prelude::*;

use super::{value, version};
use crate::{Action, Condition, History, Operation, Outcome};

/// Moments between two effects: calls begin and end up to a few effects away.
const STRIDE: u64 = 10;

/// How an operation is made.
#[derive(Clone, Copy, Debug)]
struct Draft {
    kind: u8,
    /// For a compare-and-set: expects what is there.
    hits: bool,
    /// The call begins and ends that far from its effect.
    before: u64,
    after: u64,
    /// Nobody hears of it; and if so, whether it has an effect.
    lost: Lost,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lost {
    No,
    WithEffect,
    WithoutEffect,
    Failed,
}

fn drafts(most: usize) -> impl Strategy<Value = Vec<Draft>> {
    let lost = prop_oneof![
        8 => Just(Lost::No),
        1 => Just(Lost::WithEffect),
        1 => Just(Lost::WithoutEffect),
        1 => Just(Lost::Failed),
    ];
    let far = 0..STRIDE * 4;
    let draft = (0_u8..10, any::<bool>(), far.clone(), far, lost);
    let draft = draft.prop_map(|(kind, hits, before, after, lost)| Draft {
        kind,
        hits,
        before,
        after,
        lost,
    });
    prop::collection::vec(draft, 1..most)
}

/// Runs the drafts one after the other on a single key and notes what clients saw.
fn execute(drafts: &[Draft]) -> Vec<Operation> {
    let mut record: Option<(String, u64)> = None;
    let mut operations = Vec::new();
    for (number, draft) in (1..).zip(drafts) {
        let effect = (number + 5) * STRIDE;
        let new = format!("v{number}");
        let there = record.clone();
        let found = there.as_ref().map(|(name, at)| (value(name), version(*at)));
        let written = Outcome::Written { version: version(number), existed: Some(there.is_some()) };
        let (action, outcome, next) = match draft.kind {
            0..4 => (Action::Get, Outcome::Found(found), there.clone()),
            4..7 => (Action::Put(value(&new)), written, Some((new, number))),
            7 => (Action::Delete, written, None),
            _ if draft.hits => {
                let expected = there
                    .as_ref()
                    .map_or(Condition::Absent, |(name, _)| Condition::Value(value(name)));
                (Action::CompareAndSet(expected, value(&new)), written, Some((new, number)))
            }
            _ => {
                let action = Action::CompareAndSet(Condition::Value(value("none")), value(&new));
                let actual = there.as_ref().map(|(_, at)| version(*at));
                (action, Outcome::Mismatch { actual }, there.clone())
            }
        };
        let lost = if action == Action::Get { Lost::No } else { draft.lost };
        if matches!(lost, Lost::No | Lost::WithEffect) {
            record = next;
        }
        operations.push(Operation {
            client: number,
            key: value("k"),
            action,
            invoked: effect - draft.before,
            returned: if lost == Lost::No { effect + draft.after } else { u64::MAX },
            outcome: match lost {
                Lost::No => outcome,
                Lost::Failed => Outcome::Failed,
                Lost::WithEffect | Lost::WithoutEffect => Outcome::Unknown,
            },
        });
    }
    operations
}

fn history(operations: &[Operation]) -> History {
    let mut history = History::default();
    operations.iter().cloned().for_each(|operation| history.push(operation));
    history
}

/// What a read must not show: a value that was certainly overwritten before it began, or one that
/// was certainly not yet written when it ended.
fn mutants(operations: &[Operation]) -> Vec<(usize, Operation)> {
    let mut mutants = Vec::new();
    let reads = operations.iter().enumerate();
    for (at, read) in reads.filter(|(_, it)| matches!(it.outcome, Outcome::Found(_))) {
        let done = operations.iter().filter_map(|write| match &write.outcome {
            Outcome::Written { version, .. } => Some((write, *version)),
            _ => None,
        });
        let done: Vec<_> = done.collect();
        let certain = |(write, version): &(&Operation, _)| {
            let late = read.is_before(write);
            let over = done.iter().any(|(next, later)| {
                later > version && write.is_before(next) && next.is_before(read)
            });
            late || over
        };
        for (write, version) in done.iter().filter(|write| certain(write)) {
            let Some(value) = write.value() else { continue };
            let outcome = Outcome::Found(Some((value.clone(), *version)));
            mutants.push((at, Operation { outcome, ..read.clone() }));
        }
        let outcome = Outcome::Found(Some((value("nobody's"), version(1))));
        mutants.push((at, Operation { outcome, ..read.clone() }));
    }
    mutants
}

proptest! {
    #[test]
    fn a_true_history_passes(drafts in drafts(60)) {
        let history = history(&execute(&drafts));
        prop_assert!(crate::check(&history).is_ok(), "{:?}", crate::check(&history));
    }

    #[test]
    fn a_changed_read_is_found_by_both(drafts in drafts(40), choice in any::<prop::sample::Index>()) {
        let mut operations = execute(&drafts);
        let mutants = mutants(&operations);
        prop_assume!(!mutants.is_empty());
        let (at, mutant) = mutants[choice.index(mutants.len())].clone();
        operations[at] = mutant;
        let history = history(&operations);
        prop_assert!(crate::versions(&history).is_err());
        prop_assert!(crate::search(&history).is_err());
    }
}

#[test]
fn long_histories_are_judged_in_full() {
    let draft = |number: u64| Draft {
        kind: u8::try_from(number * 7 % 10).expect("a digit"),
        hits: !number.is_multiple_of(3),
        before: number * 13 % 30,
        after: number * 17 % 30,
        lost: if number.is_multiple_of(29) { Lost::WithoutEffect } else { Lost::No },
    };
    let drafts: Vec<_> = (0..5_000).map(draft).collect();
    crate::check(&history(&execute(&drafts))).expect("it is a true history");
}
