//! What each step does. Whatever has to be taken back is written down before it is done.

use std::time::Duration;

use evenkeel_shared::ids::NodeId;
use evenkeel_shared::preflight::Harm;
use evenkeel_shared::view::ClusterView;

use super::Drill;
use crate::drill::acts::{self, Acts};
use crate::drill::debts;
use crate::drill::error::DrillError;
use crate::drill::format::{list, span};
use crate::drill::plan::not_whole;
use crate::drill::script::{Step, What};

/// After a fault, at least so long is watched: a second gap may follow the first.
const WINDOW: Duration = Duration::from_secs(2);
/// A shard that takes no write for so long is reported with that gap, and the drill goes on.
const OUTAGE_MAX: Duration = Duration::from_secs(60);
/// Between two looks at the cluster.
const LOOK: Duration = Duration::from_millis(100);

impl Drill {
    /// One step, from its beginning to its end.
    pub(super) async fn carry_out_step(&mut self, step: &Step) -> Result<(), DrillError> {
        match &step.what {
            What::Kill(_) | What::Freeze(_) | What::Cut(_) | What::StallDisk(_) => {
                self.strike(step).await
            }
            What::Slow { .. } => self.strike(step).await,
            What::Switchover(_) => self.switch_over(step).await,
            What::Restart(_) => self.restart(step).await,
            What::Backup { .. } => self.back_up().await,
            What::RestoreAndUndo => self.rehearse().await,
            What::WaitHealthy => self.wait_healthy(step.lasts).await,
            What::Pause => {
                tokio::time::sleep(step.lasts).await;
                Ok(())
            }
        }
    }

    /// Has something go wrong, and watches until it is over and every shard takes writes.
    async fn strike(&mut self, step: &Step) -> Result<(), DrillError> {
        let acts = self.acts(step).await?;
        let lasts = Duration::from_secs(acts::whole_seconds(step.lasts).into());
        self.link.away(&acts.nodes);
        for (node, name) in acts.nodes.iter().zip(&acts.names) {
            match &step.what {
                What::Kill(_) => {
                    let word =
                        format!("{name} is started by its supervisor within {}", span(lasts));
                    self.debts.killed.insert(*node, word);
                }
                What::Freeze(_) => {
                    let word = format!("{name} is let go by its supervisor within {}", span(lasts));
                    self.debts.faults.insert(*node, word);
                }
                _ => drop(self.debts.faults.insert(*node, String::new())),
            }
        }
        let begun = crate::clock::now();
        for action in &acts.actions {
            let what = self.link.act(action, self.job.allowed, &self.job.actor).await?;
            self.done(what).await;
        }
        self.hold(begun, lasts).await;
        // They end by themselves, on the clocks of the agents that have them.
        self.wait_until(WINDOW * 5, |view| {
            let drilled = |node: &&evenkeel_shared::view::NodeView| {
                acts.nodes.contains(&node.id)
                    && node.load.as_ref().is_some_and(|load| load.drill.is_some())
            };
            view.nodes.iter().find(drilled).map(|node| format!("a drill is on {}", node.name))
        })
        .await?;
        self.debts.faults.clear();
        self.debts.killed.clear();
        Ok(())
    }

    /// Waits until so long after a moment, and until every probed shard has taken a write then.
    pub(super) async fn hold(&self, begun: Duration, lasts: Duration) {
        let over = begun + lasts.max(WINDOW);
        tokio::time::sleep(over.saturating_sub(crate::clock::now())).await;
        if let Some(probe) = &self.probe {
            probe.watch.alive(&probe.shards(), over, OUTAGE_MAX).await;
        }
    }

    /// Hands all leaderships of a node over, and lets it lead again afterwards.
    async fn switch_over(&mut self, step: &Step) -> Result<(), DrillError> {
        let acts = self.acts(step).await?;
        let begun = crate::clock::now();
        for (node, name) in acts.nodes.iter().zip(&acts.names) {
            self.debts.maintained.insert(*node, name.clone());
        }
        for action in &acts.actions {
            let what = self.link.act(action, self.job.allowed, &self.job.actor).await?;
            self.done(what).await;
        }
        self.hold(begun, step.lasts).await;
        for node in &acts.nodes {
            let what = debts::end_maintenance(&self.link, *node, &self.job.actor).await?;
            self.debts.maintained.remove(node);
            self.done(what).await;
        }
        Ok(())
    }

    /// The acts of a step as things stand now, unless they break what was not confirmed.
    pub(super) async fn acts(&self, step: &Step) -> Result<Acts, DrillError> {
        let view = self.link.view().await?;
        let acts = acts::of(&view, step)?;
        if !acts.quorum_lost.is_empty() && self.job.allowed < Harm::Break {
            let shards = list(&acts.quorum_lost);
            return Err(DrillError::refused(
                format!("{step}: {shards} would lose their quorum"),
                "`evenkeel status`: the cluster must be whole",
            ));
        }
        Ok(acts)
    }

    pub(super) async fn wait_healthy(&self, most: Duration) -> Result<(), DrillError> {
        self.wait_until(most, not_whole).await.map(drop)
    }

    /// Asks until nothing is missing.
    pub(super) async fn wait_until(
        &self,
        most: Duration,
        mut missing: impl FnMut(&ClusterView) -> Option<String>,
    ) -> Result<ClusterView, DrillError> {
        let over = crate::clock::now() + most;
        loop {
            let still = match self.link.view().await {
                Ok(view) => match missing(&view) {
                    None => return Ok(view),
                    Some(still) => still,
                },
                Err(error) => error.to_string(),
            };
            if crate::clock::now() >= over {
                return Err(DrillError::refused(
                    format!("not done within {}: {still}", span(most)),
                    "`evenkeel status`; a longer `for` in the script",
                ));
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// Whether a node leads anything.
pub(super) fn leads(view: &ClusterView, node: NodeId) -> usize {
    view.shards.iter().chain(&view.system).filter(|shard| shard.leader == Some(node)).count()
}
