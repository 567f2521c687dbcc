//! Between which nodes nothing gets through, though others hear both ends: told by whoever holds a node
//! dead that the others hear, and by copies that get nothing from their leader.
//!
//! Invariant: as with copies that stand still, time is added up from look to look.

use std::collections::BTreeMap;

use evenkeel_shared::ids::NodeId;
use evenkeel_shared::view::NodeState;

use super::super::facts::{Link, Observed};
use super::{HeardNodes, speaks};

/// For how long it is remembered of a link that nothing got through to a copy. If its ends heard each
/// other all the time, nobody finds out that it works again.
const UNFED_MS: u64 = 300_000;
/// And if they did not, after they do again: long enough that a link which comes and goes costs few
/// hand-overs.
const HEARD_AGAIN_MS: u64 = 30_000;

/// Notes who holds whom dead, of nodes that are not DOWN: a majority hears them.
pub(super) fn note_unheard(
    observed: &mut Observed,
    heard: &HeardNodes,
    before: &Observed,
    passed: u64,
) {
    let alive = |node: &NodeId| observed.state(*node) == NodeState::Suspect;
    let holders = heard.iter().filter(|(_, seen)| speaks(seen));
    let pairs = holders.flat_map(|(by, seen)| seen.dead.iter().map(|node| (*by, *node)));
    let unheard = pairs.filter(|(_, node)| alive(node)).map(|pair| {
        let known = before.unheard.get(&pair);
        (pair, known.map_or(0, |known| known + passed))
    });
    observed.unheard = unheard.collect();
}

/// Notes between which nodes nothing gets through, whatever the shard.
pub(super) fn note_unfed(observed: &mut Observed, before: &Observed, passed: u64) {
    let mut unfed: BTreeMap<(NodeId, NodeId), Link> = before.unfed.clone();
    for link in unfed.values_mut() {
        link.for_ms += passed;
    }
    let none = |unheard: bool| Link { for_ms: 0, unheard };
    for seen in observed.shards.values() {
        if let Some((leader, (copy, _))) = seen.leader.zip(seen.starved(observed)) {
            unfed.entry((leader.node(), copy.node())).or_insert(none(false)).for_ms = 0;
        }
    }
    let lasting = observed.nodes.keys().flat_map(|by| observed.deaf_to(*by).map(|to| (*by, to)));
    for (by, to) in lasting {
        // What one end does not hear does not answer the other, either.
        unfed.insert((by, to), none(true));
        unfed.insert((to, by), none(true));
    }
    let limit = |link: &Link| if link.unheard { HEARD_AGAIN_MS } else { UNFED_MS };
    unfed.retain(|_, link| link.for_ms < limit(link));
    observed.unfed = unfed;
}
