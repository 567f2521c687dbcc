//! Keeps the tree tidy: headers, sizes, who may import whom, and what may be named where.
//!
//! It reads sources as text and decides nothing else; every check prints all that it found.

#[path = "tidy/imports.rs"]
mod imports;
#[path = "tidy/sources.rs"]
mod sources;

use std::collections::BTreeSet;

use imports::{AGENT, CONSOLE, TUI};
use sources::{Source, below, root, rust_files};

/// Longest file.
const LINES_MAX: usize = 400;

/// Fails with everything that a check found.
fn none(rule: &str, found: &[String]) {
    let count = found.len();
    assert!(found.is_empty(), "{rule}; {count} found:\n  {}\n", found.join("\n  "));
}

/// Every line of these sources that a test of its text finds, as `path:line: text`.
fn lines_where(sources: &[Source], mut found: impl FnMut(&Source, &str) -> bool) -> Vec<String> {
    let mut all = Vec::new();
    for source in sources {
        let hits = source.code().filter(|(_, line)| found(source, line));
        all.extend(hits.map(|(number, line)| source.at(number, line.trim())));
    }
    all
}

/// Whether a text holds this word, not as a part of a longer one.
fn has_word(text: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word)
        .any(|(at, _)| !text[..at].ends_with(part) && !text[at + word.len()..].starts_with(part))
}

#[test]
fn every_file_says_first_what_it_owns() {
    let found = rust_files(&["shared", "agent", "console", "fuzz", "tests"]).into_iter();
    let found: Vec<String> = found
        .filter(|source| !source.text.starts_with("//! "))
        .map(|source| source.at(1, "does not begin with //!"))
        .collect();
    none("every file opens with what it owns", &found);
}

#[test]
fn no_file_is_too_long() {
    let found = rust_files(&["shared", "agent", "console", "fuzz", "tests"]).into_iter();
    let found: Vec<String> = found
        .map(|source| (source.text.lines().count(), source))
        .filter(|(lines, _)| *lines > LINES_MAX)
        .map(|(lines, source)| source.at(lines, "is the last line"))
        .collect();
    none("a file has 400 lines at most", &found);
}

#[test]
fn the_agents_modules_import_only_what_they_may() {
    none("a module imports what its row allows", &AGENT.violations());
}

#[test]
fn the_consoles_modules_import_only_what_they_may() {
    none("a module imports what its row allows", &CONSOLE.violations());
}

#[test]
fn the_terminal_consoles_modules_import_only_what_they_may() {
    none("a module imports what its row allows", &TUI.violations());
}

/// Voters may skip the lease, so a read that trusts it may be stale.
#[test]
fn rule_10_no_read_trusts_a_lease() {
    let sources = rust_files(&["agent"]);
    let found = lines_where(&sources, |_, line| line.contains("LeaseRead"));
    none("every read goes through ReadIndex", &found);
    let asks = lines_where(&sources, |_, line| line.contains("ReadPolicy::ReadIndex"));
    assert!(!asks.is_empty(), "some read asks");
}

/// Whoever holds facts open keeps out whoever publishes new ones, and behind that one every other
/// reader: taking any lock meanwhile has stood an agent still for ever.
#[test]
fn nobody_holds_the_facts_open() {
    let sources = rust_files(&["agent"]);
    let found = lines_where(&sources, |_, line| line.trim_end().ends_with("facts.borrow();"));
    none("facts are cloned, never held: `.borrow().clone()`", &found);
    let clones = lines_where(&sources, |_, line| line.contains("facts.borrow().clone()"));
    assert!(!clones.is_empty(), "some facts are read");
}

#[test]
fn the_console_names_the_agent_only_in_main_and_demo() {
    let sources = rust_files(&["console"]);
    let found = lines_where(&sources, |source, line| {
        let may = source.is("console/src/main.rs") || source.is_in("console/src/demo");
        !may && has_word(line, "evenkeel_agent")
    });
    none("only main and demo name evenkeel_agent", &found);
}

