//! What the agents were asked beside what they send by themselves: who would lead a shard next, what
//! speaks against a node, what the controller does.
//!
//! An answer is shown for what it was asked about only, and its age with it.

use std::collections::{BTreeMap, BTreeSet};

use evenkeel_shared::dossier::Dossier;
use evenkeel_shared::explain::Explanation;
use evenkeel_shared::ids::{NodeId, ShardId};
use evenkeel_shared::plan::PlanView;
use evenkeel_shared::preflight::Preflight;

use super::track::Heard;

/// How old an answer may be before it is asked for again.
const ASK_AGAIN_MS: u64 = 1_500;
/// How long an answer is waited for.
const GIVE_UP_MS: u64 = 5_000;

/// Between two questions what the loss of a node would do.
const FORESEE_EVERY_MS: u64 = 2_000;

/// The newest answer to one question, and since when another is waited for.
#[derive(Clone, Debug)]
pub(crate) struct Answer<K, T> {
    known: Option<(K, Heard<Result<T, String>>)>,
    asked: Option<(K, u64)>,
}

impl<K, T> Default for Answer<K, T> {
    fn default() -> Self {
        Self { known: None, asked: None }
    }
}

impl<K: Copy + PartialEq, T> Answer<K, T> {
    /// Whether it is time to ask about this; if so it counts as asked.
    pub(crate) fn is_due(&mut self, about: K, now: u64) -> bool {
        let waiting =
            |(key, since): &(K, u64)| *key == about && now.saturating_sub(*since) < GIVE_UP_MS;
        if self.asked.as_ref().is_some_and(waiting) {
            return false;
        }
        let known = self.known.as_ref().filter(|(key, _)| *key == about);
        if known.is_some_and(|(_, heard)| heard.age(now) < ASK_AGAIN_MS) {
            return false;
        }
        self.asked = Some((about, now));
        true
    }

    /// Takes an answer.
    pub(crate) fn take(&mut self, about: K, value: Result<T, String>, now: u64) {
        if self.asked.is_some_and(|(key, _)| key == about) {
            self.asked = None;
        }
        self.known = Some((about, Heard { value, at: now }));
    }

    /// What was answered about this.
    pub(crate) fn about(&self, about: K) -> Option<&Heard<Result<T, String>>> {
        self.known.as_ref().filter(|(key, _)| *key == about).map(|(_, heard)| heard)
    }
}

/// What the loss of each node would do, asked about one node after another.
#[derive(Clone, Debug, Default)]
pub(crate) struct Foreseen {
    known: BTreeMap<NodeId, Heard<Preflight>>,
    asked: Option<u64>,
}

impl Foreseen {
    /// The node to ask about now: the one whose answer is oldest. Agents remember what they were
    /// asked, for whoever confirms an act: they must not be made to forget it.
    pub(crate) fn next(
        &mut self,
        nodes: impl FnOnce() -> BTreeSet<NodeId>,
        now: u64,
    ) -> Option<NodeId> {
        if self.asked.is_some_and(|at| now.saturating_sub(at) < FORESEE_EVERY_MS) {
            return None;
        }
        let nodes = nodes();
        self.known.retain(|node, _| nodes.contains(node));
        let oldest = nodes.iter().min_by_key(|node| self.known.get(node).map(|heard| heard.at));
        self.asked = oldest.map(|_| now);
        oldest.copied()
    }

    /// Nodes have come or gone, or shards lost copies: nothing of it holds any more.
    pub(crate) fn forget(&mut self) {
        self.known.clear();
    }

    /// Takes an answer.
    pub(crate) fn take(&mut self, node: NodeId, preflight: Preflight, now: u64) {
        self.known.insert(node, Heard { value: preflight, at: now });
    }

    /// What is known of a node, unless the cluster has changed since.
    pub(crate) fn of(&self, node: NodeId, revision: u64) -> Option<&Preflight> {
        let known = self.known.get(&node).map(|heard| &heard.value)?;
        (known.revision == revision).then_some(known)
    }
}

/// All of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answers {
    /// What the loss of each node would do.
    pub(crate) foreseen: Foreseen,
    /// Who would lead a shard next, and why.
    pub(crate) explained: Answer<ShardId, Box<Explanation>>,
    /// What speaks for and against a node.
    pub(crate) judged: Answer<NodeId, Box<Dossier>>,
    /// What the controller does.
    pub(crate) plan: Answer<(), Box<PlanView>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_take_turns_and_an_old_cluster_says_nothing_of_the_new_one() {
        let nodes = BTreeSet::from([NodeId(1), NodeId(2)]);
        let mut foreseen = Foreseen::default();
        assert_eq!(foreseen.next(|| nodes.clone(), 0), Some(NodeId(1)));
        assert_eq!(foreseen.next(|| nodes.clone(), 100), None, "not so often");
        foreseen.take(NodeId(1), Preflight { revision: 7, ..Preflight::default() }, 100);
        assert_eq!(foreseen.next(|| nodes.clone(), 2_000), Some(NodeId(2)));
        assert!(foreseen.of(NodeId(1), 7).is_some() && foreseen.of(NodeId(1), 8).is_none());
    }

    #[test]
    fn one_question_at_a_time_and_another_subject_at_once() {
        let mut answer: Answer<u8, ()> = Answer::default();
        assert!(answer.is_due(1, 0) && !answer.is_due(1, 100));
        assert!(answer.is_due(2, 100), "another subject");
        answer.take(2, Ok(()), 200);
        assert!(answer.about(1).is_none() && answer.about(2).is_some());
        assert!(!answer.is_due(2, 300) && answer.is_due(2, 1_700));
        assert!(answer.is_due(2, 6_700), "the last one was never answered");
    }
}
