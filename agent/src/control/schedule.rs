//! Acts that wait for their time: done by the controller, once, with a pre-flight of that moment.

use std::time::Duration;

use evenkeel_shared::event::{EventKind, Severity};
use evenkeel_shared::preflight::Action;
use evenkeel_shared::view::{ClusterFacts, Later, RecoveryChange, Scheduled, SystemCommand};
use evenkeel_shared::wire::deadline::Deadline;

use super::operator::Operator;
use crate::decide::facts::Observed;

/// How long one of them may take.
const ACT_MAX: Duration = Duration::from_secs(20);

/// Does what is due. It is taken off the list first: an act that failed is written down, and not
/// tried again at a time that nobody chose.
pub(super) async fn run_due(
    operator: &std::sync::Arc<Operator>,
    facts: &ClusterFacts,
    observed: &Observed,
) {
    let due = facts.recovery.scheduled.iter();
    let due: Vec<Scheduled> =
        due.filter(|it| it.at_unix_ms <= observed.at_unix_ms).cloned().collect();
    for Scheduled { id, what, by: asker, .. } in due {
        let by = Deadline::after(ACT_MAX);
        let change = RecoveryChange::Unschedule { id };
        if operator.system.change(SystemCommand::Recover(change), by).await.is_err() {
            continue;
        }
        let action = match what {
            Later::Switchover { shard, to } => Action::Switchover { shard, to },
            Later::NodeSwitchover { node } => Action::NodeSwitchover { node },
        };
        // Beside the round: repair must not wait for it.
        let operator = operator.clone();
        tokio::spawn(async move {
            let actor = format!("{asker}, scheduled as number {id}");
            let outcome = match operator.preflight(&action).await {
                Ok(flight) => operator.act(action, flight.revision, &actor, by).await.map(|_| ()),
                Err(error) => Err(error),
            };
            if let Err(error) = outcome {
                let what = format!("number {id} was not done: {error}");
                let mut line = operator.journal.line(EventKind::Audit, Severity::Alarm, what);
                line.why = format!("asked by {actor}");
                operator.journal.write(line);
            }
        });
    }
}
