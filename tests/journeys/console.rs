//! The terminal console, driven by keys in a real pseudo-terminal.

use std::time::Duration;

use evenkeel_tests::{Ports, Terminal, is_alive, wait_for};

/// How long five agents in a debug build may take to be on the screen.
const START_MAX: Duration = Duration::from_secs(120);
/// How long a change may take to be on the screen.
const SOON: Duration = Duration::from_secs(60);

/// The rows of these nodes that say UP.
fn up(text: &str) -> usize {
    let row = |name: &str| {
        text.lines().any(|line| {
            let mut words = line.split(|c: char| c.is_whitespace() || c == '│' || c == '▸');
            words.by_ref().find(|word| !word.is_empty()) == Some(name) && line.contains("● UP")
        })
    };
    ["n1", "n2", "n3", "n4", "n5"].into_iter().filter(|name| row(name)).count()
}

fn healthy(text: &str) -> Option<()> {
    let header = text.lines().next()?;
    (up(text) == 5 && header.contains("● OK") && header.contains("5/5 nodes")).then_some(())
}

/// The dialog takes `y`: no quorum is lost, and the node comes back by itself.
fn y_is_enough(text: &str) -> Option<()> {
    (text.contains("quorum lost      none") && text.contains("y does it")).then_some(())
}

/// What follows a confirmed kill.
#[derive(PartialEq, Eq)]
enum Next {
    Down,
    LookAgain,
}

fn kill_a_node_and_see_it_come_back(size: (u16, u16)) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let ports = Ports::block();
    let base = ports.base().to_string();
    let words = ["demo", "--base-port", &base, "--load", "50", "--shards", "8"];
    let mut terminal = Terminal::start(&words, size, folder.path());
    terminal.wait("five nodes are up", START_MAX, healthy);

    terminal.press("K");
    loop {
        terminal.wait("y is enough", SOON, y_is_enough);
        terminal.press("y");
        terminal
            .wait("the dialog is gone", SOON, |text| (!text.contains("y does it")).then_some(()));
        let next = terminal.wait("a node is DOWN", SOON, |text| {
            let down = text.contains("DOWN").then_some(Next::Down);
            // On a busy machine a peer may be suspected for a moment, and the act is refused.
            down.or(text.contains("look again").then_some(Next::LookAgain))
        });
        if next == Next::Down {
            break;
        }
    }
    terminal.wait("every shard can still be written", SOON, |text| {
        let header = text.lines().next()?;
        (header.contains("4/5 nodes") && !header.contains("UNAVAILABLE")).then_some(())
    });
    // Its supervisor starts it again after ten seconds.
    terminal.wait("it is UP again and all is well", START_MAX, healthy);

    terminal.press("q");
    assert_eq!(terminal.end(), 0);
    terminal.assert_given_back();
    let left = std::fs::read_dir(folder.path()).expect("it is there").count();
    assert_eq!(left, 0, "the demo's folder is gone");
}

#[test]
fn a_node_is_killed_and_comes_back_on_a_screen_of_120_by_36() {
    kill_a_node_and_see_it_come_back((120, 36));
}

#[test]
fn a_node_is_killed_and_comes_back_on_a_screen_of_80_by_24() {
    kill_a_node_and_see_it_come_back((80, 24));
}

#[test]
fn a_console_that_is_told_to_end_gives_the_terminal_back() {
    let folder = tempfile::tempdir().unwrap();
    let ports = Ports::block();
    let address = format!("127.0.0.1:{}", ports.base());
    let mut terminal = Terminal::start(&["--connect", &address], (80, 24), folder.path());
    terminal.wait("it says that nobody answers", SOON, |text| {
        text.contains("no agent reachable").then_some(())
    });
    terminal.terminate();
    assert_eq!(terminal.end(), 0);
    terminal.assert_given_back();
}

#[test]
fn a_demo_whose_terminal_goes_away_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let ports = Ports::block();
    let base = ports.base().to_string();
    let words = ["demo", "--base-port", &base, "--nodes", "3", "--shards", "2"];
    let mut terminal = Terminal::start(&words, (80, 24), folder.path());
    terminal.wait("the console is open", START_MAX, |text| text.contains("1 Nodes").then_some(()));
    let pid = terminal.pid();
    terminal.hang_up();
    wait_for("the demo has ended", SOON, || (!is_alive(pid)).then_some(()));
    let left = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 0, "the demo's folder is gone");
}

#[test]
fn the_console_draws_and_can_be_left_with_nobody_listening() {
    let folder = tempfile::tempdir().unwrap();
    let ports = Ports::block();
    let address = format!("127.0.0.1:{}", ports.base());
    for size in [(120, 36), (80, 24)] {
        let mut terminal = Terminal::start(&["--connect", &address], size, folder.path());
        terminal.wait("it says that nobody answers", SOON, |text| {
            text.contains("no agent reachable").then_some(())
        });
        assert!(terminal.is_taken());
        terminal.press("2");
        terminal.wait("the second screen is shown", SOON, |text| {
            text.contains("╭ 2 Shards").then_some(())
        });
        terminal.press("?");
        terminal.wait("help is shown", SOON, |text| text.contains("╭ Keys on").then_some(()));
        terminal.press("qq");
        assert_eq!(terminal.end(), 0);
        terminal.assert_given_back();
    }
}
