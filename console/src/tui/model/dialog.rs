//! The confirmation of a harmful act: what it would do, and how hard it must be confirmed.
//!
//! Nothing is sent before a pre-flight of exactly this act has been shown and confirmed.

use std::collections::BTreeMap;

use evenkeel_shared::ids::NodeId;
use evenkeel_shared::preflight::{Action, Harm, Preflight};
use evenkeel_shared::view::FailoverMode;
use tui_input::Input;

/// How long a killed node stays down unless the operator says otherwise.
pub(crate) const DOWN_SECS_DEFAULT: u32 = 10;
/// What the arrows offer.
pub(crate) const DOWN_SECS: [u64; 7] = [5, 10, 30, 60, 300, 900, FOR_GOOD];
/// Longer than any time that can be typed.
pub(crate) const FOR_GOOD: u64 = u64::MAX;

/// One act on its way to be confirmed.
#[derive(Clone, Debug)]
pub(crate) struct Dialog {
    /// The act.
    pub(crate) action: Action,
    /// In words: "kill n3".
    pub(crate) title: String,
    /// What must be typed for `Harm::Risk`.
    pub(crate) name: String,
    /// How far it is.
    pub(crate) stage: Stage,
    /// What can be chosen with the arrows.
    pub(crate) choice: Choice,
    /// What is being typed: the confirmation, or the archive.
    pub(crate) input: Input,
    /// Whether figures go to the choice instead of the confirmation.
    pub(crate) editing_choice: bool,
    /// Why it is asked again: it was confirmed, and not done.
    pub(crate) again: Option<String>,
    /// Why the last attempt was not accepted.
    pub(crate) hint: Option<String>,
}

/// How far an act is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The archive's folder is being typed.
    Archive,
    /// The agents were asked.
    Asking {
        /// When.
        since: u64,
    },
    /// The agents have answered.
    Ready {
        /// What the act would do.
        preflight: Box<Preflight>,
        /// When the answer came.
        at: u64,
    },
    /// The agents could not answer.
    Failed {
        /// Why.
        why: String,
    },
}

/// What can be changed before confirming.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// Nothing.
    None,
    /// How long a killed node stays down, or a fault lasts.
    Lasts,
    /// Who leads next; the first is the best candidate.
    Target(Vec<Option<NodeId>>),
    /// On which node a copy is made or taken away, and what the agents say of each.
    Place {
        /// The nodes.
        nodes: Vec<NodeId>,
        /// Why it can't be that one, or `None` where it can; absent until the agents have answered.
        verdicts: BTreeMap<NodeId, Option<String>>,
    },
    /// Which step of the plan is done.
    Step(Vec<String>),
    /// Who may start a failover.
    Mode(Vec<(&'static str, FailoverMode)>),
}

impl Dialog {
    /// What must be typed, if anything.
    pub(crate) fn phrase(&self) -> Option<String> {
        let Stage::Ready { preflight, .. } = &self.stage else { return None };
        match preflight.harm {
            Harm::None => None,
            Harm::Risk => Some(self.name.clone()),
            Harm::Break => Some(format!("OVERRIDE {}", self.name)),
        }
    }
}
