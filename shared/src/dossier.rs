//! A verdict with all that it rests on.

use serde::{Deserialize, Serialize};

use crate::ids::NodeId;
use crate::view::NodeState;

/// All that one observer can say of a node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dossier {
    /// The node.
    pub node: NodeId,
    /// Who says all this.
    pub observer: NodeId,
    /// The verdict.
    pub state: NodeState,
    /// Since when, on the observer's wall clock.
    pub since_unix_ms: u64,
    /// Why, in words.
    pub why: String,
    /// What each of the others holds of it: dead or not; `None` for one that can't be relied on.
    pub others: Vec<(NodeId, Option<bool>)>,
    /// The evidence by its axes: what is seen, and whether it speaks against the node.
    pub axes: Vec<AxisEvidence>,
    /// How suspicion would rise, if nothing more were heard: milliseconds of silence, phi.
    pub curve: Vec<(u32, f64)>,
    /// What would change the verdict.
    pub flips: Vec<String>,
}

/// What is seen on one axis.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AxisEvidence {
    /// Its name.
    pub axis: String,
    /// Whether it speaks against the node.
    pub against: bool,
    /// What is seen, in words.
    pub seen: String,
}

/// How an observer's verdicts have turned out since it was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Score {
    /// The process was gone, or stayed silent for a second more.
    pub right: u32,
    /// It was back within a second.
    pub wrong: u32,
    /// Not known yet.
    pub open: u32,
    /// From the last sign of life to the verdict, of the last ones: median, in microseconds.
    pub detect_median_us: Option<u64>,
    /// And the longest.
    pub detect_max_us: Option<u64>,
    /// Held slow, and slow for longer than it takes to see that it is over, or dead within a minute.
    pub slow_right: u32,
    /// Held slow, and well again as soon as that could be seen.
    pub slow_wrong: u32,
    /// From the verdict that it is slow to its death, of those that died: median, in microseconds.
    pub lead_median_us: Option<u64>,
}
