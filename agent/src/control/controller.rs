//! The control loop, on the leader of the system shard: observe, decide, act, in idempotent steps.
//!
//! Every node observes all the time, so that a new controller starts warm.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use evenkeel_shared::error::StoreError;
use evenkeel_shared::event::{EventKind, Severity};
use evenkeel_shared::ids::{History, KeyspaceId, ShardId};
use evenkeel_shared::key::SlotRange;
use evenkeel_shared::view::{ClusterFacts, KeyspaceFacts, NodeState, ShardPhase, SystemCommand};
use evenkeel_shared::wire::deadline::Deadline;
use futures::future::join_all;
use tokio::task::JoinHandle;

use super::operator::Operator;
use super::{reconcile, restore, schedule, step};
use crate::decide::budget::Budget;
use crate::decide::due::plan_now;
use crate::decide::facts::Observed;
use crate::decide::placement::{Spread, candidates, place};
use crate::decide::plan::{Plan, Step, StepKind};

/// Between two rounds.
const ROUND: Duration = Duration::from_millis(250);
/// How often a node looks that is not the controller and where nothing has changed: it only notes
/// since when each state holds.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A new controller looks for this long before it acts: heartbeats must have come.
const WARM_UP: Duration = Duration::from_millis(1_500);
/// The first shards are placed when no node has joined for this long.
const SETTLED_AFTER: Duration = Duration::from_secs(1);
/// A reason for doing nothing that has not come again for this long is news when it does.
const DECLINED_KEPT: Duration = Duration::from_secs(60);
/// How long after a failed hand-over the next one waits.
const REST: Duration = Duration::from_secs(5);
/// How long one step may take.
const STEP_MAX: Duration = Duration::from_secs(20);

/// Observes, decides and acts.
pub struct Controller {
    operator: Arc<Operator>,
    /// Since when this node leads the system shard.
    leads_since: Option<Duration>,
    /// The number of nodes, and since when it is that.
    nodes: (usize, Duration),
    /// What was declined, and when last: each reason is written once, however often it comes.
    declined: BTreeMap<(ShardId, String), Duration>,
    /// Shards whose hand-over failed, and until when it is not tried again.
    rested: BTreeMap<ShardId, Duration>,
    /// What repair may move now.
    budget: Budget,
    /// Restores go on beside the rounds: filling shards takes long, and repair must not wait.
    restoring: Option<JoinHandle<()>>,
}

impl Drop for Controller {
    fn drop(&mut self) {
        self.stop_restoring();
    }
}

impl Controller {
    /// A controller that has not looked yet.
    pub fn new(operator: Arc<Operator>) -> Self {
        let nodes = (0, Duration::ZERO);
        let (declined, rested) = (BTreeMap::new(), BTreeMap::new());
        let (budget, leads_since, restoring) = (Budget::default(), None, None);
        Self { operator, leads_since, nodes, declined, rested, budget, restoring }
    }

    /// Runs for ever; only looks while another node leads the system shard.
    pub async fn run(mut self) {
        let mut looked = Duration::ZERO;
        let mut standing = self.operator.observer.standing();
        loop {
            tokio::time::sleep(ROUND).await;
            let now = self.operator.env.clock.now();
            if !self.operator.observer.is_controller() {
                self.leads_since = None;
                self.stop_restoring();
                self.operator.course().hand_over();
                let changed = standing.has_changed().unwrap_or(false);
                if changed || now.saturating_sub(looked) >= LOOK_EVERY {
                    looked = now;
                    standing.mark_unchanged();
                    self.operator.observer.observe();
                }
                continue;
            }
            let (facts, observed) = self.operator.observer.observe();
            if self.nodes.0 != facts.nodes.len() {
                self.nodes = (facts.nodes.len(), now);
            }
            let since = *self.leads_since.get_or_insert(now);
            let founding = facts.shards.len() <= 1;
            if founding || now.saturating_sub(since) >= WARM_UP {
                self.round(now, &facts, &observed).await;
            }
        }
    }

    async fn round(&mut self, now: Duration, facts: &ClusterFacts, observed: &Observed) {
        let by = Deadline::after(STEP_MAX);
        reconcile::reconcile(&self.operator.system, facts, observed, by).await;
        if now.saturating_sub(self.nodes.1) >= SETTLED_AFTER {
            for keyspace in facts.keyspaces.values() {
                if !facts.shards.values().any(|shard| shard.keyspace == keyspace.id) {
                    self.place_first(facts, observed, keyspace, by).await;
                }
            }
        }
        self.drive_restores(facts, by);
        schedule::run_due(&self.operator, facts, observed).await;
        let policy = facts.recovery.policy();
        let plan = plan_now(facts, observed, &policy);
        self.note_declined(now, &plan);
        let p99 = observed.nodes.values().filter_map(|node| node.load.as_ref()?.write_p99_us).max();
        self.operator.course().due(observed.at_unix_ms, &plan.steps);
        let (steps, waiting) = self.budget.admit(now, &policy, p99, plan.steps);
        for (step, why) in waiting {
            self.operator.course().wait(&step, &why);
            self.note(now, step.shard, why);
        }
        // A hand-over that failed held writes for a moment: the next one is not for a while.
        self.rested.retain(|_, until| now < *until);
        let hands_over = |next: &Step| matches!(next.kind, StepKind::TransferLeader { .. });
        let rests = |next: &&Step| hands_over(next) && self.rested.contains_key(&next.shard);
        let steps: Vec<&Step> = steps.iter().filter(|next| !rests(next)).collect();
        let by = Deadline::after(STEP_MAX);
        let acting = steps.iter().map(|next| step::act(&self.operator, facts, observed, next, by));
        let done = join_all(acting).await;
        for (next, done) in steps.into_iter().zip(done) {
            if done.is_err() && hands_over(next) {
                self.rested.insert(next.shard, now + REST);
            }
        }
    }

