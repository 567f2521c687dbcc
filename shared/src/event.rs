//! The journal: what happened, why, and who says so. On disk in the system shard.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::{NodeId, ShardId};

/// One line of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Given out when the line is committed; 0 before.
    pub id: u64,
    /// When it happened, on the reporting node's wall clock.
    pub unix_ms: u64,
    /// Who says so.
    pub reporter: NodeId,
    /// What kind of thing.
    pub kind: EventKind,
    /// How much it matters.
    pub severity: Severity,
    /// The node that it is about.
    pub node: Option<NodeId>,
    /// The shard that it is about.
    pub shard: Option<ShardId>,
    /// What happened, in words.
    pub what: String,
    /// Why, in words.
    pub why: String,
    /// How long it took, in microseconds.
    pub took_us: Option<u64>,
}

/// What a restore's line ends with once all contents, built beside, were compared with the backup's
/// hashes.
pub const RESTORE_VERIFIED: &str = "contents are as in the backup, sealing what is served";
const RESTORE_OF: &str = "restore of ";

/// What a line says of how far the restore of a backup is.
pub fn restore_line(backup: &str, how_far: &str) -> String {
    format!("{RESTORE_OF}{backup}: {how_far}")
}

impl Event {
    /// The backup whose contents were found to be right when it was restored, if the line says so.
    pub fn verifies(&self) -> Option<&str> {
        let line = Some(&self.what).filter(|_| self.kind == EventKind::Restore)?;
        line.strip_prefix(RESTORE_OF)?.strip_suffix(RESTORE_VERIFIED)?.strip_suffix(": ")
    }
}

/// What kind of thing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// A node joined, left, came back.
    Membership,
    /// A verdict on a node has changed.
    Verdict,
    /// A shard has a new leader.
    Leader,
    /// A step of repair or balance.
    Placement,
    /// Somebody asked for something: written before it is done (law 8).
    Audit,
    /// A backup.
    Backup,
    /// A restore.
    Restore,
    /// Damage was found.
    Damage,
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Membership => "membership",
            Self::Verdict => "verdict",
            Self::Leader => "leader",
            Self::Placement => "placement",
            Self::Audit => "audit",
            Self::Backup => "backup",
            Self::Restore => "restore",
            Self::Damage => "damage",
        })
    }
}

/// How much an event matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// For the record.
    Info,
    /// Odd, and handled.
    Warn,
    /// Somebody should look.
    Alarm,
}
