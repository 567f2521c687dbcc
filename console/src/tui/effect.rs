//! Everything that the console wants done, as data: `update` returns it, the loop carries it out.

use evenkeel_shared::preflight::Action;

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
    /// Put text on the clipboard.
    Copy(String),
    /// Clear the terminal and draw everything again.
    Redraw,
    /// Hand the terminal back to the shell until resumed.
    Suspend,
    /// End the console.
    Quit,
}
