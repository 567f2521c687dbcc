//! The one table of what the operator can do: keys, names, help, guard and place.
//!
//! Keys, footer, help and the write lock all read this table, so none of them can disagree.

mod table;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

pub(crate) use table::BINDINGS;

/// One of the screens, by its digit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Screen {
    /// Every node and what needs attention.
    #[default]
    Nodes,
    /// The placement matrix.
    Shards,
    /// Where the work is done.
    Load,
    /// How failovers went, part by part.
    Failover,
    /// The catalogue, and what is being restored.
    Backups,
    /// The journal.
    Events,
}

impl Screen {
    /// Every screen in the order of its digit.
    pub(crate) const ALL: [Self; 6] =
        [Self::Nodes, Self::Shards, Self::Load, Self::Failover, Self::Backups, Self::Events];

    /// The digit that opens it.
    pub(crate) fn digit(self) -> char {
        match self {
            Self::Nodes => '1',
            Self::Shards => '2',
            Self::Load => '3',
            Self::Failover => '4',
            Self::Backups => '5',
            Self::Events => '6',
        }
    }

    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Nodes => "Nodes",
            Self::Shards => "Shards",
            Self::Load => "Load",
            Self::Failover => "Failover",
            Self::Backups => "Backups",
            Self::Events => "Events",
        }
    }
}

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Command {
    Show(Screen),
    Up,
    Down,
    Top,
    Bottom,
    PageUp,
    PageDown,
    Left,
    Right,
    NextScreen,
    Open,
    Back,
    Sort,
    Filter,
    Palette,
    Severity,
    Zoom,
    Brighter,
    Darker,
    Follow,
    Jump,
    Problem,
    WhatIf,
    Then,
    Freeze,
    Unlock,
    Copy,
    AsWords,
    Export,
    Incident,
    Present,
    Help,
    Redraw,
    Suspend,
    Quit,
    StepBack,
    StepOn,
    EventBefore,
    EventAfter,
    Slower,
    Faster,
    Play,
    GoTo,
    Mark,
    Live,
    Kill,
    FreezeNode,
    Cut,
    Heal,
    Failover,
    Switchover,
    Maintain,
    Mode,
    Policy,
    Apply,
    AddCopy,
    RemoveCopy,
    Drill,
    EndDrill,
    Drain,
    Evict,
    Reinit,
    Backup,
    Restore,
    Accept,
    Undo,
}

impl Command {
    /// Whether it is about the past.
    pub(crate) fn travels(self) -> bool {
        matches!(
            self,
            Self::StepBack
                | Self::StepOn
                | Self::EventBefore
                | Self::EventAfter
                | Self::Slower
                | Self::Faster
                | Self::Play
                | Self::GoTo
                | Self::Mark
                | Self::Live
        )
    }
}

/// One key as the table names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chord {
    /// A character, capitals as such.
    Char(char),
    /// A character with Ctrl.
    Ctrl(char),
    /// Any other key.
    Key(KeyCode),
}

impl Chord {
    /// The chord that a key event stands for.
    pub(crate) fn of(event: KeyEvent) -> Self {
        match event.code {
            KeyCode::Char(c) if event.modifiers.contains(KeyModifiers::CONTROL) => {
                Self::Ctrl(c.to_ascii_lowercase())
            }
            KeyCode::Char(c) if event.modifiers.contains(KeyModifiers::SHIFT) => {
                Self::Char(c.to_ascii_uppercase())
            }
            KeyCode::Char(c) => Self::Char(c),
            code => Self::Key(code),
        }
    }
}

/// Whether the write lock holds an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guard {
    /// Harmless.
    Free,
    /// Changes the cluster: needs the lock open, a pre-flight and a confirmation.
    Locked,
}

/// One line of the table.
#[derive(Debug)]
pub(crate) struct Binding {
    /// What it does.
    pub(crate) command: Command,
    /// The keys that ask for it.
    pub(crate) chords: &'static [Chord],
    /// The keys as help writes them.
    pub(crate) label: &'static str,
    /// Its name in the footer.
    pub(crate) name: &'static str,
    /// What help says.
    pub(crate) help: &'static str,
    /// Whether the lock holds it.
    pub(crate) guard: Guard,
    /// Where it works; empty: everywhere.
    pub(crate) screens: &'static [Screen],
    /// Whether the footer shows it.
    pub(crate) footer: bool,
}

impl Binding {
    /// Whether it works on this screen.
    pub(crate) fn works_on(&self, screen: Screen) -> bool {
        self.screens.is_empty() || self.screens.contains(&screen)
    }
}

#[cfg(test)]
mod tests {
    use super::Chord::Char;
    use super::*;

    #[test]
    fn no_key_means_two_things_on_one_screen() {
        for screen in Screen::ALL {
            let lines: Vec<_> = BINDINGS.iter().filter(|line| line.works_on(screen)).collect();
            for (index, line) in lines.iter().enumerate() {
                for other in &lines[index + 1..] {
                    let shared = line.chords.iter().find(|chord| other.chords.contains(chord));
                    assert_eq!(shared, None, "{} and {} on {screen:?}", line.name, other.name);
                }
            }
        }
    }

    #[test]
    fn every_screen_is_opened_by_its_digit() {
        for screen in Screen::ALL {
            let shows = |line: &&Binding| line.command == Command::Show(screen);
            let line = BINDINGS.iter().find(shows).expect("bound");
            assert_eq!(line.chords, [Char(screen.digit())]);
        }
    }
}
