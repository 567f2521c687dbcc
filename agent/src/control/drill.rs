//! Drills: ordered by operators, done by each process to itself, and only where it was started with
//! `--drills`.

use std::time::Duration;

use evenkeel_shared::error::{AdminError, StoreError};
use evenkeel_shared::fault::{Drill, Fault};
use evenkeel_shared::ids::{NodeId, ShardId};
use evenkeel_shared::preflight::{Action, Outcome};
use evenkeel_shared::service::peer::{LeaderOrder, LeaderReply};
use evenkeel_shared::view::NodeState;
use evenkeel_shared::wire::deadline::Deadline;
use rustix::process::{Signal, getpid, getppid, kill_process};

use super::operator::Operator;
use crate::config::Config;
use crate::decide::facts::Observed;
use crate::env::Env;
// Words for the supervisor: a disk that a drill has stalled must not hold them up.
use crate::env::fs::RealDisk;
use crate::supervise::{self, Downtime, Standstill};

/// How long the answer has to get out.
const ANSWER_TIME: Duration = Duration::from_millis(30);
/// No drill lasts longer: whoever forgets one finds a cluster that has healed.
const FAULT_MAX: Duration = Duration::from_secs(3_600);

/// How long it may take until a node that was taken away is seen to be gone.
const SEEN_MAX: Duration = Duration::from_millis(1_500);
/// How long it may take to learn who comes first.
const ORDER_MAX: Duration = Duration::from_millis(500);
/// How long the nodes have to say that their drills have ended: a frozen one says nothing.
const HEAL_MAX: Duration = Duration::from_secs(2);

impl Operator {
    pub(super) async fn kill(
        &self,
        node: NodeId,
        down_secs: Option<u32>,
        actor: &str,
        by: Deadline,
    ) -> Result<String, StoreError> {
        let name = self.name(node);
        match self.order_drill(node, Drill::Die { down_secs }, actor, by).await {
            // A process that is gone can't answer: that is what was asked for.
            Ok(_) | Err(StoreError::Unknown { .. }) => {}
            Err(error) => return Err(error),
        }
        self.wait_until_away(node, by).await;
        Ok(match down_secs {
            Some(seconds) => format!("{name} killed, back in {seconds} s"),
            None => format!("{name} killed"),
        })
    }

    /// Has something go wrong on a node.
    pub(super) async fn begin_fault(
        &self,
        node: NodeId,
        fault: &Fault,
        secs: u32,
        (actor, by): (&str, Deadline),
    ) -> Result<String, StoreError> {
        self.order_drill(node, Drill::Begin { fault: fault.clone(), secs }, actor, by).await?;
        if fault.takes_node_away() {
            self.wait_until_away(node, by).await;
        }
        let words = fault.words(|node| self.name(node));
        Ok(format!("{} {words} for {secs} s", self.name(node)))
    }

    /// Waits until the loss of every node that others take away just now is seen from here: what one
    /// more would do is another question then. Where no majority of the system shard is left, nobody can
    /// say, and it goes on.
    pub(super) async fn take_turn(
        &self,
        node: NodeId,
        ticket: u64,
        by: Deadline,
    ) -> Result<(), AdminError> {
        let by = by.at_most(SEEN_MAX);
        let mut standing = self.observer.standing();
        loop {
            let order = LeaderOrder::TakeAway { node, ticket };
            let why = match self.system.lead(ShardId::SYSTEM, order, by.at_most(ORDER_MAX)).await {
                Ok(LeaderReply::TakenAway(before)) => {
                    let (_, seen) = self.observer.observe();
                    let still = before.iter().filter(|other| !is_away(&seen, **other));
                    let still: Vec<String> = still.map(|other| self.name(*other)).collect();
                    if still.is_empty() {
                        return Ok(());
                    }
                    format!("{} is being taken away by somebody else just now", still.join(", "))
                }
                Err(_) if self.system.router.is_cut_off_from(ShardId::SYSTEM) => return Ok(()),
                // That leader may be what is taken away: once its loss is seen, another is asked.
                _ => "the system shard's leader does not say who else takes nodes away".to_owned(),
            };
            if by.is_over() {
                return Err(AdminError::Stale { why });
            }
            // What came of it is seen when it is asked again.
            let wait = by.at_most(ORDER_MAX).remaining();
            let _ = tokio::time::timeout(wait, standing.changed()).await;
        }
    }

    /// Nobody needs to wait for it any more, when nothing was done, or the node is seen to be gone. Else
    /// it ends by itself.
    pub(super) fn end_turn(
        &self,
        node: NodeId,
        ticket: u64,
        outcome: &Result<Outcome, AdminError>,
    ) {
        let nothing_done =
            matches!(outcome, Err(AdminError::Refused { .. } | AdminError::Stale { .. }));
        if nothing_done || is_away(&self.observer.observe().1, node) {
            let system = self.system.clone();
            tokio::spawn(async move {
                let order = LeaderOrder::EndTakeAway { ticket };
                // If this does not arrive, it ends by itself, too.
                let _ = system.lead(ShardId::SYSTEM, order, Deadline::after(ORDER_MAX)).await;
            });
        }
    }

    /// Waits until the agents agree that a node is gone, or it says itself that it is of no use:
    /// whoever asks next, whichever of them, what another loss would do must not be told of a cluster
    /// that was.
    async fn wait_until_away(&self, node: NodeId, by: Deadline) {
        if node == self.system.me {
            return;
        }
        self.observer.wait_until(by.at_most(SEEN_MAX), |seen| is_away(seen, node)).await;
    }

