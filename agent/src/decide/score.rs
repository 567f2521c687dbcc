//! How verdicts of death turn out: a detector that is never wrong is too slow, and one that often is
//! costs elections; operators should see which of the two theirs is.
//!
//! Invariant: each verdict is counted once, when its outcome is known.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use evenkeel_shared::dossier::Score;
use evenkeel_shared::ids::NodeId;

use super::detector::{VerdictChange, VerdictState};

/// Whoever stays silent for so long after the verdict was rightly held dead.
const SURE: Duration = Duration::from_secs(1);
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
}

impl Scores {
    /// A verdict has changed; `silence` is how long the node had not been heard, if it ever was.
    pub fn take(&mut self, now: Duration, change: &VerdictChange, silence: Option<Duration>) {
        let is_dead = change.verdict.state == VerdictState::Dead;
        if is_dead && change.before != VerdictState::Dead {
            // Who was never heard is no news.
            let Some(silence) = silence else { return };
            self.open.insert(change.node, now);
            if self.detected.len() >= KEPT {
                self.detected.pop_front();
            }
            self.detected.push_back(silence);
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

    /// Closes what is certain by now.
    pub fn settle(&mut self, now: Duration) {
        let before = self.open.len();
        self.open.retain(|_, at| now.saturating_sub(*at) < SURE);
        self.right += u32::try_from(before - self.open.len()).unwrap_or(u32::MAX);
    }

    /// How they have turned out.
    pub fn score(&self) -> Score {
        let mut detected: Vec<Duration> = self.detected.iter().copied().collect();
        detected.sort_unstable();
        let micros = |time: &Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        Score {
            right: self.right,
            wrong: self.wrong,
            open: u32::try_from(self.open.len()).unwrap_or(u32::MAX),
            detect_median_us: detected.get(detected.len() / 2).map(micros),
            detect_max_us: detected.last().map(micros),
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
}
