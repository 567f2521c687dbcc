//! An operator at the console over real agents: what is locked, what must be typed, a restore, the
//! past, a window that changes its size, a console that breaks.

use std::time::Duration;

use evenkeel_tests::{Cluster, ClusterPlan, Terminal, toy_console};

/// How long a change may take to be on the screen.
const SOON: Duration = Duration::from_secs(60);
const CTRL_U: &str = "\u{15}";

fn drilled() -> Cluster {
    let flags = vec!["--drills".to_owned()];
    Cluster::start_with(&ClusterPlan { flags, ..ClusterPlan::default() })
}

/// Waits until the screen has all of these words.
fn see(terminal: &Terminal, words: &[&str]) {
    terminal.wait(&format!("{words:?} is on the screen"), SOON, |text| {
        words.iter().all(|word| text.contains(word)).then_some(())
    });
}

fn gone(terminal: &Terminal, word: &str) {
    terminal.wait(&format!("{word:?} is gone"), SOON, |text| (!text.contains(word)).then_some(()));
}

#[test]
fn what_is_locked_is_refused_and_what_breaks_must_be_typed() {
    let mut cluster = drilled();
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let connect = cluster.addresses().join(",");
    let mut terminal = Terminal::start(&["--connect", &connect], (120, 36), folder.path());
    see(&terminal, &["● OK", "3/3 nodes", "LOCKED"]);

    terminal.press("K");
    see(&terminal, &["kill: locked: press W to unlock for 10 minutes"]);
    terminal.press("W");
    see(&terminal, &["WRITE"]);

    // With one of three gone, another one takes the quorum: its name is not enough.
    cluster.agents[2].kill();
    see(&terminal, &["n3", "DOWN", "2/3 nodes"]);
    terminal.press(":n2\r");
    terminal.press("K");
    see(&terminal, &["kill n2", "quorum lost", "Type OVERRIDE n2"]);
    terminal.press("n2\r");
    see(&terminal, &["type OVERRIDE n2 exactly"]);
    terminal.press(CTRL_U);
    terminal.press("OVERRIDE n3\r");
    see(&terminal, &["type OVERRIDE n2 exactly"]);
    assert!(cluster.agents[1].is_running(), "it was not confirmed");
    terminal.press("\u{1b}");
    see(&terminal, &["kill n2 cancelled"]);

    // The window shrinks below all use, and grows again.
    terminal.resize((44, 12));
    see(&terminal, &["have 44x12, want 60x16"]);
    terminal.resize((80, 24));
    see(&terminal, &["1 Nodes", "n3", "DOWN"]);
    cluster.agents[2].start();
    see(&terminal, &["● OK", "3/3 nodes"]);
    terminal.press("q");
    assert_eq!(terminal.end(), 0);
    terminal.assert_given_back();
}

#[test]
fn a_backup_is_made_and_restored_and_the_session_is_looked_at_again() {
    let cluster = drilled();
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let archive = cluster.folder().join("archive");
    let recording = folder.path().join("session.rec");
    let connect = cluster.addresses().join(",");
    let put = cluster.run(&["kv", "put", "a", "before"]);
    assert_eq!(put.code, Some(0), "{}", put.stderr);

    let record = recording.display().to_string();
    let words = ["--connect", &connect, "--write", "--record", &record];
    let mut terminal = Terminal::start(&words, (120, 36), folder.path());
    see(&terminal, &["● OK", "3/3 nodes", "REC"]);
    terminal.press("5b");
    see(&terminal, &["Into which archive?"]);
    terminal.press(&format!("{}\r", archive.display()));
    see(&terminal, &["y does it"]);
    terminal.press("y");
    let id = terminal.wait("the backup is in the catalogue", SOON, |text| {
        let row = text.lines().find(|line| line.contains("│▸"))?;
        let id = row.split('▸').nth(1)?.split_whitespace().next()?;
        Some(id.to_owned())
    });
    let put = cluster.run(&["kv", "put", "a", "after"]);
    assert_eq!(put.code, Some(0), "{}", put.stderr);

    terminal.press("R");
    see(&terminal, &["restore backup", "Type "]);
    terminal.press(&format!("{id}\r"));
    see(&terminal, &["A accepts it"]);
    terminal.press("A");
    terminal.wait("accepting can be confirmed", SOON, |text| {
        (text.contains("y does it") || text.contains("Type ")).then_some(())
    });
    let typed = terminal.text().contains("Type ");
    terminal.press(&if typed { format!("{id}\r") } else { "y".to_owned() });
    gone(&terminal, "A accepts it");
    let got = cluster.run(&["kv", "get", "a"]);
    assert_eq!(got.stdout.trim(), "before");

    // A second back in time, and now again.
    terminal.press("[[");
    see(&terminal, &["PAST", "L live"]);
    terminal.press("A");
    see(&terminal, &["this is the past: press L first"]);
    terminal.press("L");
    gone(&terminal, "PAST");
    terminal.press("q");
    assert_eq!(terminal.end(), 0);
    terminal.assert_given_back();
    drop(cluster);

    // With every agent gone, the recording still shows them.
    let mut terminal = Terminal::start(&["--replay", &record], (120, 36), folder.path());
    see(&terminal, &["REPLAY", "L live"]);
    terminal.press("L");
    see(&terminal, &["n1", "n2", "n3", "● UP", "3/3 nodes"]);
    terminal.press("6");
    see(&terminal, &["restore"]);
    terminal.press("q");
    assert_eq!(terminal.end(), 0);

    // What is there is never written over.
    let words = ["--connect", &connect, "--record", &record];
    let mut terminal = Terminal::start(&words, (120, 36), folder.path());
    assert_eq!(terminal.end(), 1);
    see(&terminal, &["name a file that is not there yet"]);
}

