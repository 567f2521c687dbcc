//! The palette: every key, node and shard, found by a few letters of its name.

use evenkeel_shared::ids::{NodeId, ShardId};
use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};

use super::{Model, acts};
use crate::tui::action::{BINDINGS, Binding, Command, Guard, Screen};

/// Entries that are listed at most.
pub(crate) const ENTRIES_MAX: usize = 100;

/// What can be found.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Entry {
    /// What a key does.
    Key(&'static Binding),
    /// A node, to be looked at.
    Node(NodeId),
    /// A shard, to be looked at.
    Shard(ShardId),
    /// What a key does, on a node.
    OnNode(&'static Binding, NodeId),
    /// What a key does, on a shard.
    OnShard(&'static Binding, ShardId),
}

/// One entry as it is listed.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// What it is.
    pub(crate) entry: Entry,
    /// Its name, as it is looked for.
    pub(crate) name: String,
    /// What it means.
    pub(crate) about: String,
    /// Why it can't be chosen now.
    pub(crate) refusal: Option<String>,
}

/// How well letters in this order fit a text; `None` when they are not in it.
pub(crate) fn score(letters: &str, text: &str) -> Option<u32> {
    let pattern = Pattern::parse(letters, CaseMatching::Ignore, Normalization::Smart);
    let mut buffer = Vec::new();
    let mut matcher = Matcher::new(Config::DEFAULT);
    pattern.score(Utf32Str::new(text, &mut buffer), &mut matcher)
}

/// The entries that fit, the best first.
pub(crate) fn found(model: &Model, letters: &str) -> Vec<Found> {
    let all = all(model);
    let letters = letters.trim();
    if letters.is_empty() {
        return all.into_iter().take(ENTRIES_MAX).collect();
    }
    let told = on_one(model, letters);
    if !told.is_empty() {
        return told;
    }
    let pattern = Pattern::parse(letters, CaseMatching::Ignore, Normalization::Smart);
    let mut matcher = Matcher::new(Config::DEFAULT);
    let mut buffer = Vec::new();
    let mut scored: Vec<(u32, usize, Found)> = Vec::new();
    for (place, found) in all.into_iter().enumerate() {
        let text = format!("{} {}", found.name, found.about);
        let score = pattern.score(Utf32Str::new(&text, &mut buffer), &mut matcher);
        // A name that begins so comes before one that merely holds the letters.
        let begins = u32::from(found.name.to_lowercase().starts_with(&letters.to_lowercase()));
        scored.extend(score.map(|score| (score + 1_000 * begins, place, found)));
    }
    scored.sort_by_key(|(score, place, _)| (std::cmp::Reverse(*score), *place));
    scored.into_iter().take(ENTRIES_MAX).map(|(.., found)| found).collect()
}

/// Keys and what they are to be pressed on: `kill n4`, `failover s3`.
fn on_one(model: &Model, letters: &str) -> Vec<Found> {
    let ends = [
        letters.rsplit_once(char::is_whitespace),
        letters.split_once(char::is_whitespace).map(|(name, verb)| (verb, name)),
    ];
    let found = ends.into_iter().flatten().map(|(verb, name)| on_named(model, verb.trim(), name));
    found.into_iter().find(|found| !found.is_empty()).unwrap_or_default()
}

fn on_named(model: &Model, verb: &str, name: &str) -> Vec<Found> {
    let cluster = model.shown();
    let named = |id: &NodeId| cluster.name(*id).eq_ignore_ascii_case(name);
    let node = cluster.node_ids().into_iter().find(named);
    let shards = cluster.view().into_iter().flat_map(|view| view.system.iter().chain(&view.shards));
    let mut ids = shards.map(|shard| shard.id);
    let shard = ids.find(|id| id.to_string().eq_ignore_ascii_case(name));
    let refusal = acts::closed(model);
    let mut found: Vec<(u32, Found)> = Vec::new();
    for line in BINDINGS.iter().filter(|line| line.guard == Guard::Locked) {
        let entry = match (node, shard) {
            (Some(node), _) if line.screens.contains(&Screen::Nodes) => Entry::OnNode(line, node),
            (_, Some(shard)) if line.screens.contains(&Screen::Shards) => {
                Entry::OnShard(line, shard)
            }
            _ => continue,
        };
        let begins = u32::from(line.name.starts_with(&verb.to_lowercase()));
        if let Some(score) = score(verb, line.name) {
            let name = format!("{} {name}", line.name);
            let about = line.help.to_owned();
            found.push((
                score + 1_000 * begins,
                Found { entry, name, about, refusal: refusal.clone() },
            ));
        }
    }
    found.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
    found.into_iter().map(|(_, found)| found).collect()
}

fn all(model: &Model) -> Vec<Found> {
    let keys = BINDINGS.iter().filter(|line| !moves(line.command)).map(|line| {
        let place = match line.screens {
            [] => String::new(),
            screens => {
                let names: Vec<&str> = screens.iter().map(|screen| screen.name()).collect();
                format!(" ({})", names.join(", "))
            }
        };
        let here = line.works_on(model.screen);
        let refusal = (line.guard == Guard::Locked && here)
            .then(|| acts::refusal(model, line.command))
            .flatten();
        let name = match line.command {
            Command::Show(screen) => format!("{} screen", screen.name()),
            _ => line.name.to_owned(),
        };
        Found { entry: Entry::Key(line), name, about: format!("{}{place}", line.help), refusal }
    });
    let cluster = model.shown();
    let nodes = cluster.node_ids().into_iter().map(|id| {
        let state = cluster.node(id).map(|node| node.state.to_string()).unwrap_or_default();
        Found { entry: Entry::Node(id), name: cluster.name(id), about: state, refusal: None }
    });
    let view = cluster.view();
    let shards = view.into_iter().flat_map(|view| view.system.iter().chain(&view.shards));
    let shards = shards.map(|shard| Found {
        entry: Entry::Shard(shard.id),
        name: shard.id.to_string(),
        about: format!("shard of {}", shard.keyspace_name),
        refusal: None,
    });
    keys.chain(nodes).chain(shards).collect()
}

/// Keys that are quicker pressed than looked for.
fn moves(command: Command) -> bool {
    matches!(
        command,
        Command::Up
            | Command::Down
            | Command::Top
            | Command::Bottom
            | Command::PageUp
            | Command::PageDown
            | Command::Left
            | Command::Right
            | Command::Open
            | Command::Back
            | Command::Palette
    )
}

/// The screen on which an entry is looked at or works.
pub(crate) fn screen(model: &Model, entry: Entry) -> Screen {
    match entry {
        Entry::Node(_) | Entry::OnNode(..) => Screen::Nodes,
        Entry::Shard(_) | Entry::OnShard(..) => Screen::Shards,
        Entry::Key(line) if line.works_on(model.screen) => model.screen,
        Entry::Key(line) => line.screens.first().copied().unwrap_or(model.screen),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_in_their_order_fit_and_others_do_not() {
        assert!(score("swov", "switchover").is_some());
        assert!(score("vows", "switchover").is_none());
    }
}
