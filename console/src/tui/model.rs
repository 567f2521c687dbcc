//! Everything that the console knows and everything that the operator has chosen.
//!
//! Selections hold ids, never row numbers: a refresh can't put another node under a key.

pub(crate) mod acts;
pub(crate) mod answers;
pub(crate) mod attention;
pub(crate) mod changes;
pub(crate) mod clean;
pub(crate) mod cluster;
pub(crate) mod command_line;
pub(crate) mod cursor;
pub(crate) mod dialog;
pub(crate) mod drill;
pub(crate) mod failovers;
pub(crate) mod following;
pub(crate) mod heat;
pub(crate) mod held;
pub(crate) mod history;
pub(crate) mod journal;
pub(crate) mod layer;
pub(crate) mod lock;
pub(crate) mod palette;
pub(crate) mod policy;
pub(crate) mod presenting;
pub(crate) mod ring;
pub(crate) mod rows;
pub(crate) mod track;
pub(crate) mod what_if;

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use ratatui::layout::Size;

use evenkeel_shared::event::{Event, Severity};
use evenkeel_shared::ids::{NodeId, ShardId};
use evenkeel_shared::preflight::Action;

use super::action::Screen;
use super::keymap::Keymap;
use super::options::{ConsoleOptions, DrillOffer};
use super::theme::{Theme, Tone};
use answers::Answers;
use cluster::Cluster;
use cursor::Cursor;
use drill::DrillRun;
use following::Followed;
use held::Held;
use history::History;
use journal::EventKey;
use layer::Layer;
use lock::Lock;

/// The smallest terminal in which screens are drawn.
pub(crate) const SIZE_MIN: Size = Size { width: 60, height: 16 };
/// How long a line about something done stays.
pub(crate) const STATUS_SHOWN_MS: u64 = 12_000;
/// Acts whose answers are waited for; more would not be kept apart on one line.
pub(crate) const PENDING_MAX: usize = 8;

/// The whole state of the console.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    /// Milliseconds since 1970, as of the last tick.
    pub(crate) now: u64,
    /// The terminal's size.
    pub(crate) size: Size,
    /// The screen that is shown.
    pub(crate) screen: Screen,
    /// What lies over it, the uppermost last.
    pub(crate) layers: Vec<Layer>,
    /// What is heard from the cluster.
    pub(crate) live: Cluster,
    /// What was heard when the screen was frozen, or in the past that is shown.
    pub(crate) held: Option<Box<Held>>,
    /// What was heard before, second by second.
    pub(crate) history: History,
    /// The journal lines that a recording still lacks; none when nothing is recorded.
    pub(crate) unrecorded: Option<Vec<Event>>,
    /// Whether this is a recording that is played: there is no now.
    pub(crate) replay: bool,
    /// A moment that was marked, to be compared with another.
    pub(crate) mark: Option<u64>,
    /// What the agents have answered beside what they send by themselves.
    pub(crate) answers: Answers,
    /// The chosen rows.
    pub(crate) chosen: Chosen,
    /// The words of each screen's filter.
    pub(crate) filters: BTreeMap<Screen, String>,
    /// The column that each screen sorts by.
    pub(crate) sorts: BTreeMap<Screen, usize>,
    /// Events that matter less are hidden.
    pub(crate) severity: Severity,
    /// The finding that was gone to last, by its place.
    pub(crate) problem: Option<usize>,
    /// The drills that can be run.
    pub(crate) drills: Vec<DrillOffer>,
    /// The drill that runs, or the last one that ran.
    pub(crate) drill: Option<DrillRun>,
    /// Whether the heatmap takes the whole of Load.
    pub(crate) zoomed: bool,
    /// How much brighter the heatmap is than it would be.
    pub(crate) gain: i8,
    /// Whether large figures are shown, for an audience.
    pub(crate) present: bool,
    /// Whether harmful acts are let through.
    pub(crate) lock: Lock,
    /// The last thing worth saying.
    pub(crate) status: Option<Status>,
    /// Acts that were sent and not answered.
    pub(crate) pending: Vec<Pending>,
    /// Acts that go on after their answer.
    pub(crate) followed: Vec<Followed>,
    /// Which key means what.
    pub(crate) keys: Keymap,
    /// How things look.
    pub(crate) theme: Theme,
    /// The zone of the times shown.
    pub(crate) zone: TimeZone,
    /// What the header calls the cluster.
    pub(crate) title: String,
    /// The archive that a backup proposes.
    pub(crate) archive: Option<String>,
}