#[test]
fn shared_names_neither_agent_nor_console() {
    let found = lines_where(&rust_files(&["shared"]), |_, line| {
        has_word(line, "evenkeel_agent") || line.contains("evenkeel::")
    });
    none("shared knows nobody", &found);
}

#[test]
fn the_terminal_is_named_only_in_the_terminal_console() {
    let sources = rust_files(&["shared", "agent", "console/src"]);
    let found = lines_where(&sources, |source, line| {
        let named = ["ratatui", "crossterm"].iter().any(|name| has_word(line, name));
        named && !source.is_in("console/src/tui")
    });
    none("ratatui and crossterm stay in console/src/tui", &found);
}

#[test]
fn consensus_and_trees_are_named_only_in_the_store() {
    let sources = rust_files(&["shared", "agent", "console"]);
    let found = lines_where(&sources, |source, line| {
        let named = ["openraft::", "fjall::"].iter().any(|path| {
            line.match_indices(path).any(|(at, _)| {
                // `crate::store::engine::fjall::` is our own module of that name.
                !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':')
            })
        });
        // The log's filter calls a part of the library by its path, and uses nothing of it.
        let filter = source.is("agent/src/config/check.rs") && line.contains("openraft=error");
        named && !filter && !source.is_in("agent/src/store")
    });
    none("openraft and fjall stay in agent/src/store", &found);
}

#[test]
fn what_decides_has_no_clock_no_chance_and_no_unordered_map() {
    const NEVER: [&str; 11] = [
        "HashMap",
        "HashSet",
        "Instant",
        "SystemTime",
        "Clock",
        "elapsed",
        "rand",
        "tokio",
        "async",
        "File",
        "thread",
    ];
    let sources = rust_files(&["agent/src/decide", "agent/src/decide.rs"]);
    let found = lines_where(&sources, |_, line| NEVER.iter().any(|word| has_word(line, word)));
    none("decide is a function of its arguments", &found);
}

#[test]
fn update_and_view_have_no_clock_and_no_unordered_map() {
    const NEVER: [&str; 6] = ["HashMap", "HashSet", "Instant", "SystemTime", "tokio", "async"];
    let parts = ["update", "update.rs", "view", "view.rs", "model", "model.rs"];
    let parts = parts.map(|part| format!("console/src/tui/{part}"));
    let sources = rust_files(&parts.each_ref().map(String::as_str));
    let found = lines_where(&sources, |_, line| NEVER.iter().any(|word| has_word(line, word)));
    none("update and view are functions of their arguments", &found);
}

#[test]
fn the_architecture_page_names_every_part_and_no_vanished_one() {
    let path = root().join("docs/ARCHITECTURE.md");
    if !path.exists() {
        eprintln!(
            "SKIPPED: docs/ARCHITECTURE.md does not exist yet, so nothing holds it to the tree"
        );
        return;
    }
    let page = std::fs::read_to_string(path).expect("docs/ARCHITECTURE.md is readable");
    let mut found = Vec::new();
    for folder in ["shared/src", "agent/src", "console/src"] {
        let parts = below(folder).into_iter().filter(|part| part != "lib" && part != "main");
        let unnamed = parts.filter(|part| !has_word(&page, part));
        found.extend(unnamed.map(|part| format!("{folder}/{part} is not named")));
    }
    let paths: BTreeSet<&str> = page
        .split(|c: char| !(c.is_alphanumeric() || "/._-".contains(c)))
        .map(|word| word.trim_end_matches(['.', '/']))
        .filter(|word| {
            let first = word.split_once('/').map(|(first, _)| first);
            first.is_some_and(|first| {
                ["shared", "agent", "console", "tests", "docs"].contains(&first)
            })
        })
        .collect();
    let exists = |path: &str| {
        ["", ".rs", ".md"].iter().any(|end| root().join(format!("{path}{end}")).exists())
    };
    let vanished = paths.into_iter().filter(|path| !exists(path));
    found.extend(vanished.map(|path| format!("{path} is named and does not exist")));
    none("docs/ARCHITECTURE.md is a map of this tree", &found);
}
