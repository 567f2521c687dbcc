//! What a drill has done and not taken back yet: it is ended whatever becomes of the drill.

use std::collections::BTreeMap;
use std::time::Duration;

use evenkeel_shared::ids::NodeId;
use evenkeel_shared::preflight::{Action, Harm};
use evenkeel_shared::view::{ClusterView, IntentKind, IntentPhase, RecoveryChange};

use super::error::DrillError;
use super::link::{Acted, Link};

/// How long taking one thing back may take.
const TAKE_BACK_MAX: Duration = Duration::from_secs(120);
/// Between two looks at the cluster.
const LOOK: Duration = Duration::from_millis(100);

/// What is owed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Debts {
    /// Nodes on which a fault was begun, by name, and what ends it.
    pub(crate) faults: BTreeMap<NodeId, String>,
    /// Nodes that were killed, and when their supervisors start them again.
    pub(crate) killed: BTreeMap<NodeId, String>,
    /// Nodes in maintenance.
    pub(crate) maintained: BTreeMap<NodeId, String>,
    /// A backup that was put in the place of what is served.
    pub(crate) restored: Option<(String, String)>,
}

impl Debts {
    /// Takes everything back; what was done, in words. What could not be is said with what to try.
    /// No pre-flight's harm keeps it from that.
    pub(crate) async fn pay(&mut self, link: &Link, actor: &str) -> Vec<String> {
        let mut told = Vec::new();
        if let Some((archive, backup)) = self.restored.take() {
            told.push(match undo(link, (&archive, &backup), actor).await {
                Ok(()) => {
                    "the restore is undone: what was served before is served again".to_owned()
                }
                Err(error) => format!("NOT undone: {error}; try: `evenkeel restore undo`"),
            });
        }
        if !self.faults.is_empty() {
            told.push(match link.act(&Action::Heal, Harm::Break, actor).await {
                Ok(what) => what,
                Err(error) => format!("NOT healed: {error}; try: `evenkeel drill stop`"),
            });
        }
        told.extend(std::mem::take(&mut self.faults).into_values().filter(|word| !word.is_empty()));
        for (node, name) in std::mem::take(&mut self.maintained) {
            told.push(match end_maintenance(link, node, actor).await {
                Ok(what) => what,
                Err(error) => {
                    let hint = format!("`evenkeel node maintain {name} --end`");
                    format!("maintenance of {name} NOT ended: {error}; try: {hint}")
                }
            });
        }
        told.extend(std::mem::take(&mut self.killed).into_values());
        told
    }
}

/// Ends a node's maintenance.
pub(crate) async fn end_maintenance(
    link: &Link,
    node: NodeId,
    actor: &str,
) -> Result<String, DrillError> {
    let change = RecoveryChange::Maintain { node, maintenance: None };
    link.act(&Action::Recover(change), Harm::Break, actor).await
}

/// How far a restore of ours is.
pub(crate) fn phase(view: &ClusterView, of: (&str, &str)) -> Option<IntentPhase> {
    let ours = view.intents.iter().rfind(|intent| {
        let IntentKind::Restore { archive, backup, .. } = &intent.kind;
        (archive.as_str(), backup.as_str()) == of
    });
    ours.map(|intent| intent.phase.clone())
}

/// Puts back what a restore of ours has replaced, wherever it stands.
pub(crate) async fn undo(link: &Link, of: (&str, &str), actor: &str) -> Result<(), DrillError> {
    let over = crate::clock::now() + TAKE_BACK_MAX;
    let mut last = DrillError::unreachable("the undo is still under way");
    loop {
        match link.view().await.map(|view| phase(&view, of)) {
            Ok(None | Some(IntentPhase::Failed(_))) => return Ok(()),
            Ok(Some(IntentPhase::Building | IntentPhase::Complete)) => {
                // The drill was confirmed as one that drops writes.
                match link.begin(&Action::RestoreUndo, Harm::Break, actor).await {
                    Ok(Acted::Done(_)) => return Ok(()),
                    Ok(Acted::Unanswered(why)) => last = DrillError::unreachable(why),
                    Err(error) => last = error,
                }
            }
            Ok(Some(_)) => {}
            Err(error) => last = error,
        }
        if crate::clock::now() >= over {
            return Err(last);
        }
        tokio::time::sleep(LOOK).await;
    }
}
