//! How the controller's steps go, each from when it is first due until it has ended.
//!
//! Invariant: of every step that was due one end is told; one that was late is told of before, once.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use evenkeel_shared::ids::ShardId;
use evenkeel_shared::plan::StepStatus;

use super::plan::Step;

/// Steps that have ended and are still told of.
const ENDED_MAX: usize = 50;

/// One step on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tracked {
    /// The step.
    pub step: Step,
    /// How it stands.
    pub status: StepStatus,
    /// Since when, in milliseconds since 1970.
    pub since_unix_ms: u64,
    /// How often it was begun.
    pub tries: u32,
    /// What has kept it from being done.
    pub trouble: Option<String>,
}

/// Why a step was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undone {
    /// In words.
    pub why: String,
    /// Whether its time was over.
    pub timed_out: bool,
}

/// Every step that is due, and those that have ended of late.
#[derive(Clone, Debug, Default)]
pub struct Course {
    open: BTreeMap<String, Tracked>,
    ended: VecDeque<Tracked>,
}

impl Course {
    /// What is due now; whatever else was due has been called off, or another step has taken its
    /// place.
    pub fn due(&mut self, now: u64, steps: &[Step]) {
        let names: BTreeSet<String> = steps.iter().map(Step::name).collect();
        let gone: Vec<String> =
            self.open.keys().filter(|name| !names.contains(*name)).cloned().collect();
        let new = |step: &&Step| !self.open.contains_key(&step.name());
        let new: BTreeSet<ShardId> = steps.iter().filter(new).map(|step| step.shard).collect();
        for name in gone {
            let shard = self.open.get(&name).map(|known| known.step.shard);
            let replaced = shard.is_some_and(|shard| new.contains(&shard));
            let status = if replaced { StepStatus::Replaced } else { StepStatus::Cancelled };
            self.close(now, &name, status);
        }
        for (name, step) in steps.iter().map(|step| (step.name(), step)) {
            let known = self.open.entry(name).or_insert_with(|| Tracked {
                step: step.clone(),
                status: StepStatus::Created,
                since_unix_ms: now,
                tries: 0,
                trouble: None,
            });
            known.step.clone_from(step);
        }
    }

    /// It has to wait, and why.
    pub fn wait(&mut self, step: &Step, why: &str) {
        if let Some(known) = self.open.get_mut(&step.name()) {
            known.trouble = Some(why.to_owned());
        }
    }

    /// It is begun.
    pub fn begin(&mut self, now: u64, step: &Step) {
        if let Some(known) = self.open.get_mut(&step.name()) {
            (known.status, known.since_unix_ms) = (StepStatus::Started, now);
            known.tries += 1;
            known.trouble = None;
        }
    }

    /// It is done, or not: then it is due still. That its time was over is told, too, of the first
    /// try of which it was.
    pub fn end(&mut self, now: u64, step: &Step, outcome: Result<(), Undone>) {
        let name = step.name();
        match outcome {
            Ok(()) => self.close(now, &name, StepStatus::Success),
            Err(Undone { why, timed_out }) => {
                let Some(known) = self.open.get_mut(&name) else { return };
                known.trouble = Some(why);
                let told =
                    |it: &Tracked| it.step.name() == name && it.status == StepStatus::Timeout;
                if timed_out && !self.ended.iter().any(told) {
                    let late = Tracked {
                        status: StepStatus::Timeout,
                        since_unix_ms: now,
                        ..known.clone()
                    };
                    self.keep(late);
                }
                if let Some(known) = self.open.get_mut(&name) {
                    (known.status, known.since_unix_ms) = (StepStatus::Created, now);
                }
            }
        }
    }

    /// Another node is the controller: whatever is due, it does.
    pub fn hand_over(&mut self) {
        self.open.clear();
    }

    /// A step that is due or begun.
    pub fn of(&self, name: &str) -> Option<&Tracked> {
        self.open.get(name)
    }

    /// Those that have ended, the latest first.
    pub fn ended(&self) -> impl Iterator<Item = &Tracked> {
        self.ended.iter().rev()
    }

    fn close(&mut self, now: u64, name: &str, status: StepStatus) {
        let Some(mut known) = self.open.remove(name) else { return };
        (known.status, known.since_unix_ms) = (status, now);
        self.keep(known);
    }

    fn keep(&mut self, ended: Tracked) {
        if self.ended.len() >= ENDED_MAX {
            self.ended.pop_front();
        }
        self.ended.push_back(ended);
    }
}

#[cfg(test)]
mod tests {
    use evenkeel_shared::ids::{Epoch, NodeId, ShardId};

    use super::*;
    use crate::decide::plan::StepKind;

    fn add(shard: u32, node: u32) -> Step {
        let kind = StepKind::AddReplica { node: NodeId(node) };
        Step::new(ShardId(shard), Epoch(1), kind, "a test".to_owned())
    }

    fn ends(course: &Course) -> Vec<(String, StepStatus)> {
        course.ended().map(|known| (known.step.name(), known.status)).collect()
    }

    #[test]
    fn a_step_is_created_started_and_succeeds() {
        let mut course = Course::default();
        let step = add(1, 4);
        let due = std::slice::from_ref(&step);
        course.due(10, due);
        course.due(20, due);
        let known = course.of("s1.add.4").expect("it is due");
        assert_eq!((known.status, known.since_unix_ms), (StepStatus::Created, 10));
        course.begin(30, &step);
        assert_eq!(course.of("s1.add.4").map(|known| known.status), Some(StepStatus::Started));
        let trouble = Undone { why: "no leader".to_owned(), timed_out: false };
        course.end(40, &step, Err(trouble));
        let known = course.of("s1.add.4").expect("it is due still");
        assert_eq!(known.trouble.as_deref(), Some("no leader"));
        course.begin(50, &step);
        course.end(60, &step, Ok(()));
        assert_eq!(course.of("s1.add.4"), None);
        let last = course.ended().next().expect("it has ended");
        assert_eq!((last.status, last.since_unix_ms, last.tries), (StepStatus::Success, 60, 2));
    }

    #[test]
    fn what_is_no_longer_due_was_replaced_or_cancelled_and_late_ones_time_out() {
        let mut course = Course::default();
        course.due(1, &[add(1, 4), add(2, 4), add(3, 4)]);
        course.due(2, &[add(1, 5), add(3, 4)]);
        course.begin(3, &add(3, 4));
        let late = Undone { why: "its time is over".to_owned(), timed_out: true };
        course.end(4, &add(3, 4), Err(late));
        let told = [
            ("s3.add.4", StepStatus::Timeout),
            ("s2.add.4", StepStatus::Cancelled),
            ("s1.add.4", StepStatus::Replaced),
        ];
        assert_eq!(ends(&course), told.map(|(name, status)| (name.to_owned(), status)));
        course.hand_over();
        course.due(5, &[]);
        assert_eq!(ends(&course).len(), 3, "what another does has no end here");
        for at in 0..200 {
            course.due(at, &[add(u32::try_from(at).expect("small"), 1)]);
        }
        assert_eq!(ends(&course).len(), ENDED_MAX);
    }
}
