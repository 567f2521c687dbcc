//! What is replicated: the payload of a log entry, and what applying it answers.
//!
//! Every encoding here is on disk. A variant is only ever appended, a field never changes its
//! meaning (house rule 21).

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::ids::{ClientId, IntentId, KeyspaceId};
use crate::key::{Slot, SlotRange};
use crate::version::{Hlc, Version};
use crate::view::SystemCommand;

/// Names one attempt-independent request, so that a retry is applied once (safety rule 17).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct RequestId {
    /// Who asks.
    pub client: ClientId,
    /// Rises by one with each new request of that client.
    pub sequence: u64,
    /// The client's HLC at the first attempt.
    pub first_attempt: Hlc,
}

/// One operation of a batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// Under which its result is remembered.
    pub request: RequestId,
    /// The key's slot, computed once by whoever accepted the request.
    pub slot: Slot,
    /// The key.
    pub key: Bytes,
    /// What to do with it.
    pub action: WriteAction,
}

/// What to do with a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WriteAction {
    /// Set the value.
    Put {
        /// The new value.
        value: Bytes,
        /// When the record ends, judged by the entry's HLC.
        expires: Option<Hlc>,
    },
    /// Remove the record.
    Delete,
    /// Set the value if the record is as expected.
    CompareAndSet {
        /// What must be there.
        expected: Expected,
        /// The new value.
        value: Bytes,
        /// When the record ends.
        expires: Option<Hlc>,
    },
    /// Adds to a counter: a value that is a whole number in decimal. An absent one counts as 0; the
    /// record keeps its end.
    Add {
        /// How much; may be negative.
        by: i64,
    },
    /// Remove the record if it is as expected.
    CompareAndDelete {
        /// What must be there.
        expected: Expected,
    },
    /// Put the record under another key of the same slot, in one step; it keeps its end. Without a
    /// record, or where one is in the way that must stay, nothing is changed.
    Rename {
        /// The other key.
        to: Bytes,
        /// Whether a record there is replaced.
        replace: bool,
    },
    /// Set the value without a look at what was there, which is most of the work of applying a
    /// put: the answer is [`OperationResult::Written`].
    PutBlind {
        /// The new value.
        value: Bytes,
        /// When the record ends, judged by the entry's HLC.
        expires: Option<Hlc>,
    },
}

impl WriteAction {
    /// Bytes of the value that it brings.
    pub fn value_bytes(&self) -> usize {
        match self {
            Self::Put { value, .. }
            | Self::PutBlind { value, .. }
            | Self::CompareAndSet { value, .. } => value.len(),
            Self::Rename { to, .. } => to.len(),
            Self::Delete | Self::Add { .. } | Self::CompareAndDelete { .. } => 0,
        }
    }

    /// The key that it changes beside its own.
    pub fn other_key(&self) -> Option<&Bytes> {
        match self {
            Self::Rename { to, .. } => Some(to),
            _ => None,
        }
    }
}

/// The condition of a compare-and-set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Expected {
    /// No record.
    Absent,
    /// A record with this value.
    Value(Bytes),
    /// A record with this version.
    Version(Version),
}

/// What one operation did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OperationResult {
    /// It took effect.
    Done {
        /// The version that it wrote, or at which it deleted.
        version: Version,
        /// Whether there was a record before.
        existed: bool,
    },
    /// The condition of a compare-and-set did not hold; nothing was changed.
    ConditionFailed {
        /// The record's version, if there is one.
        actual: Option<Version>,
    },
    /// The request is older than what this shard remembers: it may have been applied before.
    Forgotten,
    /// The shard remembers as many clients as it may; nothing was changed.
    TooManyClients,
    /// The shard does not own the slot, or has been sealed; nothing was changed.
    NotOwned,
    /// It took effect, and this is what the counter shows.
    Counted {
        /// The version that it wrote.
        version: Version,
        /// The counter's value.
        value: i64,
    },
    /// The value is no whole number of 64 bits, or the sum would not be one; nothing was changed.
    NotANumber,
    /// It is on the leader's disk and on its way to the others: it takes effect unless the leader
    /// is lost first. Never stored.
    Provisional {
        /// The version that it will have.
        version: Version,
    },
    /// It took effect, and nobody looked whether there was a record before.
    Written {
        /// The version that it wrote.
        version: Version,
    },
}

