//! The second judge: looks for one order of a key's operations that explains every reply.
//!
//! The search of Wing and Gong ("Testing and Verifying Concurrent Objects", JPDC 1993) with the
//! memory of Lowe ("Testing for Linearizability", 2017): of two ways to the same set of ordered
//! operations and the same state, the second can't do better. Versions are not looked at.
//!
//! Unknown writes are optional, so they are ordered only right before a reply that needs them, and
//! a configuration is hopeless if one that has used up fewer of them was.

mod model;

use std::collections::HashMap;

use bytes::Bytes;

use crate::{History, Operation, Outcome};
use model::{State, Step, Values};

/// Configurations of one key looked at before the search gives up.
const CONFIGURATIONS_MAX: usize = 2_000_000;
/// No operation: the end of a list.
const NONE: usize = usize::MAX;

/// Why a key's operations are not known to be linearizable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unexplained {
    /// There is no order.
    #[error(
        "no order of the {operations} operations on {key:?} explains the replies; {ordered} can be \
         put in order, and then none of these may come: {}", next.join("; ")
    )]
    NoOrder {
        /// The key.
        key: Bytes,
        /// Its operations.
        operations: usize,
        /// How many of them fit at best.
        ordered: usize,
        /// What could not follow.
        next: Vec<String>,
    },
    /// It would take too long to tell.
    #[error("the operations on {key:?} allow too many orders")]
    TooMany {
        /// The key.
        key: Bytes,
    },
}

/// Judges a history without its versions.
pub fn check(history: &History) -> Result<(), Unexplained> {
    history.by_key().into_iter().try_for_each(|(key, operations)| {
        let mut search = Search::new(&operations);
        match search.run() {
            Found::Order => Ok(()),
            Found::TooMany => Err(Unexplained::TooMany { key: key.clone() }),
            Found::NoOrder => Err(Unexplained::NoOrder {
                key: key.clone(),
                operations: operations.len(),
                ordered: search.deepest.0,
                next: search
                    .deepest
                    .1
                    .iter()
                    .map(|it| search.known[*it].from.to_string())
                    .collect(),
            }),
        }
    })
}

enum Found {
    Order,
    NoOrder,
    TooMany,
}

struct Item<'a> {
    step: Step,
    from: &'a Operation,
}

/// A set of operations by number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Set(Vec<u64>);

impl Set {
    fn new(size: usize) -> Self {
        Self(vec![0; size.div_ceil(64)])
    }

    fn flip(&mut self, number: usize) {
        self.0[number / 64] ^= 1 << (number % 64);
    }

    fn has(&self, number: usize) -> bool {
        self.0[number / 64] & (1 << (number % 64)) != 0
    }

    fn is_within(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(own, others)| own & !others == 0)
    }
}

/// What may come next: some unknown writes, and the reply that needs them.
#[derive(Clone, Debug)]
struct Move {
    unknown: Vec<usize>,
    known: usize,
    after: State,
}

/// A configuration on the way, what else to try from it, and the move that led to it.
struct Frame {
    moves: std::vec::IntoIter<Move>,
    led_by: Option<Move>,
}

/// Replies that are wrong as things are, and how many unknown writes have begun.
struct Help<'a> {
    begun: usize,
    stuck: &'a [usize],
}

struct Search<'a> {
    /// With a reply, by beginning.
    known: Vec<Item<'a>>,
    /// Without one.
    unknown: Vec<Item<'a>>,
    /// Those of them that have an effect only if they find this.
    unknown_after: HashMap<State, Vec<usize>>,
    /// The known ones that are not ordered yet, as a list; the last place is its head.
    next: Vec<usize>,
    previous: Vec<usize>,
    ordered: Set,
    used: Set,
    count: usize,
    /// Configurations that led nowhere, with the smallest sets of unknown writes used.
    hopeless: HashMap<(Set, State), Vec<Set>>,
    configurations: usize,
    /// The most that could be ordered, and what then waited.
    deepest: (usize, Vec<usize>),
}

