//! Who may import whom (docs/ARCHITECTURE.md): one row a module, and a test that reads the sources.
//!
//! A new edge is a new word in a row, seen in review. A module without a row is a violation.

use std::collections::BTreeSet;

use super::sources::{Source, below, rust_files};

/// The modules of one place, and what each may import there.
pub(crate) struct Table {
    /// The folder.
    folder: &'static str,
    /// What a path into it begins with.
    prefix: &'static str,
    /// Each module, and the modules that it may name, separated by spaces; `*` is any.
    rows: &'static [(&'static str, &'static str)],
}

/// The agent. `shared` stands for the package evenkeel-shared.
pub(crate) const AGENT: Table = Table {
    folder: "agent/src",
    prefix: "crate::",
    rows: &[
        ("backup", "shared env decide content envelope flips"),
        ("cli", "node config logging supervise folder env"),
        ("config", "shared env"),
        ("content", "shared"),
        ("control", "shared env decide store heartbeat backup content envelope config supervise"),
        ("decide", "shared"),
        ("env", "shared"),
        ("envelope", ""),
        ("flips", ""),
        ("folder", "shared env envelope"),
        ("gateway", "shared env decide store heartbeat backup control content strangers"),
        ("heartbeat", "shared env decide"),
        ("lib", "*"),
        ("logging", "config"),
        ("main", "cli"),
        ("node", "*"),
        ("planted", ""),
        ("rpc", "shared env decide store heartbeat backup control content gateway strangers"),
        ("store", "shared env content planted flips"),
        ("strangers", "env"),
        ("supervise", "env"),
    ],
};

/// The console's package.
pub(crate) const CONSOLE: Table = Table {
    folder: "console/src",
    prefix: "crate::",
    rows: &[
        ("cli", "shared clock random signals demo drill policy"),
        ("clock", ""),
        ("demo", "shared clock random signals cli"),
        ("drill", "shared clock random"),
        ("lib", "*"),
        ("main", "*"),
        ("policy", "shared"),
        ("random", ""),
        ("signals", ""),
        ("tui", "shared drill policy"),
    ],
};

/// The terminal console: views see the model, updates see messages, and only `run` sees both.
pub(crate) const TUI: Table = Table {
    folder: "console/src/tui",
    prefix: "crate::tui::",
    rows: &[
        ("action", "shared"),
        ("effect", "shared message recording"),
        ("export", ""),
        ("feed", "effect message options"),
        ("fixture", "shared action effect feed format message model number options theme"),
        ("format", "shared number"),
        ("hits", "shared action model"),
        ("keymap", "action options"),
        ("live", "shared effect feed message options"),
        ("message", "shared effect hits"),
        ("model", "shared action format keymap message number options theme"),
        ("number", ""),
        ("options", ""),
        ("recording", "shared model"),
        ("run", "*"),
        ("tests", "*"),
        ("theme", "shared options"),
        ("update", "shared action effect format hits message model number recording theme"),
        ("view", "shared action format hits message model number theme widget"),
        ("widget", "hits number theme"),
    ],
};

impl Table {
    /// All edges that no row allows, and all modules without a row.
    pub(crate) fn violations(&self) -> Vec<String> {
        let modules: BTreeSet<String> = below(self.folder).into_iter().collect();
        let mut found = Vec::new();
        for module in &modules {
            let Some((_, allowed)) = self.rows.iter().find(|(name, _)| name == module) else {
                found.push(format!("{}/{module} has no row", self.folder));
                continue;
            };
            if *allowed == "*" {
                continue;
            }
            let allowed: BTreeSet<&str> = allowed.split_whitespace().collect();
            for source in self.sources_of(module) {
                for (line, named) in self.edges(&source, &modules) {
                    if named != *module && !allowed.contains(named.as_str()) {
                        found.push(source.at(line, &format!("{module} may not name {named}")));
                    }
                }
            }
        }
        let gone = self.rows.iter().filter(|(name, _)| !modules.contains(*name));
        found.extend(gone.map(|(name, _)| format!("the row of {name} has no module")));
        found
    }

    fn sources_of(&self, module: &str) -> Vec<Source> {
        let place = format!("{}/{module}", self.folder);
        let mut sources = rust_files(&[self.folder]);
        sources.retain(|source| source.is_in(&place));
        sources
    }

    /// The modules of this place that a file names, with the line.
    fn edges(&self, source: &Source, modules: &BTreeSet<String>) -> Vec<(usize, String)> {
        let mut edges = Vec::new();
        let text = &source.text;
        let mut named = |at: usize, name: &str| {
            let line = text[..at].matches('\n').count() + 1;
            let comment =
                text.lines().nth(line - 1).is_some_and(|l| l.trim_start().starts_with("//"));
            if !comment {
                edges.push((line, name.to_owned()));
            }
        };
        for prefix in self.prefixes(source) {
            for (at, _) in text.match_indices(&prefix) {
                if text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':') {
                    continue;
                }
                for name in heads(&text[at + prefix.len()..]) {
                    if modules.contains(name) {
                        named(at, name);
                    }
                }
            }
        }
        for (at, _) in text.match_indices("evenkeel_shared") {
            named(at, "shared");
        }
        edges
    }

    /// How a path into this place begins, seen from a file: a module's own file reaches its
    /// siblings by `super::` too, if it stands at the line's beginning and not in a module inside.
    fn prefixes(&self, source: &Source) -> Vec<String> {
        let depth = source.path.matches('/').count() - self.folder.matches('/').count();
        let mut prefixes = vec![self.prefix.to_owned()];
        if depth == 1 {
            prefixes.push("\nuse super::".to_owned());
            prefixes.push("\npub use super::".to_owned());
        } else {
            let up = "super::".repeat(depth);
            prefixes.push(format!("\nuse {up}"));
        }
        prefixes
    }
}

/// The first names of what follows a path's beginning: one, or those in its braces.
fn heads(rest: &str) -> Vec<&str> {
    let end =
        |text: &str| text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    let Some(list) = rest.strip_prefix('{') else { return vec![&rest[..end(rest)]] };
    let mut names = Vec::new();
    let (mut depth, mut fresh) = (0, true);
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => fresh = true,
            c if fresh && depth == 0 && !c.is_whitespace() => {
                names.push(&list[at..at + end(&list[at..])]);
                fresh = false;
            }
            _ => {}
        }
    }
    names
}

#[test]
fn names_in_braces_are_edges_too() {
    assert_eq!(heads("node::Parts;"), ["node"]);
    assert_eq!(heads("{logging, node::{self, Parts}, env};"), ["logging", "node", "env"]);
}
