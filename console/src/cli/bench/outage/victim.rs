//! Who is taken away, and how.

use clap::ValueEnum;
use evenkeel_shared::error::AdminError;
use evenkeel_shared::fault::{Fault, Way};
use evenkeel_shared::ids::NodeId;
use evenkeel_shared::preflight::{Action, Harm};
use evenkeel_shared::view::{ClusterView, NodeState, NodeView, RecoveryChange};
use evenkeel_shared::wire::deadline::Deadline;

use super::{HEAL_MAX, LOOK};
use crate::cli::session::{Operator, node_named};
use crate::cli::{CliError, Session};

/// A preflight grows stale when the cluster moves: how often to compute it anew.
const STALE_MAX: u32 = 10;

/// Which node is taken away.
#[derive(clap::Args, Clone, Debug)]
#[group(required = true, multiple = false)]
pub(super) struct VictimArguments {
    /// This node each time
    #[arg(long, value_name = "NAME")]
    node: Option<String>,
    /// The node that leads most shards
    #[arg(long)]
    busiest: bool,
}

/// How a node is taken away.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// kill -9
    Kill,
    /// Its process stands still
    Freeze,
    /// Nothing passes between it and other agents
    Cut,
    /// No sync of its log ends
    StallDisk,
    /// Nothing goes wrong: it hands its leaderships over
    Switchover,
}

impl How {
    /// The act.
    pub(super) fn action(self, node: NodeId, secs: u32) -> Action {
        let fault = match self {
            Self::Kill => return Action::Kill { node, down_secs: Some(secs) },
            Self::Freeze => Fault::Freeze,
            Self::Cut => Fault::Cut { from: Vec::new(), way: Way::Both },
            Self::StallDisk => Fault::StallDisk,
            Self::Switchover => return Action::NodeSwitchover { node },
        };
        Action::Fault { node, fault, secs }
    }

    /// As it is asked for.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Freeze => "freeze",
            Self::Cut => "cut",
            Self::StallDisk => "stall-disk",
            Self::Switchover => "switchover",
        }
    }

    /// What a run does.
    pub(super) fn verb(self) -> &'static str {
        match self {
            Self::Kill => "kills",
            Self::Freeze => "freezes",
            Self::Cut => "cuts off",
            Self::StallDisk => "stalls the disks of",
            Self::Switchover => "switches over the",
        }
    }

    /// What was done.
    pub(super) fn done(self) -> &'static str {
        match self {
            Self::Kill => "killed",
            Self::Freeze => "froze",
            Self::Cut => "cut off",
            Self::StallDisk => "stalled the disk of",
            Self::Switchover => "switched over",
        }
    }
}

/// The victim, as soon as it leads something.
pub(super) async fn victim(
    session: &Session,
    arguments: &VictimArguments,
) -> Result<(ClusterView, NodeView), CliError> {
    let over = crate::clock::now() + HEAL_MAX;
    loop {
        let view = session.view().await?;
        let chosen = match &arguments.node {
            Some(name) => Some(node_named(&view, name)?),
            None => busiest(&view),
        };
        if let Some(chosen) = chosen.filter(|node| node.leads_in(&view)) {
            let chosen = chosen.clone();
            return Ok((view, chosen));
        }
        if crate::clock::now() >= over {
            return Err(CliError::refused(
                "the victim leads no shard, so that nothing can be measured",
                "--busiest",
            ));
        }
        tokio::time::sleep(LOOK).await;
    }
}

trait Leads {
    fn leads_in(&self, view: &ClusterView) -> bool;
}

impl Leads for NodeView {
    fn leads_in(&self, view: &ClusterView) -> bool {
        view.shards.iter().any(|shard| shard.leader == Some(self.id))
    }
}

/// The node that leads most shards; of equals, the first.
pub(super) fn busiest(view: &ClusterView) -> Option<&NodeView> {
    let leads =
        |node: &NodeView| view.shards.iter().filter(|shard| shard.leader == Some(node.id)).count();
    let up = view.nodes.iter().filter(|node| node.state == NodeState::Up);
    up.rev().max_by_key(|node| leads(node))
}

/// An agent that is left alone.
pub(super) async fn bystander(view: &ClusterView, victim: NodeId) -> Result<Operator, CliError> {
    let others = view.nodes.iter().filter(|node| node.id != victim && node.state == NodeState::Up);
    let seeds = others.map(|node| node.addresses.rpc.clone()).collect();
    Session::with_seeds(seeds).operator().await
}

/// Lets a node lead again that was switched over.
pub(super) async fn give_back(session: &Session, name: &str) -> Result<(), CliError> {
    let view = session.view().await?;
    let node = node_named(&view, name)?.id;
    let change = RecoveryChange::Maintain { node, maintenance: None };
    take_away(session, &session.operator().await?, Action::Recover(change)).await
}

/// Does it, unless it would break something.
pub(super) async fn take_away(
    session: &Session,
    operator: &Operator,
    action: Action,
) -> Result<(), CliError> {
    let mut stale = 0;
    loop {
        let context = Deadline::after(session.timeout()).context();
        let answer = operator.client.preflight(context, action.clone()).await;
        let preflight = answer.map_err(|error| operator.silent(&error))??;
        if let Some(why) = preflight.refused {
            return Err(CliError::refused(format!("{}: {why}", preflight.title), ""));
        }
        if preflight.harm == Harm::Break {
            return Err(CliError::refused(
                format!("{} would break something", preflight.title),
                "`evenkeel status`: the cluster must be whole",
            ));
        }
        let context = Deadline::after(session.timeout()).context();
        let actor = "bench outage".to_owned();
        match operator.client.act(context, action.clone(), preflight.revision, actor).await {
            Ok(Err(AdminError::Stale { .. })) if stale < STALE_MAX => stale += 1,
            Ok(done) => return Ok(done.map(drop)?),
            Err(error) => return Err(operator.silent(&error)),
        }
    }
}
