//! One key as a state machine: which replies a state allows, and what comes after.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::{Action, Condition, Operation, Outcome};

/// What a key holds: nothing, or a value by number.
pub(super) type State = Option<u32>;

/// An operation with its reply, as far as a state can contradict it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Read this.
    Get(State),
    /// Left this behind: a value or, for a delete, nothing.
    Set { after: State, existed: Option<bool> },
    /// Found what it expected, and replaced it.
    Replace { expected: State, after: State, existed: Option<bool> },
    /// Did not find what it expected.
    Refused { expected: State, existed: bool },
}

impl Step {
    /// The state after it, if it may come here.
    pub(super) fn after(self, state: State) -> Option<State> {
        let fits = |existed: Option<bool>| existed.is_none_or(|it| it == state.is_some());
        match self {
            Self::Get(found) => (found == state).then_some(state),
            Self::Set { after, existed } => fits(existed).then_some(after),
            Self::Replace { expected, after, existed } => {
                (expected == state && fits(existed)).then_some(after)
            }
            Self::Refused { expected, existed } => {
                (expected != state && existed == state.is_some()).then_some(state)
            }
        }
    }
}

/// Numbers for values.
#[derive(Default)]
pub(super) struct Values<'a>(BTreeMap<&'a Bytes, u32>);

impl<'a> Values<'a> {
    fn number(&mut self, value: &'a Bytes) -> u32 {
        let next = u32::try_from(self.0.len()).expect("a history has fewer values");
        *self.0.entry(value).or_insert(next)
    }

    /// The operation as a step; `None` if it neither says nor does anything.
    pub(super) fn step(&mut self, operation: &'a Operation) -> Option<Step> {
        let existed = match &operation.outcome {
            Outcome::Failed => return None,
            Outcome::Found(found) => {
                return Some(Step::Get(found.as_ref().map(|(value, _)| self.number(value))));
            }
            Outcome::Written { existed, .. } => *existed,
            Outcome::Mismatch { .. } | Outcome::Unknown => None,
        };
        match &operation.action {
            Action::Get => None,
            Action::Put(value) => Some(Step::Set { after: Some(self.number(value)), existed }),
            Action::Delete => Some(Step::Set { after: None, existed }),
            Action::CompareAndSet(condition, value) => {
                let expected = match condition {
                    Condition::Absent => None,
                    Condition::Value(expected) => Some(self.number(expected)),
                };
                let after = Some(self.number(value));
                Some(match &operation.outcome {
                    Outcome::Mismatch { actual } => {
                        Step::Refused { expected, existed: actual.is_some() }
                    }
                    _ => Step::Replace { expected, after, existed },
                })
            }
        }
    }
}
