//! The plan as operators see it: what is due and how it stands, what waits for a word, what has ended.

use evenkeel_shared::error::AdminError;
use evenkeel_shared::ids::{ReplicaId, ShardId};
use evenkeel_shared::plan::{PlanView, StepStatus, StepView};
use evenkeel_shared::view::ClusterFacts;
use evenkeel_shared::what_if::{Change, WhatIf};
use evenkeel_shared::wire::deadline::Deadline;

use super::operator::Operator;
use super::step;
use crate::decide::course::{Course, Tracked};
use crate::decide::due::plan_now;
use crate::decide::plan::Step;
use crate::decide::what_if::Outlook;

impl Operator {
    /// What the controller would do now; any node can tell. How it has gone, only the controller.
    pub fn plan(&self) -> PlanView {
        let (facts, observed) = self.observer.observe();
        let policy = facts.recovery.policy();
        let plan = plan_now(&facts, &observed, &policy);
        let course = self.course();
        let now = observed.at_unix_ms;
        let fresh = |status| move |step: &Step| untracked(step, status, now);
        let due = plan.steps.iter().map(|step| match course.of(&step.name()) {
            Some(known) => known.clone(),
            None => untracked(step, StepStatus::Created, now),
        });
        let advised = plan.advised.iter().map(fresh(StepStatus::Advised));
        let held = plan.held.iter().map(fresh(StepStatus::Held));
        let steps = due.chain(advised).chain(held);
        let steps = steps.map(|known| view(&facts, &known)).collect();
        let ended = course.ended().map(|known| view(&facts, known)).collect();
        let system = observed.shards.get(&ShardId::SYSTEM);
        PlanView {
            revision: facts.revision,
            controller: system.and_then(|seen| seen.leader).map(ReplicaId::node),
            version: facts.recovery.version(),
            policy,
            steps,
            ended,
            declined: plan.declined,
            scheduled: facts.recovery.scheduled.clone(),
        }
    }

    /// What would come of several changes together; other work goes on meanwhile.
    pub async fn what_if(&self, changes: &[Change], by: Deadline) -> Result<WhatIf, AdminError> {
        let (facts, observed) = self.observer.observe();
        let outlook = Outlook::new(&facts, &observed, changes);
        let mut outlook = outlook.map_err(|why| AdminError::Refused { why })?;
        while !outlook.advance() {
            if by.is_over() {
                let why = "it was not worked out in time: ask with a longer --timeout".to_owned();
                return Err(AdminError::Unavailable { why });
            }
            tokio::task::yield_now().await;
        }
        Ok(outlook.tell())
    }

    /// How the controller's steps go, if this node is it.
    pub(super) fn course(&self) -> std::sync::MutexGuard<'_, Course> {
        self.course.lock().expect("no holder of this lock panics")
    }
}

/// A step of which nothing is known but that it is in the plan.
fn untracked(step: &Step, status: StepStatus, since_unix_ms: u64) -> Tracked {
    Tracked { step: step.clone(), status, since_unix_ms, tries: 0, trouble: None }
}

fn view(facts: &ClusterFacts, known: &Tracked) -> StepView {
    let Tracked { step, status, since_unix_ms, tries, trouble } = known;
    StepView {
        name: step.name(),
        shard: step.shard,
        what: step::describe(facts, &step.kind),
        cause: step.cause.clone(),
        price_bytes: step.price_bytes,
        inverse: step.inverse.clone(),
        rule: step.rule.map(|rule| rule.to_string()),
        status: *status,
        since_unix_ms: *since_unix_ms,
        tries: *tries,
        trouble: trouble.clone(),
    }
}
