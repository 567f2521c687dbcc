//! The HTTP gateway's port to the control plane: what is observed is what is shown, and what other
//! systems say is written down.

use std::sync::Arc;
use std::time::Duration;

use evenkeel_shared::event::{EventKind, Severity};
use evenkeel_shared::heartbeat::Report;
use evenkeel_shared::view::{ClusterView, FaultReport, RecoveryChange, SystemCommand};
use evenkeel_shared::wire::deadline::Deadline;

use crate::control::operator::Operator;
use crate::gateway::http::{Monitored, Said, Taken};

/// How long a report may take to be written down.
const REPORT_MAX: Duration = Duration::from_secs(5);

/// The control plane, for monitors.
pub struct Observations(pub Arc<Operator>);

impl Monitored for Observations {
    fn view(&self) -> ClusterView {
        self.0.observer.view()
    }

    fn report(&self) -> Report {
        self.0.observer.report()
    }

    fn now(&self) -> Duration {
        self.0.env.clock.now()
    }

    fn reported(&self, said: Said) -> Taken {
        let operator = self.0.clone();
        Box::pin(async move {
            let facts = operator.system.facts();
            let node = facts.node_named(&said.node).map(|node| node.id);
            let node = node.ok_or_else(|| format!("no node is named {}", said.node))?;
            let unix_ms = operator.env.clock.unix_ms();
            let what =
                format!("{} is reported by http/{}: {}", said.node, said.source, said.reason);
            let report = FaultReport {
                node,
                // So that nobody takes a person's word back this way.
                source: format!("http/{}", said.source),
                reason: said.reason,
                weight: said.weight,
                unix_ms,
                until_unix_ms: unix_ms.saturating_add(said.for_secs.saturating_mul(1_000)),
            };
            let change = SystemCommand::Recover(RecoveryChange::Report(report));
            let written = operator.system.change(change, Deadline::after(REPORT_MAX)).await;
            written.map_err(|error| error.to_string())?;
            let mut line = operator.journal.line(EventKind::Verdict, Severity::Warn, what);
            line.node = Some(node);
            "over HTTP".clone_into(&mut line.why);
            operator.journal.write(line);
            Ok(())
        })
    }
}