impl OperationResult {
    /// Whether it took effect, for good or unless the leader is lost first.
    pub fn is_done(&self) -> bool {
        self.version().is_some()
    }

    /// The version that was written, if it took effect.
    pub fn version(&self) -> Option<Version> {
        match self {
            Self::Done { version, .. }
            | Self::Counted { version, .. }
            | Self::Provisional { version }
            | Self::Written { version } => Some(*version),
            _ => None,
        }
    }
}

/// A batch of operations under one hybrid logical time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// Proposed by the leader; the one that counts is set at apply (safety rule 19).
    pub hlc: Hlc,
    /// In the order in which they take effect.
    pub operations: Vec<Operation>,
}

/// The payload of a log entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Client writes.
    Batch(Batch),
    /// A change of the cluster's own facts; only in the system shard.
    System {
        /// Proposed by the leader.
        hlc: Hlc,
        /// The change.
        command: Box<SystemCommand>,
    },
    /// Nothing but the passing of time: lets a cut at an HLC find its end.
    Barrier {
        /// Proposed by the leader.
        hlc: Hlc,
    },
    /// The first entry after initialisation: which slots of which keyspace the shard owns.
    Own {
        /// Proposed by the leader.
        hlc: Hlc,
        /// Whose keys they are.
        keyspace: KeyspaceId,
        /// The slots.
        slots: Vec<SlotRange>,
        /// Whether clients may write at once; a restored shard waits for `Open`.
        open: bool,
    },
    /// The shard takes no more writes, for the intent that names it (safety rule 16).
    Seal {
        /// Proposed by the leader.
        hlc: Hlc,
        /// The restore or undo that seals.
        intent: IntentId,
    },
    /// The shard takes writes (again).
    Open {
        /// Proposed by the leader.
        hlc: Hlc,
        /// The restore or undo that opens.
        intent: IntentId,
    },
    /// Records of a backup, written as they were; only into a shard that is not open yet.
    Ingest {
        /// Proposed by the leader.
        hlc: Hlc,
        /// In key order.
        records: Vec<StoredRecord>,
    },
}

/// A record with its key, as images and snapshots carry it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredRecord {
    /// The key's slot.
    pub slot: Slot,
    /// The key.
    pub key: Bytes,
    /// The value and what belongs to it.
    pub record: Record,
}

/// What is stored under a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The value.
    pub value: Bytes,
    /// Where it was written.
    pub version: Version,
    /// When it was written.
    pub hlc: Hlc,
    /// When it ends.
    pub expires: Option<Hlc>,
}

/// What applying a command answers to its proposer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Applied {
    /// Blank and membership entries, barriers, seals.
    Nothing,
    /// One result an operation, in order.
    Batch(Vec<OperationResult>),
    /// The outcome of a system command.
    System(Result<SystemReply, String>),
}

/// What a system command gives back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SystemReply {
    /// It was done.
    Done,
    /// The joined node's ids.
    Joined(crate::view::Admission),
    /// The new intent's id.
    Intent(IntentId),
    /// The new keyspace's number.
    Keyspace(KeyspaceId),
}

impl std::fmt::Display for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Batch(batch) => write!(f, "batch of {}", batch.operations.len()),
            Self::System { .. } => f.write_str("system change"),
            Self::Barrier { .. } => f.write_str("barrier"),
            Self::Own { .. } => f.write_str("own"),
            Self::Seal { intent, .. } => write!(f, "seal for {intent}"),
            Self::Open { intent, .. } => write!(f, "open for {intent}"),
            Self::Ingest { records, .. } => write!(f, "ingest of {}", records.len()),
        }
    }
}

impl std::fmt::Display for Applied {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Nothing => f.write_str("nothing"),
            Self::Batch(results) => write!(f, "{} results", results.len()),
            Self::System(Ok(_)) => f.write_str("system change done"),
            Self::System(Err(why)) => write!(f, "system change refused: {why}"),
        }
    }
}