/// The word that follows a node's name on its row.
fn state_of(text: &str, node: &str) -> Option<String> {
    let row = text.lines().find(|line| {
        let row = line.trim_start_matches(['│', '▸', ' ']);
        row.starts_with(&format!("{node} "))
    })?;
    let states = ["UP", "DOWN", "SUSPECT", "SLOW", "UNKNOWN", "JOINING", "DRAINING", "MAINT"];
    row.split_whitespace().find(|word| states.contains(word)).map(str::to_owned)
}

/// Seconds that the console remembers, as its charts say.
fn remembered(text: &str) -> Option<u32> {
    let chart = text.lines().find(|line| line.contains("╭ ops/s"))?;
    let seconds = chart.split("last ").nth(1)?.split('s').next()?;
    seconds.parse().ok()
}

#[test]
fn two_consoles_and_the_command_line_agree() {
    let mut cluster = drilled();
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let addresses = cluster.addresses();
    let console = |agent: usize, words: &[&str]| {
        let words = [&["--connect", &addresses[agent]], words].concat();
        Terminal::start(&words, (120, 36), folder.path())
    };
    let mut first = console(0, &["--write"]);
    let mut second = console(2, &["--present"]);
    for terminal in [&first, &second] {
        see(terminal, &["● OK", "3/3 nodes"]);
    }
    cluster.agents[1].kill();
    for terminal in [&first, &second] {
        see(terminal, &["DOWN", "2/3 nodes"]);
    }
    see(&second, &["Presenting", "n2"]);
    let at_death = first.wait("seconds are remembered", SOON, remembered);
    let told = cluster.run(&["nodes", "--json"]);
    let told: serde_json::Value = serde_json::from_str(&told.stdout).expect("it is JSON");
    for node in ["n1", "n2", "n3"] {
        let rows = told.as_array().expect("a list");
        let row = rows.iter().find(|row| row["name"] == node).expect("every node is told");
        let state = row["state"].as_str().map(str::to_uppercase);
        for terminal in [&first, &second] {
            terminal.wait(&format!("{node} is {state:?} there too"), SOON, |text| {
                (state_of(text, node) == state).then_some(())
            });
        }
    }

    // What one of them sets, the other and the command line know.
    first.press("P");
    see(&first, &["it is started by", "Type cluster"]);
    first.press("cluster\r");
    for terminal in [&first, &second] {
        see(terminal, &["FAILOVER"]);
    }
    first.press("S");
    see(&first, &["Recovery policy", "rules.down"]);
    first.press("jjjjh");
    see(&first, &["< advise >", "was act"]);
    first.press("\r");
    see(&first, &["rules.down: act → advise", "y does it"]);
    first.press("y");
    let advises = || cluster.run(&["policy", "get"]).stdout.contains("down = \"advise\"");
    first.wait("the policy is another one", SOON, |_| advises().then_some(()));
    first.press("S");
    see(&first, &["version 1 holds"]);
    first.press("v");
    see(&first, &["as built in", "was advise"]);
    first.press("q");

    let saved = saved(&mut first, at_death);
    for terminal in [&mut first, &mut second] {
        terminal.press("q");
        assert_eq!(terminal.end(), 0);
    }
    let mut third = Terminal::start(&["--replay", &saved], (120, 36), folder.path());
    see(&third, &["REPLAY"]);
    third.press("L");
    see(&third, &["n2", "DOWN", "2/3 nodes"]);
    third.press("q");
    assert_eq!(third.end(), 0);
}

