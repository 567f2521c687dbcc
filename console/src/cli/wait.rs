//! `evenkeel wait`: asks until the cluster is as described, or the time is over.
//!
//! Whether a condition holds is a pure function of one view.

use std::time::Duration;

use evenkeel_shared::view::{
    ClusterView, Health, IntentPhase, NodeState, ReplicaRole, ReplicaState, ShardPhase,
};
use serde::Serialize;

use super::{CliError, Exit, Session, format, json, line};

/// How long to wait when nothing else was said.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Between two questions.
const PAUSE: Duration = Duration::from_millis(100);
/// One question.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);

/// What to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Condition {
    /// An agent answers
    Reachable,
    /// Every shard can be written
    Writable,
    /// Every node up, every shard with all its copies and a leader
    Healthy,
    /// Healthy, leaders spread within one, and nothing on the move
    Balanced,
    /// No restore under way
    Settled,
}

/// Flags of the command.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct WaitArguments {
    /// What to wait for
    #[arg(long, value_enum)]
    until: Condition,
    /// And at least so many nodes up
    #[arg(long, value_name = "N")]
    nodes: Option<u32>,
}

/// A condition, and how many nodes must be up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Until {
    /// What must hold.
    pub(crate) condition: Condition,
    /// Nodes that must be up.
    pub(crate) nodes: u32,
}

#[derive(Debug, Serialize)]
struct WaitRow {
    result: &'static str,
    waited_ms: u64,
    missing: Option<String>,
}

/// Runs the command.
pub(crate) async fn run(session: &Session, arguments: WaitArguments) -> Result<Exit, CliError> {
    let until = Until { condition: arguments.until, nodes: arguments.nodes.unwrap_or(0) };
    let started = crate::clock::now();
    let outcome = wait(session, until, session.timeout_or(TIMEOUT), |_| {}).await;
    let waited = crate::clock::now().saturating_sub(started);
    if session.json() {
        json(&WaitRow {
            result: if outcome.is_ok() { "ok" } else { "timeout" },
            waited_ms: u64::try_from(waited.as_millis()).unwrap_or(u64::MAX),
            missing: outcome.as_ref().err().map(ToString::to_string),
        })?;
    }
    outcome?;
    if !session.json() {
        line(format_args!("{} after {}", arguments.until.words(), format::span(waited)))?;
    }
    Ok(Exit::Done)
}

