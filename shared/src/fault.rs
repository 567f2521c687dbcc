//! Faults that a drill makes, on an agent that allows them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::NodeId;

/// What is made to go wrong on one node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fault {
    /// The process stands still; its supervisor lets it run again.
    Freeze,
    /// Nothing passes between the node and these others, or all others when none is named.
    Cut {
        /// The others.
        from: Vec<NodeId>,
        /// Which way nothing passes.
        way: Way,
    },
    /// What it sends to other agents leaves late.
    Slow {
        /// By this much at least.
        delay_ms: u32,
        /// And up to this much more, drawn anew each time.
        jitter_ms: u32,
    },
    /// No sync of its log ends.
    StallDisk,
    /// Its wall clock is off.
    Skew {
        /// By this much; behind when negative.
        milliseconds: i64,
    },
    /// Its disk has no room left, as far as it can tell.
    FillDisk,
}

/// What an agent is asked to do to itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Drill {
    /// End at once, as `kill -9` would have it.
    Die {
        /// How long its supervisor keeps it down, in seconds; `None`: for good.
        down_secs: Option<u32>,
    },
    /// Let something go wrong for a while.
    Begin {
        /// What.
        fault: Fault,
        /// For how long, in seconds.
        secs: u32,
    },
    /// End everything that goes wrong by a drill.
    Heal,
}

/// Which way nothing passes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Way {
    /// Neither.
    #[default]
    Both,
    /// It hears nothing.
    In,
    /// It is not heard.
    Out,
}

impl Fault {
    /// Whether the node is of no use to its shards meanwhile, as if it were gone.
    pub fn takes_node_away(&self) -> bool {
        match self {
            Self::Freeze | Self::StallDisk => true,
            Self::Cut { from, .. } => from.is_empty(),
            Self::Slow { .. } | Self::Skew { .. } | Self::FillDisk => false,
        }
    }
}

impl Fault {
    /// In words, with nodes by their names.
    pub fn words(&self, name: impl Fn(NodeId) -> String) -> String {
        match self {
            Self::Freeze => "frozen".to_owned(),
            Self::Cut { from, way } => {
                let (what, word) = match way {
                    Way::Both => ("cut off", "from"),
                    Way::In => ("hears nothing", "from"),
                    Way::Out => ("not heard", "by"),
                };
                if from.is_empty() {
                    return what.to_owned();
                }
                let names: Vec<String> = from.iter().map(|node| name(*node)).collect();
                format!("{what} {word} {}", names.join(", "))
            }
            Self::Slow { delay_ms, jitter_ms: 0 } => format!("sends {delay_ms} ms late"),
            Self::Slow { delay_ms, jitter_ms } => {
                format!("sends {delay_ms} to {} ms late", delay_ms.saturating_add(*jitter_ms))
            }
            Self::StallDisk => "its log's syncs do not end".to_owned(),
            Self::Skew { milliseconds } => format!("wall clock {milliseconds:+} ms off"),
            Self::FillDisk => "its disk seems full".to_owned(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words(|node| node.to_string()))
    }
}
