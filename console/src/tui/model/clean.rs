//! Text from agents, made fit for a terminal: no control characters, no bidirectional overrides.
//!
//! Everything is cleaned once, as it arrives; views may then print what they find.

use evenkeel_shared::error::AdminError;
use evenkeel_shared::event::Event;
use evenkeel_shared::heartbeat::Report;
use evenkeel_shared::preflight::{Outcome, Preflight};
use evenkeel_shared::view::{ClusterView, IntentKind, IntentPhase, NodeView};

/// Longest text that is kept of one field; more could not be shown.
const CHARS_MAX: usize = 500;

/// The text without what would steer the terminal; line ends become spaces.
pub(crate) fn text(raw: &str) -> String {
    raw.chars()
        .take(CHARS_MAX)
        .filter_map(|c| match c {
            '\n' | '\t' => Some(' '),
            c if steers(c) => None,
            c => Some(c),
        })
        .collect()
}

/// Control characters, invisible ones, and those that turn the direction of the line.
fn steers(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}'
        )
}

/// Cleans one field.
pub(crate) fn scrub(field: &mut String) {
    if field.len() > CHARS_MAX || field.chars().any(steers) {
        *field = text(field);
    }
}

/// Cleans a report.
pub(crate) fn report(report: &mut Report) {
    scrub(&mut report.name);
}

/// Cleans a journal line.
pub(crate) fn event(event: &mut Event) {
    scrub(&mut event.what);
    scrub(&mut event.why);
}

/// Cleans a view of the cluster.
pub(crate) fn view(view: &mut ClusterView) {
    view.nodes.iter_mut().for_each(node);
    for shard in view.shards.iter_mut().chain(view.system.as_mut()) {
        scrub(&mut shard.keyspace_name);
    }
    for intent in &mut view.intents {
        scrub(&mut intent.cause);
        let IntentKind::Restore { archive, backup, .. } = &mut intent.kind;
        scrub(archive);
        scrub(backup);
        if let IntentPhase::Failed(why) = &mut intent.phase {
            scrub(why);
        }
    }
    for backup in &mut view.backups {
        scrub(&mut backup.id);
        scrub(&mut backup.archive);
    }
}

fn node(node: &mut NodeView) {
    scrub(&mut node.name);
    scrub(&mut node.zone);
    scrub(&mut node.why);
    scrub(&mut node.addresses.rpc);
    let addresses = &mut node.addresses;
    let others = [&mut addresses.resp, &mut addresses.resp_cluster, &mut addresses.http];
    others.into_iter().flatten().for_each(scrub);
}

/// Cleans a pre-flight.
pub(crate) fn preflight(preflight: &mut Preflight) {
    scrub(&mut preflight.title);
    preflight.notes.iter_mut().for_each(scrub);
    preflight.refused.iter_mut().for_each(scrub);
    preflight.safer.iter_mut().for_each(scrub);
}

/// What came of an act, as a sentence.
pub(crate) fn outcome(outcome: &Outcome) -> String {
    text(&outcome.what)
}

/// An error, as a sentence.
pub(crate) fn error(error: &AdminError) -> String {
    text(&error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_lose_what_makes_them_work() {
        assert_eq!(text("n1\x1b[31m\x07\u{202e}\u{9b}x\ny"), "n1[31mx y");
    }
}