    async fn place_first(
        &self,
        facts: &ClusterFacts,
        observed: &Observed,
        keyspace: &KeyspaceFacts,
        by: Deadline,
    ) {
        // A cluster that is just being founded waits for all of its nodes; later ones don't wait
        // for one that is down.
        let founding = facts.shards.len() <= 1;
        if founding && facts.nodes.keys().any(|node| observed.state(*node) != NodeState::Up) {
            return;
        }
        let ranges = SlotRange::split_all(keyspace.shards);
        let ranges = ranges.into_iter().map(|range| vec![range]).collect();
        match self.operator.create_shards(facts, observed, keyspace.id, ranges, by).await {
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "can't place the first shards"),
        }
    }

    /// Another controller goes on where the intent stands.
    fn stop_restoring(&mut self) {
        if let Some(restoring) = self.restoring.take() {
            restoring.abort();
        }
    }

    fn drive_restores(&mut self, facts: &ClusterFacts, by: Deadline) {
        let under_way = self.restoring.as_ref().is_some_and(|task| !task.is_finished());
        if facts.intents.is_empty() || under_way {
            return;
        }
        let (operator, facts) = (self.operator.clone(), facts.clone());
        self.restoring =
            Some(tokio::spawn(async move { restore::drive(&operator, &facts, by).await }));
    }

    /// Writes each reason for doing nothing once, and again when it had been gone for a while.
    fn note_declined(&mut self, now: Duration, plan: &Plan) {
        self.declined.retain(|_, last| now.saturating_sub(*last) < DECLINED_KEPT);
        for (shard, why) in &plan.declined {
            self.note(now, *shard, why.clone());
        }
        for step in &plan.advised {
            let name = step.name();
            let why =
                format!("{}: \"{}\" waits for `evenkeel plan apply {name}`", step.cause, step.kind);
            self.note(now, step.shard, why);
        }
    }

    fn note(&mut self, now: Duration, shard: ShardId, why: String) {
        // How long a node is down is a new figure each second, and no news.
        let same = why.replace(|c: char| c.is_ascii_digit(), "");
        if self.declined.insert((shard, same), now).is_none() {
            let journal = &self.operator.journal;
            let what = format!("{shard}: nothing is done now");
            let mut line = journal.line(EventKind::Placement, Severity::Warn, what);
            line.shard = Some(shard);
            line.why = why;
            journal.write(line);
        }
    }
}

impl Operator {
    /// Creates shards for these slots, spread over nodes and zones; gives back their history.
    pub(super) async fn create_shards_as(
        &self,
        facts: &ClusterFacts,
        observed: &Observed,
        new: NewShards,
        by: Deadline,
    ) -> Result<History, StoreError> {
        let spread = Spread {
            replicas: facts.keyspaces.get(&new.keyspace).map_or(1, |known| known.policy.replicas),
            zones: facts.promise(new.keyspace).zones,
        };
        let count = u16::try_from(new.slots.len()).unwrap_or(u16::MAX);
        let placement = place(&candidates(facts, observed), count, spread);
        if placement.shards.iter().any(Vec::is_empty) {
            let why = "no node can take copies now".to_owned();
            return Err(StoreError::Unavailable { why });
        }
        for note in &placement.notes {
            let mut line = self.journal.line(
                EventKind::Placement,
                Severity::Warn,
                "placement is not as it should be",
            );
            line.why.clone_from(note);
            self.journal.write(line);
        }
        let highest = facts.shards.values().map(|shard| shard.history.number).max();
        let history = History { number: highest.unwrap_or(0) + 1, salt: self.env.rng.next_u64() };
        let command = SystemCommand::CreateShards {
            keyspace: new.keyspace,
            history,
            phase: new.phase,
            shards: new.slots.into_iter().zip(placement.shards).collect(),
        };
        self.system.change(command, by).await?;
        Ok(history)
    }

    async fn create_shards(
        &self,
        facts: &ClusterFacts,
        observed: &Observed,
        keyspace: KeyspaceId,
        slots: Vec<Vec<SlotRange>>,
        by: Deadline,
    ) -> Result<History, StoreError> {
        let new = NewShards { keyspace, phase: ShardPhase::Serving, slots };
        self.create_shards_as(facts, observed, new, by).await
    }
}

/// Shards to be created.
pub(super) struct NewShards {
    /// Whose keys they hold.
    pub(super) keyspace: KeyspaceId,
    /// Serving, or beside.
    pub(super) phase: ShardPhase,
    /// The slots of each.
    pub(super) slots: Vec<Vec<SlotRange>>,
}

#[cfg(test)]
mod tests {
    use crate::decide::large::lose_a_zone;
    use crate::env::clock::{Clock as _, SystemClock};

    /// For a figure, not for a verdict: `cargo test --release -p evenkeel-agent --lib how_long --
    /// --ignored --nocapture`.
    #[test]
    #[ignore = "it measures; decide::large holds the same story to its promises"]
    fn how_long_plans_of_a_hundred_nodes_take() {
        let clock = SystemClock::default();
        lose_a_zone(&|| clock.now());
    }
}
