//! A drill as it is written down: what is done, and what is held to be true meanwhile. Pure.
//!
//! A key or a value that is not known is an error: a drill with a slip of the pen must not begin.

mod read;
mod table;

#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use super::format::span;

pub(crate) use read::read;

/// A whole drill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Script {
    /// What it is called, in the history too.
    pub(crate) name: String,
    /// What it tries, in a sentence.
    pub(crate) about: String,
    /// What must hold.
    pub(crate) hypothesis: Hypothesis,
    /// Who writes meanwhile.
    pub(crate) probe: Probing,
    /// What is done, in order.
    pub(crate) steps: Vec<Step>,
}

/// What must hold for a drill to have passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hypothesis {
    /// The longest write outage of any probed shard.
    pub(crate) outage: Duration,
    /// Acknowledged writes that may be gone.
    pub(crate) lost: u64,
    /// Requests that may fail; `None`: however many.
    pub(crate) failed: Option<u64>,
}

/// Who writes during a drill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Probing {
    /// Writers; at least one a shard.
    pub(crate) writers: u32,
    /// How long each rests between two writes.
    pub(crate) pace: Duration,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// What is done.
    pub(crate) what: What,
    /// How long it lasts; of `wait-healthy`, at most.
    pub(crate) lasts: Duration,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// kill -9; the supervisor starts it again.
    Kill(Whom),
    /// Its process stands still.
    Freeze(Whom),
    /// Nothing passes between a node and the others, or between a zone and the others.
    Cut(Part),
    /// No sync of its log ends.
    StallDisk(Whom),
    /// What it sends leaves late.
    Slow {
        /// The node.
        node: Whom,
        /// By this much at least.
        delay: Duration,
        /// And up to this much more.
        jitter: Duration,
    },
    /// It hands its leaderships over.
    Switchover(Whom),
    /// As planned: hand over, down, up again.
    Restart(Whom),
    /// Everything is backed up.
    Backup {
        /// The archive's folder, where the script names one.
        to: Option<String>,
    },
    /// The last backup is put in the place of what is served, and taken back.
    RestoreAndUndo,
    /// Nothing, until the cluster is whole.
    WaitHealthy,
    /// Nothing, for a while.
    Pause,
}

/// Which node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Whom {
    /// This one.
    Named(String),
    /// The leader of the shard with most operations.
    BusiestLeader,
    /// The node that leads most shards.
    MostLeaders,
    /// All of them, one after another.
    Each,
}

/// What is cut off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// A node.
    Node(Whom),
    /// A zone.
    Zone(Zone),
}

/// Which zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Zone {
    /// This one.
    Named(String),
    /// The one with most nodes without which every shard keeps its majority.
    LargestSafe,
    /// The first by name without which every shard keeps its majority.
    FirstSafe,
}

/// What is wrong with a script.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {what}")]
pub(crate) struct ScriptError {
    /// Where it is, as `step 2: for`.
    pub(crate) key: String,
    /// What is wrong, and what was expected.
    pub(crate) what: String,
    /// What to try.
    pub(crate) hint: String,
}

impl What {
    /// Whether the nodes that it strikes must have been started with `--drills`.
    pub(crate) fn needs_drills(&self) -> bool {
        match self {
            Self::Kill(_)
            | Self::Freeze(_)
            | Self::Cut(_)
            | Self::StallDisk(_)
            | Self::Slow { .. }
            | Self::Restart(_) => true,
            Self::Switchover(_)
            | Self::Backup { .. }
            | Self::RestoreAndUndo
            | Self::WaitHealthy
            | Self::Pause => false,
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lasts = span(self.lasts);
        match &self.what {
            What::Kill(node) => write!(f, "kill {node}, down for {lasts}"),
            What::Freeze(node) => write!(f, "freeze {node} for {lasts}"),
            What::Cut(Part::Node(node)) => write!(f, "cut {node} off for {lasts}"),
            What::Cut(Part::Zone(zone)) => write!(f, "cut {zone} off for {lasts}"),
            What::StallDisk(node) => write!(f, "stall the disk of {node} for {lasts}"),
            What::Slow { node, delay, jitter } => {
                let (least, most) = (span(*delay), span(*delay + *jitter));
                write!(f, "delay what {node} sends by {least} to {most} for {lasts}")
            }
            What::Switchover(node) => {
                write!(f, "hand all leaderships of {node} over, none back for {lasts}")
            }
            What::Restart(Whom::Each) => {
                write!(f, "restart each node in turn as planned, down for {lasts}")
            }
            What::Restart(node) => write!(f, "restart {node} as planned, down for {lasts}"),
            What::Backup { .. } => f.write_str("back everything up"),
            What::RestoreAndUndo => f.write_str("restore that backup, compare, and undo it"),
            What::WaitHealthy => write!(f, "wait until the cluster is whole, at most {lasts}"),
            What::Pause => write!(f, "wait for {lasts}"),
        }
    }
}

impl fmt::Display for Whom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Named(name) => name,
            Self::BusiestLeader => "the busiest shard's leader",
            Self::MostLeaders => "the node that leads most shards",
            Self::Each => "each node in turn",
        })
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => write!(f, "zone {name}"),
            Self::LargestSafe => f.write_str("the largest zone that leaves every quorum"),
            Self::FirstSafe => f.write_str("the first zone that leaves every quorum"),
        }
    }
}
