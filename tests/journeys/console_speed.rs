//! What the console costs while a large cluster reports to it. It asserts nothing: run it alone,
//! `cargo test --release -p evenkeel-tests --test journeys console_speed -- --ignored --nocapture`.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use evenkeel_tests::{Terminal, now, pass, toy_console};

/// How long each cluster is watched.
const WATCHED: Duration = Duration::from_secs(20);
/// Keys that are pressed.
const KEYS: usize = 60;
const SOON: Duration = Duration::from_secs(60);

/// Clock ticks of each thread by its name.
fn ticks(pid: u32) -> BTreeMap<String, u64> {
    let mut found = BTreeMap::new();
    let threads = fs::read_dir(format!("/proc/{pid}/task")).expect("it runs");
    for thread in threads.flatten() {
        let read = |name: &str| fs::read_to_string(thread.path().join(name)).unwrap_or_default();
        let (name, stat) = (read("comm").trim().to_owned(), read("stat"));
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
        let spent = |place: usize| fields.get(place).and_then(|f| f.parse::<u64>().ok());
        *found.entry(name).or_default() += spent(11).unwrap_or(0) + spent(12).unwrap_or(0);
    }
    found
}

fn resident_mb(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("Linux says so");
    let kb: u64 = line.split_whitespace().nth(1).and_then(|kb| kb.parse().ok()).unwrap_or(0);
    kb / 1_000
}

#[expect(clippy::cast_precision_loss, reason = "a printed figure has three digits")]
#[expect(clippy::print_stdout, reason = "it is run to be read")]
fn measure(words: &[&str], size: (u16, u16), screen: &str) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let program = toy_console();
    let begun = now();
    let mut terminal = Terminal::start_program(program, words, size, folder.path());
    terminal.wait("the first frame", SOON, |text| text.contains("1 Nodes").then_some(()));
    let first = begun.elapsed();
    terminal.wait("the cluster is there", SOON, |text| text.contains("● OK").then_some(()));
    terminal.press(screen);
    pass(Duration::from_secs(5));
    let (before, bytes) = (ticks(terminal.pid()), terminal.bytes());
    pass(WATCHED);
    let (after, written) = (ticks(terminal.pid()), terminal.bytes() - bytes);
    let spent: u64 = after
        .iter()
        .filter(|(name, _)| *name != "toy")
        .map(|(name, ticks)| ticks - before.get(name).copied().unwrap_or(0))
        .sum();
    // A tick is a hundredth of a second.
    let percent = spent as f64 / WATCHED.as_secs_f64();
    let mut keys: Vec<Duration> = Vec::new();
    for key in 0..KEYS {
        let (seen, pressed) = (terminal.bytes(), now());
        terminal.press(if key % 2 == 0 { "j" } else { "k" });
        while terminal.bytes() == seen && pressed.elapsed() < SOON {
            std::hint::spin_loop();
        }
        keys.push(pressed.elapsed());
        pass(Duration::from_millis(30));
    }
    keys.sort_unstable();
    println!(
        "{:<24} screen {screen}, first frame {:>3} ms, {percent:.1} % of a core, {:.1} kB/s, {} MB, key to bytes \
         median {:.1} ms, 90 % {:.1} ms, worst {:.1} ms",
        words.join(" "),
        first.as_millis(),
        written as f64 / WATCHED.as_secs_f64() / 1e3,
        resident_mb(terminal.pid()),
        keys[KEYS / 2].as_secs_f64() * 1e3,
        keys[KEYS * 9 / 10].as_secs_f64() * 1e3,
        keys[KEYS - 1].as_secs_f64() * 1e3,
    );
    terminal.press("q");
    terminal.end();
}

#[test]
#[ignore = "it measures, and wants the machine to itself"]
fn console_speed() {
    measure(&["nodes=5", "shards=16"], (120, 36), "1");
    for screen in ["1", "2", "3"] {
        measure(&["nodes=64", "shards=4096"], (120, 36), screen);
    }
    measure(&["nodes=1000", "shards=10000"], (240, 70), "1");
}
