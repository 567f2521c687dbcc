//! What a step asks of the cluster: its acts, whom they strike, and what they would take. Pure.

use std::time::Duration;

use evenkeel_shared::fault::{Fault, Way};
use evenkeel_shared::ids::{NodeId, ShardId};
use evenkeel_shared::preflight::Action;
use evenkeel_shared::view::{ClusterView, NodeView};

use super::error::DrillError;
use super::format::list;
use super::script::{Part, Step, What, Whom};
use super::select;

/// The acts of one step, as things stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Acts {
    /// Whom they strike, by name.
    pub(crate) names: Vec<String>,
    /// The same, by number.
    pub(crate) nodes: Vec<NodeId>,
    /// The acts, in order.
    pub(crate) actions: Vec<Action>,
    /// Shards that all of them together would leave without a majority.
    pub(crate) quorum_lost: Vec<ShardId>,
}

/// What a step does to nodes now. Steps that strike none have no acts here.
pub(crate) fn of(view: &ClusterView, step: &Step) -> Result<Acts, DrillError> {
    let secs = whole_seconds(step.lasts);
    let struck = match &step.what {
        What::Cut(Part::Zone(zone)) => return cut_zone(view, &select::zone(view, zone)?, secs),
        What::Kill(whom)
        | What::Freeze(whom)
        | What::StallDisk(whom)
        | What::Switchover(whom)
        | What::Restart(whom)
        | What::Slow { node: whom, .. }
        | What::Cut(Part::Node(whom)) => select::nodes(view, whom)?,
        What::Backup { .. } | What::RestoreAndUndo | What::WaitHealthy | What::Pause => Vec::new(),
    };
    check_drills(view, step, &struck)?;
    let act = |node: &&NodeView| {
        let (node, fault) = (node.id, fault(&step.what));
        match (&step.what, fault) {
            (_, Some(fault)) => Action::Fault { node, fault, secs },
            (What::Switchover(_), _) => Action::NodeSwitchover { node },
            _ => Action::Kill { node, down_secs: Some(secs) },
        }
    };
    let mut acts = named(&struck);
    acts.actions = struck.iter().map(act).collect();
    Ok(acts)
}

/// Agents count in seconds; a fraction is rounded up.
pub(crate) fn whole_seconds(time: Duration) -> u32 {
    u32::try_from(time.as_millis().div_ceil(1_000)).unwrap_or(u32::MAX).max(1)
}

fn named(nodes: &[&NodeView]) -> Acts {
    let names = nodes.iter().map(|node| node.name.clone()).collect();
    let nodes = nodes.iter().map(|node| node.id).collect();
    Acts { names, nodes, ..Acts::default() }
}

/// Each of the zone's nodes is cut from all others; among themselves they hear each other.
fn cut_zone(view: &ClusterView, zone: &select::ZoneChoice, secs: u32) -> Result<Acts, DrillError> {
    let within = |node: &&NodeView| zone.nodes.contains(&node.id);
    let inside: Vec<&NodeView> = view.nodes.iter().filter(within).collect();
    let from: Vec<NodeId> =
        view.nodes.iter().filter(|node| !within(node)).map(|node| node.id).collect();
    let step = Step { what: What::Freeze(Whom::Each), lasts: Duration::ZERO };
    check_drills(view, &step, &inside)?;
    let cut = |node: &&NodeView| Action::Fault {
        node: node.id,
        fault: Fault::Cut { from: from.clone(), way: Way::Both },
        secs,
    };
    let mut acts = named(&inside);
    acts.actions = inside.iter().map(cut).collect();
    acts.quorum_lost.clone_from(&zone.quorum_lost);
    Ok(acts)
}

fn fault(what: &What) -> Option<Fault> {
    let ms = |time: &Duration| u32::try_from(time.as_millis()).unwrap_or(u32::MAX);
    match what {
        What::Freeze(_) => Some(Fault::Freeze),
        What::Cut(_) => Some(Fault::Cut { from: Vec::new(), way: Way::Both }),
        What::StallDisk(_) => Some(Fault::StallDisk),
        What::Slow { delay, jitter, .. } => {
            Some(Fault::Slow { delay_ms: ms(delay), jitter_ms: ms(jitter) })
        }
        _ => None,
    }
}

/// Whether those whom a step strikes were started with `--drills`.
fn check_drills(view: &ClusterView, step: &Step, struck: &[&NodeView]) -> Result<(), DrillError> {
    let without = struck.iter().filter(|node| !node.drills).map(|node| &node.name);
    let without = list(without);
    if !step.what.needs_drills() || without.is_empty() {
        return Ok(());
    }
    let with = list(view.nodes.iter().filter(|node| node.drills).map(|node| &node.name));
    let hint = if with.is_empty() {
        "agents started with `--drills --supervise`".to_owned()
    } else {
        format!("agents started with `--drills --supervise`, as {with}")
    };
    Err(DrillError::refused(format!("{without} was not started with --drills"), hint))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drill::fixture::view;
    use crate::drill::script::Zone;

    fn step(what: What) -> Step {
        Step { what, lasts: Duration::from_millis(1_500) }
    }

    #[test]
    fn a_step_asks_for_what_its_command_would() {
        let view = view(&["a", "b", "c"], &[&[2, 1, 3]]);
        let acts = of(&view, &step(What::Kill(Whom::MostLeaders))).unwrap();
        assert_eq!(acts.names, ["n2"]);
        assert_eq!(acts.actions, [Action::Kill { node: NodeId(2), down_secs: Some(2) }]);
        let acts = of(&view, &step(What::Switchover(Whom::Named("n1".into())))).unwrap();
        assert_eq!(acts.actions, [Action::NodeSwitchover { node: NodeId(1) }]);
        assert_eq!(of(&view, &step(What::Pause)).unwrap(), Acts::default());
    }

    #[test]
    fn a_zone_is_cut_from_the_others_and_not_from_itself() {
        let view = view(&["a", "b", "b"], &[&[1, 2, 3]]);
        let zone = Part::Zone(Zone::Named("b".into()));
        let acts = of(&view, &step(What::Cut(zone))).unwrap();
        assert_eq!(acts.quorum_lost, [ShardId(1)]);
        let cut = |node: u32| Action::Fault {
            node: NodeId(node),
            fault: Fault::Cut { from: vec![NodeId(1)], way: Way::Both },
            secs: 2,
        };
        assert_eq!(acts.actions, [cut(2), cut(3)]);
    }

    #[test]
    fn nodes_without_drills_are_named_where_a_step_needs_them() {
        let mut view = view(&["a", "b", "c"], &[&[2, 1, 3]]);
        view.nodes[1].drills = false;
        let error = of(&view, &step(What::Restart(Whom::Each))).unwrap_err();
        assert_eq!(error.to_string(), "n2 was not started with --drills");
        assert!(of(&view, &step(What::Kill(Whom::Named("n1".into())))).is_ok());
        assert!(of(&view, &step(What::Switchover(Whom::Each))).is_ok());
    }
}
