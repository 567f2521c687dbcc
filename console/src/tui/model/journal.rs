//! Journal lines as they arrived, in order of time, each once.
//!
//! Every agent sends every line, and a line may come before and after it was committed: lines
//! are told apart by when, who and what, and the committed copy wins.

use std::collections::BTreeMap;

use evenkeel_shared::event::Event;
use evenkeel_shared::ids::NodeId;
use evenkeel_shared::limits::EVENTS_MAX;

use super::clean;

/// What makes a line itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct EventKey {
    /// When it happened.
    pub(crate) unix_ms: u64,
    reporter: NodeId,
    what: String,
}

impl EventKey {
    /// What happened.
    pub(crate) fn words(&self) -> &str {
        &self.what
    }
}

/// The lines that are kept.
#[derive(Clone, Debug, Default)]
pub(crate) struct Journal {
    lines: BTreeMap<EventKey, Event>,
    /// Whether all lines are kept, as those of a recording are.
    unbounded: bool,
}

impl Journal {
    /// A journal that forgets nothing.
    pub(crate) fn unbounded() -> Self {
        Self { unbounded: true, ..Self::default() }
    }

    /// Takes a line; whether it is a new one.
    pub(crate) fn add(&mut self, mut event: Event) -> bool {
        clean::event(&mut event);
        let what = event.what.clone();
        let key = EventKey { unix_ms: event.unix_ms, reporter: event.reporter, what };
        let known = self.lines.get(&key).map(|line| line.id);
        if known.is_none_or(|id| id == 0) {
            self.lines.insert(key, event);
        }
        while !self.unbounded && self.lines.len() > EVENTS_MAX {
            self.lines.pop_first();
        }
        known.is_none()
    }

    /// The lines of that time and before.
    pub(crate) fn until(&self, unix_ms: u64) -> Self {
        let lines = self.lines.iter().take_while(|(key, _)| key.unix_ms <= unix_ms);
        let lines = lines.map(|(key, event)| (key.clone(), event.clone())).collect();
        Self { lines, unbounded: self.unbounded }
    }

    /// When each backup was last found to be right by a restore, as far as the lines go back.
    pub(crate) fn verified(&self) -> BTreeMap<&str, u64> {
        let lines = self.lines.values();
        lines.filter_map(|line| Some((line.verifies()?, line.unix_ms))).collect()
    }

    /// The lines, oldest first.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (&EventKey, &Event)> {
        self.lines.iter()
    }
}