/// The chosen row of each list.
#[derive(Clone, Debug, Default)]
pub(crate) struct Chosen {
    /// In Nodes and Load.
    pub(crate) node: Cursor<NodeId>,
    /// In Shards.
    pub(crate) shard: Cursor<ShardId>,
    /// The first node column of the matrix.
    pub(crate) column: usize,
    /// In Failover: the first line of the incident.
    pub(crate) failover: Cursor<EventKey>,
    /// In Backups: archive and id.
    pub(crate) backup: Cursor<(String, String)>,
    /// In Events; none: at the newest.
    pub(crate) event: Cursor<EventKey>,
}

/// A sentence for the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Status {
    /// The sentence.
    pub(crate) text: String,
    /// What kind.
    pub(crate) tone: Tone,
    /// When it was said.
    pub(crate) at: u64,
}

/// An act that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pending {
    /// The act.
    pub(crate) action: Action,
    /// In words.
    pub(crate) what: String,
    /// When.
    pub(crate) since: u64,
}

impl Model {
    /// The console before anything was heard.
    pub(crate) fn new(options: &ConsoleOptions, theme: Theme, zone: TimeZone, now: u64) -> Self {
        let mut live = Cluster::default();
        for address in &options.addresses {
            live.dialling(address, now);
        }
        Self {
            now,
            size: Size::new(80, 24),
            screen: Screen::default(),
            layers: Vec::new(),
            live,
            held: None,
            history: History::default(),
            unrecorded: options.record.is_some().then(Vec::new),
            replay: false,
            mark: None,
            answers: Answers::default(),
            chosen: Chosen::default(),
            filters: BTreeMap::new(),
            sorts: BTreeMap::new(),
            severity: Severity::Info,
            problem: None,
            drills: Vec::new(),
            drill: None,
            zoomed: false,
            gain: 0,
            present: options.present,
            lock: Lock::new(options),
            status: None,
            pending: Vec::new(),
            followed: Vec::new(),
            keys: Keymap::default(),
            theme,
            zone,
            title: clean::text(&options.title),
            archive: options.archive.clone(),
        }
    }

    /// What is shown: the cluster as heard, or as it was when frozen.
    pub(crate) fn shown(&self) -> &Cluster {
        self.held.as_ref().map_or(&self.live, |held| &held.cluster)
    }

    /// The time for which ages are shown.
    pub(crate) fn shown_at(&self) -> u64 {
        self.held.as_ref().map_or(self.now, |held| held.at)
    }

    /// The filter of a screen; empty when none.
    pub(crate) fn filter(&self, screen: Screen) -> &str {
        self.filters.get(&screen).map_or("", String::as_str)
    }

    /// The sort column of a screen, by its place in `rows::sorts`.
    pub(crate) fn sort(&self, screen: Screen) -> usize {
        self.sorts.get(&screen).copied().unwrap_or(0)
    }

    /// Whether the terminal is too small to show what one does.
    pub(crate) fn is_tiny(&self) -> bool {
        self.size.width < SIZE_MIN.width || self.size.height < SIZE_MIN.height
    }

    /// Whether keys go to the screen itself: nothing that is being written or read lies over it.
    pub(crate) fn is_bare(&self) -> bool {
        self.layers.iter().all(|layer| matches!(layer, Layer::Detail))
    }

    /// Says something in the status line.
    pub(crate) fn say(&mut self, tone: Tone, text: impl Into<String>) {
        self.status = Some(Status { text: text.into(), tone, at: self.now });
    }
}
