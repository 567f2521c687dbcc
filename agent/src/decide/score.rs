//! How verdicts turn out: a detector that is never wrong is too slow, and one that often is costs
//! elections; operators should see which of the two theirs is.
//!
//! Invariant: each verdict is counted once, when its outcome is known.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use evenkeel_shared::dossier::Score;
use evenkeel_shared::ids::NodeId;

use super::detector::{VerdictChange, VerdictState};

/// Whoever stays silent for so long after the verdict was rightly held dead.
const SURE: Duration = Duration::from_secs(1);
/// A verdict that a node is slow lasts ten seconds longer than what it saw: one that is over sooner
/// than this saw a hiccup.
const HICCUP: Duration = Duration::from_secs(12);
/// Whoever was slow and dies within so long was about to.
const FORESEEN: Duration = Duration::from_secs(60);
/// Detection times that are kept.
const KEPT: usize = 200;

/// The verdicts of one observer.
#[derive(Clone, Debug, Default)]
pub struct Scores {
    /// Verdicts whose outcome is not known yet.
    open: BTreeMap<NodeId, Duration>,
    right: u32,
    wrong: u32,
    detected: VecDeque<Duration>,
    /// Since when nodes are held slow, and since when no more.
    slow: BTreeMap<NodeId, (Duration, Option<Duration>)>,
    slow_right: u32,
    slow_wrong: u32,
    leads: VecDeque<Duration>,
}

/// The latest ones are kept.
fn keep(times: &mut VecDeque<Duration>, time: Duration) {
    if times.len() >= KEPT {
        times.pop_front();
    }
    times.push_back(time);
}

fn median_us(times: &VecDeque<Duration>) -> Option<u64> {
    let mut times: Vec<Duration> = times.iter().copied().collect();
    times.sort_unstable();
    times.get(times.len() / 2).map(micros)
}

