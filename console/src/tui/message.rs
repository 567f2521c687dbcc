//! Everything that can happen to the console, as one closed enum.

use crossterm::event::KeyEvent;
use evenkeel_shared::dossier::Dossier;
use evenkeel_shared::error::AdminError;
use evenkeel_shared::event::Event;
use evenkeel_shared::explain::Explanation;
use evenkeel_shared::heartbeat::Report;
use evenkeel_shared::ids::{NodeId, ShardId};
use evenkeel_shared::plan::PlanView;
use evenkeel_shared::preflight::{Action, Harm, Outcome, Preflight};
use evenkeel_shared::view::{ClusterView, Recovery};
use evenkeel_shared::what_if::{Change, WhatIf};

use super::hits::Hit;

/// One thing that happened.
#[derive(Clone, Debug)]
pub enum Message {
    /// A key was pressed.
    Key(KeyEvent),
    /// Text was pasted.
    Paste(String),
    /// The mouse wheel turned: lines down, or up when negative.
    Wheel(i16),
    /// Something was clicked.
    Click(Hit),
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
    /// The answer to [`crate::tui::Effect::Explain`].
    Explained {
        /// The shard that was asked about.
        shard: ShardId,
        /// Who would lead it next, and why.
        result: Result<Box<Explanation>, AdminError>,
    },
    /// The answer to [`crate::tui::Effect::Foresee`].
    Foreseen {
        /// The node that was asked about.
        node: NodeId,
        /// What its loss would do.
        result: Result<Box<Preflight>, AdminError>,
    },
    /// The answer to [`crate::tui::Effect::Judge`].
    Judged {
        /// The node that was asked about.
        node: NodeId,
        /// What speaks for and against it.
        result: Result<Box<Dossier>, AdminError>,
    },
    /// The answer to [`crate::tui::Effect::Plan`].
    Planned(Result<Box<PlanView>, AdminError>),
    /// The answer to [`crate::tui::Effect::Declared`].
    Declared(Result<Box<Recovery>, AdminError>),
    /// The answer to [`crate::tui::Effect::WhatIf`].
    WhatIf {
        /// The changes that were asked about.
        changes: Vec<Change>,
        /// What would come of them.
        result: Result<Box<WhatIf>, AdminError>,
    },
    /// Where the screen was written to, or why it was not.
    Exported(Result<String, String>),
    /// The answer to [`crate::tui::Effect::BriefDrill`].
    Briefed {
        /// The drill's name.
        name: String,
        /// What it would do.
        result: Result<DrillBrief, String>,
    },
    /// How the drill goes that runs.
    Drilled(DrillNews),
    /// A second was recorded, or why the recording has ended.
    Recorded(Result<(), String>),
}

/// What a drill would do, and how hard it must be confirmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrillBrief {
    /// Each step, in lines.
    pub lines: Vec<String>,
    /// The worst of all steps.
    pub harm: Harm,
    /// Where its backups go, if it makes any.
    pub archive: Option<String>,
}

/// How a drill goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DrillNews {
    /// A step begins, or is over.
    Step {
        /// Counts from 1.
        number: usize,
        /// Steps in all.
        of: usize,
        /// What is done.
        what: String,
        /// Whether it is over.
        over: bool,
    },
    /// Something was seen.
    Line(String),
    /// A shard took no writes for so long, as the drill's own writers saw it.
    Outage {
        /// Which.
        shard: String,
        /// How long, in microseconds.
        took_us: u64,
    },
    /// It is over.
    Done {
        /// Whether the hypothesis held.
        passed: bool,
        /// The verdict, in lines.
        lines: Vec<String>,
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
