//! What a client asked for, when, and what came of it.
//!
//! Moments are counted, not measured: one more for each call that begins or ends. An order of
//! these two kinds of event is all that linearizability is about.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use evenkeel_shared::version::Version;

/// What was asked for. Every value written in a history is written by one operation only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Read the value.
    Get,
    /// Set the value.
    Put(Bytes),
    /// Remove the record.
    Delete,
    /// Set the value if the record is as expected.
    CompareAndSet(Condition, Bytes),
}

/// What a compare-and-set expects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// No record.
    Absent,
    /// A record with this value.
    Value(Bytes),
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A read's answer.
    Found(Option<(Bytes, Version)>),
    /// The write took effect.
    Written {
        /// At this version.
        version: Version,
        /// Whether there was a record before, if the reply tells.
        existed: Option<bool>,
    },
    /// The condition of a compare-and-set did not hold.
    Mismatch {
        /// The version of the record that was there.
        actual: Option<Version>,
    },
    /// Nobody knows: it takes effect at any time after its beginning, or never.
    Unknown,
    /// It has had no effect and never will.
    Failed,
}

/// One operation on one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Who asked.
    pub client: u64,
    /// About which key.
    pub key: Bytes,
    /// For what.
    pub action: Action,
    /// When the call began.
    pub invoked: u64,
    /// When the client stopped waiting; `u64::MAX` while it waits.
    pub returned: u64,
    /// What came of it.
    pub outcome: Outcome,
}

impl Operation {
    /// The value that it would write.
    pub fn value(&self) -> Option<&Bytes> {
        match &self.action {
            Action::Put(value) | Action::CompareAndSet(_, value) => Some(value),
            Action::Get | Action::Delete => None,
        }
    }

    /// Whether it had ended before the other one began.
    pub fn is_before(&self, other: &Self) -> bool {
        self.returned < other.invoked
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}..", self.invoked)?;
        if self.returned < u64::MAX {
            write!(f, "{}", self.returned)?;
        }
        write!(f, "] client {} {:?} {:?}", self.client, self.key, self.action)?;
        match &self.outcome {
            Outcome::Found(None) => write!(f, " found nothing"),
            Outcome::Found(Some((value, version))) => write!(f, " found {value:?} at {version}"),
            Outcome::Written { version, .. } => write!(f, " done at {version}"),
            Outcome::Mismatch { actual: None } => write!(f, " refused, no record"),
            Outcome::Mismatch { actual: Some(actual) } => write!(f, " refused by {actual}"),
            Outcome::Unknown => write!(f, " unknown"),
            Outcome::Failed => write!(f, " failed"),
        }
    }
}

/// What a client is about to ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Who asks.
    pub client: u64,
    /// About which key.
    pub key: Bytes,
    /// For what.
    pub action: Action,
}

/// An operation under way.
#[derive(Debug)]
#[must_use = "an operation that is never ended counts as unknown"]
pub struct Ticket(usize);

/// Everything that clients did, in the order in which they began it.
#[derive(Clone, Debug, Default)]
pub struct History {
    operations: Vec<Operation>,
    moments: u64,
}

impl History {
    /// Notes that an operation begins; its outcome is unknown until it ends.
    pub fn begin(&mut self, call: Call) -> Ticket {
        let Call { client, key, action } = call;
        self.moments += 1;
        let (invoked, returned) = (self.moments, u64::MAX);
        let outcome = Outcome::Unknown;
        self.operations.push(Operation { client, key, action, invoked, returned, outcome });
        Ticket(self.operations.len() - 1)
    }

    /// Notes how an operation ended.
    #[expect(clippy::needless_pass_by_value, reason = "an operation ends once")]
    pub fn end(&mut self, ticket: Ticket, outcome: Outcome) {
        self.moments += 1;
        let operation = &mut self.operations[ticket.0];
        operation.returned = self.moments;
        operation.outcome = outcome;
    }

    /// Adds a whole operation, of which the caller counted the moments.
    pub fn push(&mut self, operation: Operation) {
        self.moments = self.moments.max(operation.invoked);
        self.operations.push(operation);
    }

    /// All operations.
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// The same without what changed nothing: enough to judge a read that comes later.
    #[must_use]
    pub fn effects(&self) -> Self {
        let effect = |it: &&Operation| {
            let may = matches!(it.outcome, Outcome::Written { .. } | Outcome::Unknown);
            may && it.action != Action::Get
        };
        let operations = self.operations.iter().filter(effect).cloned().collect();
        Self { operations, moments: self.moments }
    }

    /// The operations of each key: keys don't touch each other, so each is judged alone.
    pub fn by_key(&self) -> BTreeMap<&Bytes, Vec<&Operation>> {
        let mut keys: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for operation in &self.operations {
            keys.entry(&operation.key).or_default().push(operation);
        }
        keys
    }
}
