//! `evenkeel node …`: acts on one node.
//!
//! The node is found by name in the same agent's view that computes the preflight.

mod explain;
mod fault;
mod recovery;

use std::time::Duration;

use clap::Subcommand;
use evenkeel_shared::ids::NodeId;
use evenkeel_shared::limits::DEADLINE_MAX;
use evenkeel_shared::preflight::Action;
use evenkeel_shared::view::{ClusterView, NodeState};

use super::act::{self, Override, Wish};
use super::session::node_named;
use super::{CliError, Exit, Session};

/// One act on a node.
#[derive(Subcommand, Clone, Debug)]
pub(crate) enum NodeCommand {
    /// SIGKILL, no drain: a drill (the node must run with --drills)
    Kill {
        #[command(flatten)]
        node: NodeArguments,
        /// How long its supervisor keeps it down; without it, for good
        #[arg(long = "for", value_name = "TIME", value_parser = humantime::parse_duration)]
        down: Option<Duration>,
    },
    #[command(flatten)]
    Fault(fault::FaultCommand),
    #[command(flatten)]
    Recovery(recovery::RecoveryCommand),
    /// Say all there is to say about it: the evidence, who holds what, what would change the verdict
    Explain(NodeArguments),
    /// Give all of its replicas away
    Drain(NodeArguments),
    /// Stop draining it
    Undrain(NodeArguments),
    /// Remove a node that is gone for good, or drained
    Evict(NodeArguments),
    /// Give up the data of a node that is down, so that it may join again with an empty folder
    Reinit(NodeArguments),
}

/// Which node.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct NodeArguments {
    /// Its name
    name: String,
    #[command(flatten)]
    overriding: Override,
}

/// Runs the command.
pub(crate) async fn run(session: &Session, command: NodeCommand) -> Result<Exit, CliError> {
    let operator = session.operator().await?;
    let view = operator.view(session.timeout()).await?;
    let arguments = match &command {
        NodeCommand::Fault(fault) => &fault.arguments().node,
        NodeCommand::Recovery(declared) => declared.arguments(),
        NodeCommand::Kill { node: arguments, .. }
        | NodeCommand::Explain(arguments)
        | NodeCommand::Drain(arguments)
        | NodeCommand::Undrain(arguments)
        | NodeCommand::Evict(arguments)
        | NodeCommand::Reinit(arguments) => arguments,
    };
    let found = node_named(&view, &arguments.name)?;
    let node = found.id;
    if let NodeCommand::Explain(_) = command {
        return explain::run(session, &operator, &view, node).await;
    }
    let takes_away = matches!(command, NodeCommand::Kill { .. } | NodeCommand::Fault(_));
    let operator = match beside(&view, node).filter(|_| takes_away && view.observer == node) {
        Some(other) => session.operator_at(other).await.unwrap_or(operator),
        None => operator,
    };
    let action = match &command {
        NodeCommand::Kill { down, .. } => {
            Action::Kill { node, down_secs: down.map(whole_seconds).transpose()? }
        }
        NodeCommand::Fault(fault) => fault.action(&view)?,
        NodeCommand::Recovery(declared) => declared.action(node),
        NodeCommand::Drain(_) => Action::Drain { node, undo: false },
        NodeCommand::Undrain(_) => Action::Drain { node, undo: true },
        NodeCommand::Evict(_) => Action::Evict { node },
        NodeCommand::Reinit(_) | NodeCommand::Explain(_) => Action::Reinit { node },
    };
    let wish = Wish {
        action,
        name: &found.name,
        overriding: &arguments.overriding,
        timeout: session.timeout_or(DEADLINE_MAX),
    };
    act::run(session, &operator, wish).await
}

/// Another agent than this node's: who is taken away can't say when the others have seen it.
fn beside(view: &ClusterView, node: NodeId) -> Option<&str> {
    let mut others = view.nodes.iter().filter(|other| other.id != node);
    others.find(|other| other.state == NodeState::Up).map(|other| other.addresses.rpc.as_str())
}

/// Down times are counted in seconds; a fraction is rounded up.
pub(crate) fn whole_seconds(time: Duration) -> Result<u32, CliError> {
    u32::try_from(time.as_millis().div_ceil(1_000))
        .map_err(|_| CliError::usage("the down time is too long", "--for 10s"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fraction_of_a_second_is_rounded_up() {
        assert_eq!(whole_seconds(Duration::from_millis(1_001)).unwrap(), 2);
        assert_eq!(whole_seconds(Duration::from_secs(10)).unwrap(), 10);
        assert!(whole_seconds(Duration::from_secs(u64::MAX)).is_err());
    }
}