impl<'a> Search<'a> {
    fn new(operations: &[&'a Operation]) -> Self {
        let mut values = Values::default();
        let mut items: Vec<_> = operations
            .iter()
            .filter_map(|from| Some(Item { step: values.step(from)?, from }))
            .collect();
        items.sort_by_key(|item| item.from.invoked);
        let (unknown, known): (Vec<_>, Vec<_>) =
            items.into_iter().partition(|item| item.from.outcome == Outcome::Unknown);
        let mut unknown_after: HashMap<_, Vec<_>> = HashMap::new();
        for (number, item) in unknown.iter().enumerate() {
            if let Step::Replace { expected, .. } = item.step {
                unknown_after.entry(expected).or_default().push(number);
            }
        }
        let head = known.len();
        let link = |number: usize| if number < head { number } else { NONE };
        Self {
            next: (0..head).map(|number| link(number + 1)).chain([link(0)]).collect(),
            previous: (0..head).map(|number| number.checked_sub(1).unwrap_or(head)).collect(),
            ordered: Set::new(head),
            used: Set::new(unknown.len()),
            count: 0,
            hopeless: HashMap::new(),
            configurations: 0,
            deepest: (0, Vec::new()),
            known,
            unknown,
            unknown_after,
        }
    }

    fn run(&mut self) -> Found {
        let mut stack: Vec<Frame> = Vec::new();
        let (mut state, mut led_by) = (None, None);
        loop {
            if self.count == self.known.len() {
                return Found::Order;
            }
            let moves = if self.is_hopeless(state) { Vec::new() } else { self.moves(state) };
            if self.configurations > CONFIGURATIONS_MAX {
                return Found::TooMany;
            }
            stack.push(Frame { moves: moves.into_iter(), led_by: led_by.take() });
            let chosen = loop {
                let Some(frame) = stack.last_mut() else { return Found::NoOrder };
                if let Some(chosen) = frame.moves.next() {
                    break chosen;
                }
                if let Some(led_by) = stack.pop().and_then(|frame| frame.led_by) {
                    self.take_back(&led_by);
                }
            };
            self.make(&chosen);
            state = chosen.after;
            led_by = Some(chosen);
        }
    }

    /// Whether this configuration was seen, with no more unknown writes used; notes it if not.
    fn is_hopeless(&mut self, state: State) -> bool {
        let seen = self.hopeless.entry((self.ordered.clone(), state)).or_default();
        if seen.iter().any(|used| used.is_within(&self.used)) {
            return true;
        }
        seen.retain(|used| !self.used.is_within(used));
        seen.push(self.used.clone());
        self.configurations += 1;
        false
    }

    /// Every reply that may come next: no other one had ended before it began.
    fn moves(&mut self, state: State) -> Vec<Move> {
        let mut ready = Vec::new();
        let mut first_end = u64::MAX;
        let mut number = self.next[self.known.len()];
        while number != NONE && self.known[number].from.invoked <= first_end {
            first_end = first_end.min(self.known[number].from.returned);
            ready.push(number);
            number = self.next[number];
        }
        if self.deepest.1.is_empty() || self.count > self.deepest.0 {
            self.deepest = (self.count, ready.clone());
        }
        let mut moves = Vec::new();
        let mut stuck = Vec::new();
        for known in ready {
            match self.known[known].step.after(state) {
                Some(after) => moves.push(Move { unknown: Vec::new(), known, after }),
                None => stuck.push(known),
            }
        }
        if !stuck.is_empty() {
            let begun = self.unknown.partition_point(|item| item.from.invoked <= first_end);
            let help = Help { begun, stuck: &stuck };
            for number in 0..begun {
                self.help(&help, &mut Vec::new(), number, state, &mut moves);
            }
        }
        moves
    }

    /// Chains of unknown writes after which one of the stuck replies is right. Only the last set or
    /// delete before a reply counts, so all but the first of a chain are compare-and-sets.
    fn help(
        &self,
        help: &Help<'_>,
        chain: &mut Vec<usize>,
        number: usize,
        state: State,
        moves: &mut Vec<Move>,
    ) {
        if self.used.has(number) || chain.contains(&number) {
            return;
        }
        let Some(between) = self.unknown[number].step.after(state) else { return };
        chain.push(number);
        for known in help.stuck {
            if let Some(after) = self.known[*known].step.after(between) {
                moves.push(Move { unknown: chain.clone(), known: *known, after });
            }
        }
        let follow = self.unknown_after.get(&between).map_or(&[][..], Vec::as_slice);
        for next in follow.iter().copied().filter(|next| *next < help.begun) {
            self.help(help, chain, next, between, moves);
        }
        chain.pop();
    }

    fn make(&mut self, chosen: &Move) {
        let number = chosen.known;
        let (before, after) = (self.previous[number], self.next[number]);
        self.next[before] = after;
        if after != NONE {
            self.previous[after] = before;
        }
        self.ordered.flip(number);
        chosen.unknown.iter().for_each(|number| self.used.flip(*number));
        self.count += 1;
    }

    fn take_back(&mut self, made: &Move) {
        let number = made.known;
        let (before, after) = (self.previous[number], self.next[number]);
        self.next[before] = number;
        if after != NONE {
            self.previous[after] = number;
        }
        self.ordered.flip(number);
        made.unknown.iter().for_each(|number| self.used.flip(*number));
        self.count -= 1;
    }
}
