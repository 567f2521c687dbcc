//! Something of each node, found by the node's number without a search: a plan asks tens of thousands
//! of times.
//!
//! Invariant: numbers of any size are kept; only small ones, as joins give them out, are quick.

use std::collections::BTreeMap;

use evenkeel_shared::ids::NodeId;

/// Numbers below it are kept in a table.
const QUICK: usize = 4_096;

/// A value for each of some nodes.
#[derive(Clone, Debug)]
pub(super) struct ByNode<T> {
    quick: Vec<Option<T>>,
    others: BTreeMap<NodeId, Option<T>>,
}

impl<T> ByNode<T> {
    /// The node's value.
    pub(super) fn get(&self, node: NodeId) -> Option<&T> {
        match quick(node) {
            Some(place) => self.quick.get(place)?.as_ref(),
            None => self.others.get(&node)?.as_ref(),
        }
    }

    /// The node's value, which is made if there is none.
    pub(super) fn get_or(&mut self, node: NodeId, fresh: T) -> &mut T {
        self.slot(node).get_or_insert(fresh)
    }

    /// Every value.
    pub(super) fn values(&self) -> impl Iterator<Item = &T> {
        self.quick.iter().chain(self.others.values()).flatten()
    }

    fn slot(&mut self, node: NodeId) -> &mut Option<T> {
        let Some(place) = quick(node) else { return self.others.entry(node).or_default() };
        if self.quick.len() <= place {
            self.quick.resize_with(place + 1, || None);
        }
        &mut self.quick[place]
    }
}

impl<T> FromIterator<(NodeId, T)> for ByNode<T> {
    fn from_iter<I: IntoIterator<Item = (NodeId, T)>>(all: I) -> Self {
        let mut kept = Self { quick: Vec::new(), others: BTreeMap::new() };
        for (node, value) in all {
            *kept.slot(node) = Some(value);
        }
        kept
    }
}

fn quick(node: NodeId) -> Option<usize> {
    usize::try_from(node.0).ok().filter(|place| *place < QUICK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_numbers_and_large_ones_are_found_alike() {
        let nodes = [0, 1, 7, 4_095, 4_096, u32::MAX].map(NodeId);
        let mut kept: ByNode<u32> = nodes.into_iter().map(|node| (node, node.0)).collect();
        for node in nodes {
            assert_eq!(kept.get(node), Some(&node.0));
            *kept.get_or(node, 9) -= u32::from(node.0 > 0);
        }
        for absent in [2, 4_094, 4_097].map(NodeId) {
            assert_eq!(kept.get(absent), None);
            assert_eq!(*kept.get_or(absent, 9), 9);
        }
        let mut values: Vec<u32> = kept.values().copied().collect();
        values.sort_unstable();
        assert_eq!(values, [0, 0, 6, 9, 9, 9, 4_094, 4_095, u32::MAX - 1]);
    }
}