/// Saves what a console has seen of a death, to be replayed by somebody else; where.
fn saved(console: &mut Terminal, at_death: u32) -> String {
    console.wait("the death is remembered", SOON, |text| {
        (remembered(text)? > at_death + 1).then_some(())
    });
    console.press("e");
    see(console, &["save", "Enter writes it"]);
    console.press("\r");
    console.wait("the incident is written", SOON, |text| {
        let line = text.lines().find(|line| line.contains("written to"))?;
        let words = line.split_whitespace();
        words
            .map(|word| word.trim_end_matches(':'))
            .find(|word| word.contains("/incidents/"))
            .map(str::to_owned)
    })
}

#[test]
fn what_would_come_of_changes_is_told_before_any_is_made() {
    let cluster = drilled();
    let told = cluster.run(&["plan", "what-if", "--drain", "n3", "--json"]).expect(0).json();
    let short = told["short"].as_array().expect("a list");
    assert!(!short.is_empty(), "two nodes can't hold three copies: {told}");
    let told = cluster.run(&["plan", "what-if", "--lose", "n3", "--add", "c", "--json"]).expect(0);
    let told = told.json();
    let nodes = told["nodes"].as_array().expect("a list");
    let of = |name: &str| nodes.iter().find(|node| node["name"] == name).expect("it is told of");
    assert_eq!(of("n3")["copies_then"], 0, "{told}");
    assert_eq!(of("new1")["copies_then"], of("n1")["copies_then"], "{told}");
    assert_eq!(told["settles"], true, "{told}");
    let told = cluster.run(&["plan", "what-if", "--lose", "n2,n3"]).expect(1);
    assert!(told.stdout.contains("QUORUM LOST"), "{}", told.stdout);
    for (words, said) in [
        (&["--drain", "n9"][..], "n9"),
        (&["--lose-zone", "x"][..], "no node is in a zone x"),
        (&["--add", "a:none"][..], "--add a:none"),
        (&[][..], "No change was named"),
    ] {
        let told = cluster.run(&[&["plan", "what-if"][..], words].concat());
        assert_ne!(told.code, Some(0), "{words:?}");
        assert!(told.stderr.contains(said), "{words:?}: {}", told.stderr);
    }
    let nodes = cluster.run(&["nodes", "--json"]).expect(0).json();
    let up = nodes.as_array().expect("a list").iter().all(|node| node["state"] == "UP");
    assert!(up, "nothing was done: {nodes}");
}

#[test]
fn a_console_that_panics_gives_the_terminal_back() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let words = ["write", "panic"];
    let mut terminal = Terminal::start_program(toy_console(), &words, (80, 24), folder.path());
    see(&terminal, &["1 Nodes", "● UP"]);
    assert!(terminal.is_taken());
    terminal.press("K");
    assert_ne!(terminal.end(), 0);
    terminal.assert_given_back();
    see(&terminal, &["as it was told to"]);
}

#[test]
fn whoever_asks_right_after_a_kill_is_told_of_the_cluster_that_is_left() {
    let mut cluster = drilled();
    cluster.run(&["node", "kill", "n2", "--yes"]).expect(0);
    let second = cluster.run(&["node", "kill", "n3", "--yes"]);
    assert_eq!(second.code, Some(2), "{}{}", second.stdout, second.stderr);
    let told = format!("{}{}", second.stdout, second.stderr);
    assert!(told.contains("lose their quorum") || told.contains("--override n3"), "{told}");
    assert!(cluster.agents[2].is_running(), "it was not confirmed");
}

#[test]
fn of_two_operators_who_kill_at_once_one_is_told_what_the_other_does() {
    for _ in 0..3 {
        let mut cluster = drilled();
        let kill = |name: &str| cluster.run(&["node", "kill", name, "--yes"]);
        let codes = std::thread::scope(|scope| {
            let both = ["n2", "n3"].map(|name| scope.spawn(move || kill(name).code));
            both.map(|one| one.join().expect("it ends"))
        });
        let done = codes.iter().filter(|code| **code == Some(0)).count();
        assert_eq!(done, 1, "{codes:?}");
        let left =
            cluster.agents[1..].iter_mut().filter_map(|agent| agent.is_running().then_some(()));
        assert_eq!(left.count(), 1, "the other one was not confirmed");
    }
}
