//! Turns what the pulse notices into journal lines.

use std::sync::Arc;

use evenkeel_shared::event::{EventKind, Severity};
use evenkeel_shared::ids::NodeId;
use tokio::sync::mpsc;

use super::parts::Parts;
use crate::decide::detector::VerdictState;
use crate::heartbeat::PulseEvent;

/// Writes lines for as long as there are events.
pub(super) async fn write(parts: Arc<Parts>, mut events: mpsc::UnboundedReceiver<PulseEvent>) {
    while let Some(event) = events.recv().await {
        match event {
            PulseEvent::Leads { shard, term, stood } => {
                let me = name(&parts, parts.membership.node);
                let what = format!("{me} leads {shard}, term {term}");
                let mut line = parts.control.journal.line(EventKind::Leader, Severity::Info, what);
                line.shard = Some(shard);
                line.node = Some(parts.membership.node);
                match stood {
                    Some((cause, took, phases)) => {
                        let cause = cause.words(|node| name(&parts, node));
                        line.why = format!("{cause} {phases}");
                        line.took_us = u64::try_from(took.as_micros()).ok();
                    }
                    // Nobody led it before, so nobody can have handed it over.
                    None if term == 1 => "the shard's first leader".clone_into(&mut line.why),
                    None => "leadership was handed over".clone_into(&mut line.why),
                }
                parts.control.journal.write(line);
            }
            PulseEvent::Verdict { node, before, verdict, restarted } => {
                // Every node judges; the controller writes the lines, so that each stands once.
                // A node that was never seen alive is not news.
                let news = before != verdict.state || restarted;
                if !news || !parts.system_group.is_leader() {
                    continue;
                }
                let (severity, word) = match verdict.state {
                    VerdictState::Alive if restarted => (Severity::Info, "is back, restarted"),
                    VerdictState::Alive => (Severity::Info, "is alive"),
                    VerdictState::Suspect => (Severity::Warn, "is suspect"),
                    VerdictState::Dead => (Severity::Alarm, "is held dead"),
                };
                let what = format!("{} {word}", name(&parts, node));
                let mut line = parts.control.journal.line(EventKind::Verdict, severity, what);
                line.node = Some(node);
                line.why = verdict.evidence.to_string();
                parts.control.journal.write(line);
            }
        }
    }
}

fn name(parts: &Parts, node: NodeId) -> String {
    let facts = parts.facts.borrow().clone();
    facts.nodes.get(&node).map_or_else(|| node.to_string(), |node| node.name.clone())
}
