//! What lies where on the screen, for the mouse: drawing notes it, a click looks it up.
//!
//! A hit names things by their ids: a refresh between frame and click moves nothing under it.

use std::cell::RefCell;

use ratatui::layout::{Position, Rect};

use evenkeel_shared::ids::{NodeId, ShardId};

use super::action::{Command, Screen};
use super::model::attention::About;
use super::model::journal::EventKey;

/// Something that can be clicked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit(pub(crate) Target);

/// What it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// A node's row.
    Node(NodeId),
    /// A shard's row.
    Shard(ShardId),
    /// An incident's row.
    Incident(EventKey),
    /// A backup's row: archive and id.
    Backup((String, String)),
    /// A journal line.
    Line(EventKey),
    /// A screen's name.
    Screen(Screen),
    /// A key's name.
    Command(Command),
    /// A count of the header: the screen that lists what it counts, and the filter.
    Counted(Screen, &'static str),
    /// A sentence of what deserves a look.
    Finding(About),
    /// A place of the scrubber: a moment.
    Moment(u64),
}

/// Everything that can be clicked in one frame, the uppermost last.
#[derive(Debug, Default)]
pub(crate) struct Hits(RefCell<Vec<(Rect, Target)>>);

impl Hits {
    /// Notes what lies there; what lay there before is below it.
    pub(crate) fn note(&self, area: Rect, target: Target) {
        self.0.borrow_mut().push((area, target));
    }

    /// A box covers everything below it.
    pub(crate) fn cover(&self, area: Rect) {
        let covered = |at: &Rect| area.intersects(*at);
        self.0.borrow_mut().retain(|(at, _)| !covered(at));
    }

    /// What lies at a cell.
    pub(crate) fn at(&self, column: u16, row: u16) -> Option<Hit> {
        let hits = self.0.borrow();
        let found = hits.iter().rev().find(|(area, _)| area.contains(Position::new(column, row)));
        found.map(|(_, target)| Hit(target.clone()))
    }
}