/// Asks until it holds; `progress` hears what is still missing, each time that it changes.
pub(crate) async fn wait(
    session: &Session,
    until: Until,
    timeout: Duration,
    mut progress: impl FnMut(&str),
) -> Result<ClusterView, CliError> {
    let over = crate::clock::now() + timeout;
    let mut missing = String::new();
    loop {
        let now_missing = match tokio::time::timeout(ANSWER_TIMEOUT, session.view()).await {
            Ok(Ok(view)) => match until.missing(&view) {
                None => return Ok(view),
                Some(missing) => missing,
            },
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no agent answers".to_owned(),
        };
        if now_missing != missing {
            progress(&now_missing);
            missing = now_missing;
        }
        if crate::clock::now() + PAUSE >= over {
            return Err(CliError::unreachable(
                format!("not {} within {}: {missing}", until.words(), format::span(timeout)),
                "a longer --timeout, or `evenkeel status`",
            ));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

impl Condition {
    fn words(self) -> &'static str {
        match self {
            Self::Reachable => "reachable",
            Self::Writable => "writable",
            Self::Healthy => "healthy",
            Self::Balanced => "balanced",
            Self::Settled => "settled",
        }
    }
}

impl Until {
    fn words(self) -> &'static str {
        self.condition.words()
    }

    /// What still stands in the way; `None`: it holds.
    pub(crate) fn missing(self, view: &ClusterView) -> Option<String> {
        let counts = view.counts;
        if counts.nodes_up < self.nodes {
            return Some(format!("{} of {} nodes up", counts.nodes_up, self.nodes));
        }
        match self.condition {
            Condition::Reachable => None,
            Condition::Writable => not_writable(view),
            Condition::Healthy => not_healthy(view),
            Condition::Balanced => not_healthy(view).or_else(|| not_balanced(view)),
            Condition::Settled => {
                let open = view.intents.iter().find(|intent| {
                    !matches!(intent.phase, IntentPhase::Complete | IntentPhase::Failed(_))
                });
                open.map(|intent| format!("{} stands at {:?}", intent.id, intent.phase))
            }
        }
    }
}

fn not_writable(view: &ClusterView) -> Option<String> {
    let counts = view.counts;
    if counts.shards_total == 0 {
        return Some("no shard yet".into());
    }
    (counts.shards_unavailable > 0).then(|| {
        format!("{} unavailable", format::count(counts.shards_unavailable as usize, "shard"))
    })
}

fn not_healthy(view: &ClusterView) -> Option<String> {
    let counts = view.counts;
    not_writable(view).or_else(|| {
        (view.health != Health::Ok).then(|| {
            format!(
                "{}: {} of {} nodes up, {} of {} shards ok",
                view.health,
                counts.nodes_up,
                counts.nodes_total,
                counts.shards_ok,
                counts.shards_total
            )
        })
    })
}

fn not_balanced(view: &ClusterView) -> Option<String> {
    let leads = || view.nodes.iter().filter(|node| node.state == NodeState::Up).map(|n| n.leaders);
    let (least, most) = (leads().min().unwrap_or(0), leads().max().unwrap_or(0));
    if most > least + 1 {
        return Some(format!("nodes lead between {least} and {most} shards"));
    }
    let moving =
        view.shards.iter().filter(|shard| shard.phase == ShardPhase::Serving).find(|shard| {
            shard.replicas.iter().any(|replica| {
                replica.role == ReplicaRole::Learner
                    || matches!(replica.state, ReplicaState::Filling | ReplicaState::Leaving)
            })
        });
    moving.map(|shard| format!("{} has a replica on the move", shard.id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::fake::sample_view;

    fn missing(condition: Condition, view: &ClusterView) -> Option<String> {
        Until { condition, nodes: 0 }.missing(view)
    }

    #[test]
    fn a_whole_cluster_meets_every_condition() {
        let view = sample_view();
        for condition in [
            Condition::Reachable,
            Condition::Writable,
            Condition::Healthy,
            Condition::Balanced,
            Condition::Settled,
        ] {
            assert_eq!(missing(condition, &view), None, "{condition:?}");
        }
    }

    #[test]
    fn a_cluster_without_shards_is_neither_writable_nor_healthy() {
        let mut view = sample_view();
        view.counts.shards_total = 0;
        assert!(missing(Condition::Writable, &view).is_some());
        assert!(missing(Condition::Healthy, &view).is_some());
        assert_eq!(missing(Condition::Reachable, &view), None);
    }

    #[test]
    fn degraded_is_writable_and_not_healthy() {
        let mut view = sample_view();
        view.health = Health::Degraded;
        assert_eq!(missing(Condition::Writable, &view), None);
        assert!(missing(Condition::Healthy, &view).is_some());
    }

    #[test]
    fn leaders_two_apart_are_not_balanced() {
        let mut view = sample_view();
        view.nodes[0].leaders = 2;
        view.nodes[1].leaders = 0;
        assert_eq!(
            missing(Condition::Balanced, &view).as_deref(),
            Some("nodes lead between 0 and 2 shards")
        );
        view.nodes[1].state = NodeState::Drained;
        view.nodes[2].leaders = 2;
        assert_eq!(missing(Condition::Balanced, &view), None);
    }

    #[test]
    fn a_replica_that_is_being_filled_is_a_move() {
        let mut view = sample_view();
        view.shards[1].replicas[2].state = ReplicaState::Filling;
        assert!(missing(Condition::Balanced, &view).is_some());
    }

    #[test]
    fn nodes_that_are_expected_and_missing_are_waited_for() {
        let until = Until { condition: Condition::Healthy, nodes: 5 };
        assert_eq!(until.missing(&sample_view()).as_deref(), Some("3 of 5 nodes up"));
    }
}
