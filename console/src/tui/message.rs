//! Everything that can happen to the console, as one closed enum.

use crossterm::event::KeyEvent;
use evenkeel_shared::error::AdminError;
use evenkeel_shared::event::Event;
use evenkeel_shared::heartbeat::Report;
use evenkeel_shared::ids::NodeId;
use evenkeel_shared::preflight::{Action, Outcome, Preflight};
use evenkeel_shared::view::ClusterView;

/// One thing that happened.
#[derive(Clone, Debug)]
pub enum Message {
    /// A key was pressed.
    Key(KeyEvent),
    /// Text was pasted.
    Paste(String),
    /// The mouse wheel turned: lines down, or up when negative.
    Wheel(i16),
    /// The terminal has another size.
    Resize {
        /// Columns.
        width: u16,
        /// Rows.
        height: u16,
    },
    /// Time, on the console's wall clock; precedes every batch of other messages.
    Tick {
        /// Milliseconds since 1970.
        now_unix_ms: u64,
    },
    /// An agent reported.
    Report(Box<Report>),
    /// An agent sent its view of the cluster.
    View(Box<ClusterView>),
    /// A journal line arrived.
    Event(Box<Event>),
    /// Journal lines were read back, oldest first.
    Events(Vec<Event>),
    /// A connection to an agent changed.
    Link {
        /// The address dialled.
        address: String,
        /// Who answers there, once known.
        node: Option<NodeId>,
        /// How the connection is.
        state: LinkState,
    },
    /// The answer to [`crate::tui::Effect::Preflight`].
    Preflighted {
        /// The act that was asked about.
        action: Action,
        /// What it would do.
        result: Result<Preflight, AdminError>,
    },
    /// The answer to [`crate::tui::Effect::Act`].
    Acted {
        /// The act.
        action: Action,
        /// What came of it.
        result: Result<Outcome, AdminError>,
    },
}

/// How a connection to an agent is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// Dialling, and not yet answered.
    Connecting,
    /// Open.
    Connected,
    /// Gone; dialled again.
    Lost {
        /// Why, in words.
        why: String,
    },
}
