//! A planned restart: leaderships are handed over first, and nobody should notice.

use std::time::Duration;

use evenkeel_shared::ids::NodeId;
use evenkeel_shared::preflight::Action;
use evenkeel_shared::view::{ClusterView, Maintenance, NodeState, RecoveryChange, ReplicaState};

use super::Drill;
use super::steps::leads;
use crate::drill::acts::whole_seconds;
use crate::drill::debts;
use crate::drill::error::DrillError;
use crate::drill::format::span;
use crate::drill::script::{Step, What, Whom};

/// How long leaderships may take to be handed over.
const HAND_OVER_MAX: Duration = Duration::from_secs(60);
/// How long a node may take to be in step again, its down time not counted.
const BACK_MAX: Duration = Duration::from_secs(120);

impl Drill {
    /// One node after another.
    pub(super) async fn restart(&mut self, step: &Step) -> Result<(), DrillError> {
        let acts = self.acts(step).await?;
        for name in acts.names {
            let one = Step { what: What::Restart(Whom::Named(name)), lasts: step.lasts };
            self.restart_one(&one).await?;
        }
        Ok(())
    }

    async fn restart_one(&mut self, step: &Step) -> Result<(), DrillError> {
        let acts = self.acts(step).await?;
        let actor = self.job.actor.clone();
        let Some((node, name)) = acts.nodes.first().copied().zip(acts.names.first()) else {
            return Ok(());
        };
        self.debts.maintained.insert(node, name.clone());
        let until = BACK_MAX + HAND_OVER_MAX + step.lasts;
        let what = self.link.act(&maintain(node, until, &actor), self.job.allowed, &actor).await?;
        self.done(what).await;
        let before = self
            .wait_until(HAND_OVER_MAX, |view| match leads(view, node) {
                0 => None,
                some => Some(format!("{name} still leads {some}")),
            })
            .await?;
        let started = incarnation(&before, node);
        let down_secs = whole_seconds(step.lasts);
        let down = Duration::from_secs(down_secs.into());
        let word = format!("{name} is started by its supervisor within {}", span(down));
        self.debts.killed.insert(node, word);
        self.link.away(&[node]);
        let kill = Action::Kill { node, down_secs: Some(down_secs) };
        let what = self.link.act(&kill, self.job.allowed, &actor).await?;
        self.done(what).await;
        self.wait_until(down + BACK_MAX, |view| not_back(view, node, started)).await?;
        self.debts.killed.remove(&node);
        self.link.back();
        let what = debts::end_maintenance(&self.link, node, &actor).await?;
        self.debts.maintained.remove(&node);
        self.done(format!("{name} is back; {what}")).await;
        self.wait_healthy(BACK_MAX).await
    }
}

fn maintain(node: NodeId, lasts: Duration, actor: &str) -> Action {
    let lasts_ms = u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX);
    let maintenance = Some(Maintenance {
        until_unix_ms: crate::clock::unix_ms().saturating_add(lasts_ms),
        by: actor.to_owned(),
        why: "restarted by a drill".to_owned(),
    });
    Action::Recover(RecoveryChange::Maintain { node, maintenance })
}

fn incarnation(view: &ClusterView, node: NodeId) -> Option<u64> {
    let known = view.nodes.iter().find(|known| known.id == node)?;
    known.incarnation.map(|incarnation| incarnation.0)
}

/// What a node still lacks to be in step after its restart.
fn not_back(view: &ClusterView, node: NodeId, before: Option<u64>) -> Option<String> {
    let known = view.nodes.iter().find(|known| known.id == node)?;
    let name = &known.name;
    if incarnation(view, node) <= before {
        return Some(format!("{name} has not been started again"));
    }
    if ![NodeState::Up, NodeState::Maint].contains(&known.state) {
        return Some(format!("{name} is {}", known.state));
    }
    let serves = [ReplicaState::Leader, ReplicaState::Follower];
    let mut copies = view.shards.iter().chain(&view.system).flat_map(|shard| {
        shard.replicas.iter().filter(|copy| copy.node == node).map(|copy| (shard.id, copy.state))
    });
    let behind = copies.find(|(_, state)| !serves.contains(state));
    behind.map(|(shard, state)| format!("the copy of {shard} on {name} is {state:?}"))
}
