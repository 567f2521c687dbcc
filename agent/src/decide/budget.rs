//! How much repair may move at once: bytes a second, and nothing while writes suffer.
//!
//! Invariant: a step that moves nothing never waits; over any second no more is begun than the
//! policy allows, but for the last step, which may be larger than what was left.

use std::time::Duration;

use evenkeel_shared::view::RecoveryPolicy;

use super::plan::{Step, StepKind};

/// What may be moved now.
#[derive(Clone, Copy, Debug, Default)]
pub struct Budget {
    /// Bytes that are left; below zero after a large step.
    left: f64,
    at: Duration,
}

/// A step that waits, and why.
pub type Waiting = (Step, String);

impl Budget {
    /// Takes out what may begin now; `p99_us` is the slowest node's 99th percentile of writes.
    pub fn admit(
        &mut self,
        now: Duration,
        policy: &RecoveryPolicy,
        p99_us: Option<u32>,
        steps: Vec<Step>,
    ) -> (Vec<Step>, Vec<Waiting>) {
        #[expect(clippy::cast_precision_loss, reason = "bytes of a budget need no 53rd bit")]
        let bytes_s = policy.bytes_s as f64;
        let since = now.saturating_sub(self.at).as_secs_f64();
        self.left = (self.left + since * bytes_s).min(bytes_s);
        self.at = now;
        let suffers = p99_us.filter(|p99_us| policy.p99_us > 0 && *p99_us > policy.p99_us);
        let (mut go, mut wait) = (Vec::new(), Vec::new());
        for step in steps {
            let moves = matches!(step.kind, StepKind::AddLearner { .. });
            let why = if !moves {
                None
            } else if let Some(p99_us) = suffers {
                Some(format!(
                    "writes take {} ms at the 99th percentile, repair waits above {} ms",
                    p99_us / 1_000,
                    policy.p99_us / 1_000
                ))
            } else if policy.bytes_s > 0 && self.left <= 0.0 {
                Some(format!("repair may move {} bytes a second", policy.bytes_s))
            } else {
                None
            };
            if let Some(why) = why {
                wait.push((step, why));
                continue;
            }
            if moves {
                #[expect(clippy::cast_precision_loss, reason = "as above")]
                let price = step.price_bytes as f64;
                self.left -= price;
            }
            go.push(step);
        }
        (go, wait)
    }
}

#[cfg(test)]
mod tests {
    use evenkeel_shared::ids::{Epoch, NodeId, ReplicaId, ShardId};

    use super::*;

    fn feed(shard: u32, price_bytes: u64) -> Step {
        let kind = StepKind::AddLearner { replica: ReplicaId::new(NodeId(4), shard) };
        let mut step = Step::new(ShardId(shard), Epoch(1), kind, String::new());
        step.price_bytes = price_bytes;
        step
    }

    fn begun(budget: &mut Budget, at_s: u64, policy: &RecoveryPolicy, p99: Option<u32>) -> usize {
        let steps = (1..=4).map(|shard| feed(shard, 600)).collect();
        budget.admit(Duration::from_secs(at_s), policy, p99, steps).0.len()
    }

    #[test]
    fn bytes_a_second_are_kept_to_over_time() {
        let policy = RecoveryPolicy { bytes_s: 1_000, ..RecoveryPolicy::default() };
        let mut budget = Budget::default();
        assert_eq!(begun(&mut budget, 10, &policy, None), 2, "the second may overdraw");
        assert_eq!(begun(&mut budget, 10, &policy, None), 0);
        assert_eq!(begun(&mut budget, 11, &policy, None), 2);
        assert_eq!(begun(&mut budget, 12, &policy, None), 1);
        let free = RecoveryPolicy::default();
        assert_eq!(begun(&mut Budget::default(), 10, &free, None), 4);
    }

    #[test]
    fn repair_waits_while_writes_suffer_and_what_moves_nothing_does_not() {
        let policy = RecoveryPolicy { p99_us: 50_000, ..RecoveryPolicy::default() };
        let mut budget = Budget::default();
        assert_eq!(begun(&mut budget, 10, &policy, Some(50_001)), 0);
        assert_eq!(begun(&mut budget, 10, &policy, Some(50_000)), 4);
        assert_eq!(begun(&mut budget, 10, &policy, None), 4);
        let kind = StepKind::Demote { replicas: Vec::new() };
        let step = Step::new(ShardId(1), Epoch(1), kind, String::new());
        let (go, wait) = budget.admit(Duration::from_secs(11), &policy, Some(90_000), vec![step]);
        assert_eq!((go.len(), wait.len()), (1, 0));
    }
}