    /// Has a node do something to itself.
    async fn order_drill(
        &self,
        node: NodeId,
        drill: Drill,
        actor: &str,
        by: Deadline,
    ) -> Result<String, StoreError> {
        if node == self.system.me {
            return self.drill(drill, actor).map_err(|why| StoreError::Refused { why });
        }
        self.system.orders.drill(node, drill, actor.to_owned(), by).await
    }

    /// Ends what drills have go wrong, wherever they have.
    pub(super) async fn heal(&self, actor: &str, by: Deadline) -> Result<String, StoreError> {
        let facts = self.system.facts();
        let drilled = facts.nodes.values().filter(|node| node.drills);
        let by = by.at_most(HEAL_MAX);
        let healed = drilled.map(async |node| {
            let healed = self.order_drill(node.id, Drill::Heal, actor, by).await;
            match healed {
                Ok(what) if what.is_empty() => None,
                Ok(what) => Some(Ok(format!("{}: {what}", node.name))),
                Err(error) => Some(Err(format!("{} ({error})", node.name))),
            }
        });
        let healed = futures::future::join_all(healed).await.into_iter().flatten();
        let (mut ended, mut unreached) = (Vec::new(), Vec::new());
        for one in healed {
            match one {
                Ok(what) => ended.push(what),
                Err(whom) => unreached.push(whom),
            }
        }
        let ended = match ended.as_slice() {
            [] => "no drill was ended".to_owned(),
            ended => format!("ended: {}", ended.join("; ")),
        };
        Ok(match unreached.as_slice() {
            [] => ended,
            whom => format!(
                "NOT REACHED: {}, where a drill goes on until its time is over; {ended}",
                whom.join(", ")
            ),
        })
    }

    /// Does something to this process, as another agent or a script asks.
    pub fn drill(&self, drill: Drill, actor: &str) -> Result<String, String> {
        tracing::warn!(actor, ?drill, "a drill");
        run(&self.env, &self.config, drill)
    }
}

/// The node that an act takes away from its shards, if it does.
pub(super) fn takes_away(action: &Action) -> Option<NodeId> {
    match action {
        Action::Kill { node, .. } => Some(*node),
        Action::Fault { node, fault, .. } if fault.takes_node_away() => Some(*node),
        _ => None,
    }
}

/// Whether nobody counts on a node any more.
fn is_away(seen: &Observed, node: NodeId) -> bool {
    seen.state(node) == NodeState::Down || seen.is_drilled_away(node)
}

/// Does it; says what it has ended, in words.
fn run(env: &Env, config: &Config, drill: Drill) -> Result<String, String> {
    if !config.drills {
        return Err(format!("{} was not started with --drills", config.name));
    }
    match drill {
        Drill::Die { down_secs } => die(config, down_secs).map(|()| String::new()),
        Drill::Begin { fault, secs } => {
            let lasts = Duration::from_secs(secs.into());
            if lasts.is_zero() || lasts > FAULT_MAX {
                return Err(format!("a fault lasts 1 to {} s, not {secs}", FAULT_MAX.as_secs()));
            }
            begin(env, config, fault, lasts).map(|()| String::new())
        }
        Drill::Heal => {
            let ended = env.faults.as_ref().map(|faults| faults.heal()).unwrap_or_default();
            Ok(ended.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
        }
    }
}

/// Kills this process as `kill -9` would, once its answer is out. A supervisor starts it again
/// after `down_secs`.
fn die(config: &Config, down_secs: Option<u32>) -> Result<(), String> {
    if supervise::is_child() {
        let downtime = match down_secs {
            Some(seconds) => Downtime::For(Duration::from_secs(seconds.into())),
            None => Downtime::ForGood,
        };
        downtime
            .ask(&RealDisk, &config.data)
            .map_err(|error| format!("can't leave word for the supervisor: {error}"))?;
    } else if down_secs.is_some() {
        return Err(format!(
            "{} has no supervisor to start it again: start it with --supervise, or kill it for good",
            config.name
        ));
    }
    tokio::spawn(async {
        tokio::time::sleep(ANSWER_TIME).await;
        // There is nobody left to tell if this fails.
        let _ = kill_process(getpid(), Signal::KILL);
    });
    Ok(())
}

fn begin(env: &Env, config: &Config, fault: Fault, lasts: Duration) -> Result<(), String> {
    if fault == Fault::Freeze {
        return freeze(config, lasts);
    }
    let faults = env.faults.as_ref().ok_or("this agent has nothing to go wrong")?;
    faults.begin(fault, lasts);
    Ok(())
}

/// A stopped process can't let itself run again: its supervisor stops it, and lets it go.
fn freeze(config: &Config, lasts: Duration) -> Result<(), String> {
    let parent = getppid().filter(|_| supervise::is_child());
    let parent = parent.ok_or_else(|| {
        format!("{} has no supervisor to let it run again: start it with --supervise", config.name)
    })?;
    Standstill(lasts)
        .ask(&RealDisk, &config.data)
        .map_err(|error| format!("can't leave word for the supervisor: {error}"))?;
    tokio::spawn(async move {
        tokio::time::sleep(ANSWER_TIME).await;
        if let Err(error) = kill_process(parent, supervise::LOOK) {
            tracing::error!(%error, "the supervisor could not be told to look");
        }
    });
    Ok(())
}
