//! Changes that are only thought of, and what the agents say would come of all of them.

use std::collections::BTreeMap;

use evenkeel_shared::ids::NodeId;
use evenkeel_shared::what_if::{Change, WhatIf};

use super::Model;

/// The capacity of a node that is thought of: what an agent has unless it is told.
const CAPACITY: u32 = 100;
/// Nodes that are thought of at most.
const ADDED_MAX: usize = 8;

/// What is thought of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Thought {
    /// It is drained.
    Drain,
    /// It is gone for good.
    Lose,
}

/// The changes, and the answer to the last question about them.
#[derive(Clone, Debug, Default)]
pub(crate) struct WhatIfForm {
    /// Of nodes that are there.
    pub(crate) thoughts: BTreeMap<NodeId, Thought>,
    /// Zones of nodes that are thought of.
    pub(crate) added: Vec<String>,
    /// The chosen line.
    pub(crate) row: usize,
    /// What was asked last, and what was said to it.
    pub(crate) told: Option<(Vec<Change>, Result<WhatIf, String>)>,
}

impl WhatIfForm {
    /// Everything that is thought of, in the order in which it is asked about.
    pub(crate) fn changes(&self) -> Vec<Change> {
        let thoughts = self.thoughts.iter().map(|(node, thought)| match thought {
            Thought::Drain => Change::Drain(*node),
            Thought::Lose => Change::Lose(*node),
        });
        let added = self.added.iter();
        let added = added.map(|zone| Change::Add { zone: zone.clone(), capacity: CAPACITY });
        thoughts.chain(added).collect()
    }

    /// The answer, if it is to what is thought of now.
    pub(crate) fn answer(&self) -> Option<&Result<WhatIf, String>> {
        self.told.as_ref().filter(|(asked, _)| *asked == self.changes()).map(|(_, told)| told)
    }

    /// The next thought of a node: nothing, drained, gone.
    pub(crate) fn turn(&mut self, node: NodeId) {
        match self.thoughts.get(&node) {
            None => drop(self.thoughts.insert(node, Thought::Drain)),
            Some(Thought::Drain) => drop(self.thoughts.insert(node, Thought::Lose)),
            Some(Thought::Lose) => drop(self.thoughts.remove(&node)),
        }
    }

    /// All nodes of a zone are gone, or are there again.
    pub(crate) fn turn_zone(&mut self, nodes: &[NodeId]) {
        let gone = |node: &NodeId| self.thoughts.get(node) == Some(&Thought::Lose);
        if nodes.iter().all(gone) {
            self.thoughts.retain(|node, _| !nodes.contains(node));
        } else {
            self.thoughts.extend(nodes.iter().map(|node| (*node, Thought::Lose)));
        }
    }

    /// One more node in a zone.
    pub(crate) fn add(&mut self, zone: &str) {
        if self.added.len() < ADDED_MAX {
            self.added.push(zone.to_owned());
        }
    }
}

/// The nodes that can be thought of, by name.
pub(crate) fn nodes(model: &Model) -> Vec<NodeId> {
    model.live.nodes_by_name()
}