fn micros(time: &Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

impl Scores {
    /// A verdict has changed; `silence` is how long the node had not been heard, if it ever was.
    pub fn take(&mut self, now: Duration, change: &VerdictChange, silence: Option<Duration>) {
        let is_dead = change.verdict.state == VerdictState::Dead;
        if change.restarted && self.slow.remove(&change.node).is_some() {
            // Its process was gone, seen or not.
            self.slow_right += 1;
        }
        if is_dead && change.before != VerdictState::Dead {
            // Who was never heard is no news.
            let Some(silence) = silence else { return };
            self.open.insert(change.node, now);
            keep(&mut self.detected, silence);
            if let Some((since, _)) = self.slow.remove(&change.node) {
                self.slow_right += 1;
                keep(&mut self.leads, now.saturating_sub(since));
            }
        } else if (!is_dead || change.restarted)
            && let Some(at) = self.open.remove(&change.node)
        {
            if change.restarted || now.saturating_sub(at) >= SURE {
                self.right += 1;
            } else {
                self.wrong += 1;
            }
        }
    }

    /// Whether a node that is not held dead is held slow, at every look.
    pub fn take_slow(&mut self, now: Duration, node: NodeId, is_slow: bool) {
        match self.slow.get_mut(&node) {
            None if is_slow => drop(self.slow.insert(node, (now, None))),
            Some((since, over @ None)) if !is_slow => {
                if now.saturating_sub(*since) < HICCUP {
                    self.slow.remove(&node);
                    self.slow_wrong += 1;
                } else {
                    *over = Some(now);
                }
            }
            Some((_, over)) if is_slow => *over = None,
            _ => {}
        }
    }

    /// A node has left.
    pub fn forget(&mut self, node: NodeId) {
        self.open.remove(&node);
        self.slow.remove(&node);
    }

    /// Closes what is certain by now.
    pub fn settle(&mut self, now: Duration) {
        let slow = self.slow.len();
        self.slow
            .retain(|_, (_, over)| over.is_none_or(|over| now.saturating_sub(over) < FORESEEN));
        self.slow_right += u32::try_from(slow - self.slow.len()).unwrap_or(u32::MAX);
        let before = self.open.len();
        self.open.retain(|_, at| now.saturating_sub(*at) < SURE);
        self.right += u32::try_from(before - self.open.len()).unwrap_or(u32::MAX);
    }

    /// How they have turned out.
    pub fn score(&self) -> Score {
        Score {
            right: self.right,
            wrong: self.wrong,
            open: u32::try_from(self.open.len()).unwrap_or(u32::MAX),
            detect_median_us: median_us(&self.detected),
            detect_max_us: self.detected.iter().max().map(micros),
            slow_right: self.slow_right,
            slow_wrong: self.slow_wrong,
            lead_median_us: median_us(&self.leads),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::detector::{Evidence, Verdict};

    const NODE: NodeId = NodeId(2);

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn change(before: VerdictState, state: VerdictState, restarted: bool) -> VerdictChange {
        let verdict = Verdict { state, evidence: Evidence::Silence(ms(700)) };
        VerdictChange { node: NODE, before, verdict, restarted }
    }

    #[test]
    fn a_verdict_is_wrong_if_the_same_process_is_back_within_a_second() {
        let (alive, dead) = (VerdictState::Alive, VerdictState::Dead);
        let mut scores = Scores::default();
        let died = |scores: &mut Scores, at| {
            scores.take(ms(at), &change(alive, dead, false), Some(ms(700)));
        };
        died(&mut scores, 1_000);
        assert_eq!(scores.score().open, 1);
        scores.take(ms(1_900), &change(dead, alive, false), Some(ms(0)));
        assert_eq!((scores.score().right, scores.score().wrong), (0, 1));

        died(&mut scores, 5_000);
        scores.take(ms(5_100), &change(dead, alive, true), Some(ms(0)));
        assert_eq!((scores.score().right, scores.score().wrong), (1, 1), "it was restarted");

        died(&mut scores, 9_000);
        scores.settle(ms(9_999));
        assert_eq!(scores.score().open, 1);
        scores.settle(ms(10_000));
        scores.take(ms(12_000), &change(dead, alive, false), Some(ms(0)));
        assert_eq!((scores.score().right, scores.score().wrong), (2, 1), "counted once");
        assert_eq!(scores.score().detect_median_us, Some(700_000));

        scores.take(ms(13_000), &change(VerdictState::Suspect, dead, false), None);
        assert_eq!(scores.score().open, 0, "who was never heard is no news");
    }

    #[test]
    fn who_is_held_slow_and_dies_was_rightly_held_so_and_a_hiccup_was_not() {
        let mut scores = Scores::default();
        let look = |scores: &mut Scores, at_s: u64, is_slow| {
            scores.take_slow(ms(at_s * 1_000), NODE, is_slow);
            scores.settle(ms(at_s * 1_000));
            let score = scores.score();
            (score.slow_right, score.slow_wrong)
        };
        look(&mut scores, 1, true);
        assert_eq!(look(&mut scores, 12, false), (0, 1), "over as soon as it could be seen");

        look(&mut scores, 20, true);
        look(&mut scores, 40, false);
        look(&mut scores, 50, true);
        assert_eq!(look(&mut scores, 70, false), (0, 1), "not known yet");
        assert_eq!(look(&mut scores, 129, false), (0, 1));
        assert_eq!(look(&mut scores, 130, false), (1, 1), "it was slow for long, and lived");
        assert_eq!(scores.score().lead_median_us, None);

        look(&mut scores, 200, true);
        let died = change(VerdictState::Alive, VerdictState::Dead, false);
        scores.take(ms(215_000), &died, Some(ms(0)));
        assert_eq!(look(&mut scores, 216, false), (2, 1));
        assert_eq!(scores.score().lead_median_us, Some(15_000_000));
    }
}
