//! The one table of what the operator can do: keys, names, help, guard and place.
//!
//! Keys, footer, help and the write lock all read this table, so none of them can disagree.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// One of the screens, by its digit. 4 is kept for failover.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Screen {
    /// Every node and what needs attention.
    #[default]
    Nodes,
    /// The placement matrix.
    Shards,
    /// Where the work is done.
    Load,
    /// The catalogue, and what is being restored.
    Backups,
    /// The journal.
    Events,
}

impl Screen {
    /// Every screen in the order of its digit.
    pub(crate) const ALL: [Self; 5] =
        [Self::Nodes, Self::Shards, Self::Load, Self::Backups, Self::Events];

    /// The digit that opens it.
    pub(crate) fn digit(self) -> char {
        match self {
            Self::Nodes => '1',
            Self::Shards => '2',
            Self::Load => '3',
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
            Self::Backups => "Backups",
            Self::Events => "Events",
        }
    }
}

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    Severity,
    Follow,
    Freeze,
    Unlock,
    Copy,
    Help,
    Redraw,
    Suspend,
    Quit,
    Kill,
    Failover,
    Drain,
    Evict,
    Reinit,
    Backup,
    Restore,
    Accept,
    Undo,
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

/// The line for a key on a screen.
pub(crate) fn lookup(chord: Chord, screen: Screen) -> Option<&'static Binding> {
    BINDINGS.iter().find(|line| line.works_on(screen) && line.chords.contains(&chord))
}

use Chord::{Char, Ctrl, Key};
use Screen::{Backups, Events, Load, Nodes, Shards};

const fn free(
    command: Command,
    chords: &'static [Chord],
    label: &'static str,
    name: &'static str,
    help: &'static str,
) -> Binding {
    Binding { command, chords, label, name, help, guard: Guard::Free, screens: &[], footer: false }
}

const fn on(screens: &'static [Screen], mut line: Binding) -> Binding {
    line.screens = screens;
    line
}

const fn shown(mut line: Binding) -> Binding {
    line.footer = true;
    line
}

const fn locked(screens: &'static [Screen], mut line: Binding) -> Binding {
    line.screens = screens;
    line.guard = Guard::Locked;
    line.footer = true;
    line
}

/// Rarely asked for: found in help, not in the footer.
const fn rare(mut line: Binding) -> Binding {
    line.footer = false;
    line
}

/// The table, in the order of help.
pub(crate) static BINDINGS: &[Binding] = &[
    free(Command::Show(Nodes), &[Char('1')], "1", "Nodes", "nodes, attention, journal"),
    free(Command::Show(Shards), &[Char('2')], "2", "Shards", "which node holds which shard"),
    free(Command::Show(Load), &[Char('3')], "3", "Load", "operations, latency, round trips"),
    free(Command::Show(Backups), &[Char('5')], "5", "Backups", "catalogue and restores"),
    free(Command::Show(Events), &[Char('6')], "6", "Events", "what happened, and why"),
    free(Command::NextScreen, &[Key(KeyCode::Tab)], "Tab", "next", "next screen"),
    free(Command::Up, &[Char('k'), Key(KeyCode::Up)], "k Up", "up", "up"),
    free(Command::Down, &[Char('j'), Key(KeyCode::Down)], "j Down", "down", "down"),
    free(Command::Top, &[Char('g'), Key(KeyCode::Home)], "g Home", "top", "first row"),
    free(Command::Bottom, &[Char('G'), Key(KeyCode::End)], "G End", "bottom", "last row"),
    free(Command::PageUp, &[Ctrl('u'), Key(KeyCode::PageUp)], "^u PgUp", "page up", "page up"),
    free(Command::PageDown, &[Ctrl('d'), Key(KeyCode::PageDown)], "^d PgDn", "page", "page down"),
    on(
        &[Shards],
        free(Command::Left, &[Char('h'), Key(KeyCode::Left)], "h Left", "left", "nodes before"),
    ),
    on(
        &[Shards],
        free(Command::Right, &[Char('l'), Key(KeyCode::Right)], "l Right", "right", "nodes after"),
    ),
    shown(free(Command::Open, &[Key(KeyCode::Enter)], "Enter", "open", "details of the row")),
    free(Command::Back, &[Key(KeyCode::Esc)], "Esc", "back", "close, or drop the filter"),
    on(
        &[Nodes, Shards, Load],
        shown(free(Command::Sort, &[Char('s')], "s", "sort", "sort by the next column")),
    ),
    shown(free(Command::Filter, &[Char('/')], "/", "filter", "words; !word leaves out")),
    on(
        &[Events],
        shown(free(Command::Severity, &[Char('v')], "v", "severity", "hide what matters less")),
    ),
    on(
        &[Events],
        shown(free(Command::Follow, &[Char('f')], "f", "follow", "stay at the newest event")),
    ),
    locked(
        &[Nodes, Load],
        free(Command::Kill, &[Char('K')], "K", "kill", "kill the node, no drain: a drill"),
    ),
    locked(
        &[Shards],
        free(Command::Failover, &[Char('F')], "F", "failover", "move the shard's leadership"),
    ),
    locked(
        &[Nodes, Load],
        free(Command::Drain, &[Char('D')], "D", "drain", "give all replicas away, or stop that"),
    ),
    locked(
        &[Nodes],
        free(Command::Evict, &[Char('E')], "E", "evict", "remove a drained or dead node"),
    ),
    rare(locked(
        &[Nodes],
        free(Command::Reinit, &[Char('I')], "I", "reinit", "give up a dead node's lost data"),
    )),
    locked(&[Backups], free(Command::Backup, &[Char('b')], "b", "back up", "back all shards up")),
    locked(
        &[Backups],
        free(Command::Restore, &[Char('R')], "R", "restore", "put the backup in place of now"),
    ),
    locked(
        &[Backups],
        free(Command::Accept, &[Char('A')], "A", "accept", "keep what a restore put in place"),
    ),
    locked(
        &[Backups],
        free(Command::Undo, &[Char('U')], "U", "undo", "put back what a restore replaced"),
    ),
    shown(free(Command::Unlock, &[Char('W')], "W", "unlock", "open or close the write lock")),
    shown(free(Command::Freeze, &[Char('p')], "p", "freeze", "hold the screen still")),
    free(Command::Copy, &[Char('y')], "y", "copy", "copy the row's name"),
    free(Command::Redraw, &[Ctrl('l')], "^l", "redraw", "draw everything again"),
    free(Command::Suspend, &[Ctrl('z')], "^z", "suspend", "back to the shell for a while"),
    shown(free(Command::Help, &[Char('?'), Key(KeyCode::F(1))], "?", "help", "this list")),
    free(Command::Quit, &[Char('q'), Ctrl('c')], "q ^c", "quit", "end the console"),
];

#[cfg(test)]
mod tests {
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
            let line = lookup(Char(screen.digit()), Nodes).expect("bound");
            assert_eq!(line.command, Command::Show(screen));
        }
    }
}
