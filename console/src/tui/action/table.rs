//! The lines of the table, in the order of help.

use crossterm::event::KeyCode;

use super::{Binding, Chord, Command, Guard, Screen};

use Chord::{Char, Ctrl, Key};
use Screen::{Backups, Events, Failover, Load, Nodes, Shards};

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
    free(Command::Show(Failover), &[Char('4')], "4", "Failover", "who took over, part by part"),
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
    shown(free(Command::Palette, &[Char(':')], ":", "find", "find any key, node or shard by name")),
    on(
        &[Nodes, Shards, Load],
        shown(free(Command::Sort, &[Char('s')], "s", "sort", "sort by the next column")),
    ),
    shown(free(Command::Filter, &[Char('/')], "/", "filter", "words; !word leaves out, ~wrd near")),
    on(
        &[Events],
        shown(free(Command::Severity, &[Char('v')], "v", "severity", "hide what matters less")),
    ),
    on(
        &[Events],
        shown(free(Command::Follow, &[Char('f')], "f", "follow", "stay at the newest event")),
    ),
    on(
        &[Load],
        shown(free(Command::Zoom, &[Char('z')], "z", "heat", "shards by time, all of them")),
    ),
    on(&[Load], free(Command::Brighter, &[Char('B')], "B", "brighter", "the heatmap brighter")),
    on(&[Load], free(Command::Darker, &[Char('b')], "b", "darker", "the heatmap darker")),
    on(
        &[Failover, Events],
        shown(free(
            Command::Jump,
            &[Char('o')],
            "o",
            "go there",
            "to the shard or node it is about",
        )),
    ),
    on(
        &[Failover, Events],
        shown(free(Command::Then, &[Char('t')], "t", "then", "show the cluster as it was then")),
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
        &[Shards],
        free(
            Command::AddCopy,
            &[Char('M')],
            "M",
            "add copy",
            "give it a copy on another node; X then takes one",
        ),
    ),
    locked(
        &[Shards],
        free(Command::RemoveCopy, &[Char('X')], "X", "take copy", "take one of its copies away"),
    ),
    locked(
        &[Nodes, Load],
        free(Command::Switchover, &[Char('F')], "F", "hand over", "hand its leaderships to others"),
    ),
    locked(
        &[Nodes, Load],
        free(Command::Drain, &[Char('D')], "D", "drain", "give all replicas away, or stop that"),
    ),
    rare(locked(
        &[Nodes, Load],
        free(
            Command::Maintain,
            &[Char('M')],
            "M",
            "maintain",
            "work on it for an hour, or end that",
        ),
    )),
    locked(
        &[Nodes],
        free(Command::Evict, &[Char('E')], "E", "evict", "remove a drained or dead node"),
    ),
    rare(locked(
        &[Nodes],
        free(Command::Reinit, &[Char('I')], "I", "reinit", "give up a dead node's lost data"),
    )),
    rare(locked(
        &[Nodes, Load],
        free(Command::FreezeNode, &[Char('Z')], "Z", "freeze it", "stop its process: a drill"),
    )),
    rare(locked(
        &[Nodes, Load],
        free(Command::Cut, &[Char('C')], "C", "cut off", "cut it off from the others: a drill"),
    )),
    locked(
        &[Failover],
        free(Command::Drill, &[Char('T')], "T", "drill", "run a drill that measures itself"),
    ),
    on(
        &[Failover],
        free(
            Command::EndDrill,
            &[Char('a')],
            "a",
            "abort",
            "end the drill, taking back what it did",
        ),
    ),
    rare(locked(
        &[],
        free(Command::Heal, &[Char('H')], "H", "heal", "end every drill, on every node"),
    )),
    rare(locked(&[], free(Command::Mode, &[Char('P')], "P", "pause", "who may start a failover"))),
    rare(locked(
        &[Nodes, Shards],
        free(
            Command::Apply,
            &[Char('A')],
            "A",
            "apply",
            "do a step of the plan that waits for you",
        ),
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
    shown(free(Command::Unlock, &[Char('W')], "W", "lock", "open or close the write lock")),
    shown(free(Command::Freeze, &[Char('p')], "p", "freeze", "hold the screen still")),
    free(Command::StepBack, &[Char('[')], "[", "back", "a second back in time"),
    free(Command::StepOn, &[Char(']')], "]", "on", "a second on, until now"),
    free(Command::EventBefore, &[Char('{')], "{", "event", "back to the event before"),
    free(Command::EventAfter, &[Char('}')], "}", "event", "on to the next event"),
    free(Command::Play, &[Char(' ')], "Space", "play", "play on from there, or stop"),
    free(Command::Slower, &[Char('<')], "<", "slower", "play at half the speed"),
    free(Command::Faster, &[Char('>')], ">", "faster", "play at twice the speed"),
    free(Command::GoTo, &[Char('@')], "@", "go to", "a time: 14:02:10, -90s"),
    free(Command::Mark, &[Char('m')], "m", "mark", "mark this moment; again: what changed since"),
    free(Command::Live, &[Char('L')], "L", "live", "back to now"),
    free(Command::Policy, &[Char('S')], "S", "policy", "what is done about trouble by itself"),
    on(
        &[Nodes, Shards, Load],
        free(
            Command::WhatIf,
            &[Char('w')],
            "w",
            "what if",
            "what would come of drains, losses, nodes",
        ),
    ),
    free(
        Command::Problem,
        &[Char('!')],
        "!",
        "problem",
        "to what needs attention; again: the next",
    ),
    free(Command::Copy, &[Char('y')], "y", "copy", "copy the row's name"),
    free(Command::AsWords, &[Char('Y')], "Y", "command", "copy as a command line"),
    free(Command::Export, &[Char('x')], "x", "export", "write this screen to a file"),
    free(Command::Incident, &[Char('e')], "e", "incident", "save a stretch of the past, to replay"),
    free(Command::Present, &[Ctrl('p')], "^p", "present", "large figures for an audience, or not"),
    free(Command::Redraw, &[Ctrl('l')], "^l", "redraw", "draw everything again"),
    free(Command::Suspend, &[Ctrl('z')], "^z", "suspend", "back to the shell for a while"),
    shown(free(Command::Help, &[Char('?'), Key(KeyCode::F(1))], "?", "help", "this list")),
    free(Command::Quit, &[Char('q'), Ctrl('c')], "q ^c", "quit", "end the console"),
];
