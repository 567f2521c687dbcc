//! Everything that the console wants done, as data: `update` returns it, the loop carries it out.

use evenkeel_shared::ids::{NodeId, ShardId};
use evenkeel_shared::preflight::Action;
use evenkeel_shared::what_if::Change;

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Ask the agents what an act would do; the feed answers with `Message::Preflighted`.
    Preflight {
        /// The act.
        action: Action,
    },
    /// Do it, if the facts still stand as at `revision`; answered with `Message::Acted`.
    Act {
        /// The act.
        action: Action,
        /// The pre-flight's revision.
        revision: u64,
    },
    /// Ask who would lead a shard next, and why; answered with `Message::Explained`.
    Explain {
        /// The shard.
        shard: ShardId,
    },
    /// Ask what the loss of a node would do; answered with `Message::Foreseen`.
    Foresee {
        /// The node.
        node: NodeId,
    },
    /// Ask what speaks for and against a node; answered with `Message::Judged`.
    Judge {
        /// The node.
        node: NodeId,
    },
    /// Ask what the controller does and would do; answered with `Message::Planned`.
    Plan,
    /// Ask what would come of these changes together; answered with `Message::WhatIf`.
    WhatIf {
        /// The changes.
        changes: Vec<Change>,
    },
    /// Ask what operators have declared of recovery; answered with `Message::Declared`.
    Declared,
    /// Ask what a drill would do; answered with `Message::Briefed`.
    BriefDrill {
        /// Its name.
        name: String,
    },
    /// Run a drill; it tells how it goes with `Message::Drilled`.
    Drill {
        /// Its name.
        name: String,
        /// What was shown and confirmed.
        brief: crate::tui::message::DrillBrief,
    },
    /// End the drill that runs, and heal what it did.
    EndDrill,
    /// Put text on the clipboard.
    Copy(String),
    /// Write the screen, as it is, to a file.
    Export,
    /// Write what is remembered between two times to a file of its own.
    SaveIncident {
        /// From, in milliseconds since 1970.
        from: u64,
        /// To.
        to: u64,
    },
    /// Add a second to the recording.
    Record(Box<crate::tui::recording::Second>),
    /// Clear the terminal and draw everything again.
    Redraw,
    /// Hand the terminal back to the shell until resumed.
    Suspend,
    /// End the console.
    Quit,
}
