//! Between which nodes nothing gets through, though others hear both ends: told by whoever holds a node
//! dead that the others hear, and by copies that get nothing from their leader.
//!
//! Invariant: as with copies that stand still, time is added up from look to look.

use std::collections::BTreeMap;

use evenkeel_shared::ids::{NodeId, ShardId};

use super::super::facts::{Link, Observed, STANDS_STILL_MS};
use super::{HeardNodes, speaks};

/// For how long it is remembered of a link that nothing got through to a copy. If its ends heard each
/// other all the time, nobody finds out that it works again.
const UNFED_MS: u64 = 300_000;
/// And if they did not, after they do again: long enough that a link which comes and goes costs few
/// hand-overs.
const HEARD_AGAIN_MS: u64 = 30_000;

/// Notes who holds whom dead that some hear. It counts anew with each leader of the system shard: what
/// follows from it is tried by each.
pub(super) fn note_unheard(
    observed: &mut Observed,
    heard: &HeardNodes,
    before: &Observed,
    passed: u64,
) {
    let term = |picture: &Observed| picture.shards.get(&ShardId::SYSTEM).map(|seen| seen.term);
    let known = (term(observed) == term(before)).then_some(&before.unheard);
    let holders = heard.iter().filter(|(_, seen)| speaks(seen));
    let pairs = holders.flat_map(|(by, seen)| seen.dead.iter().map(|node| (*by, *node)));
    let unheard = pairs.filter(|(_, node)| observed.is_heard_by_some(*node)).map(|pair| {
        let known = known.and_then(|known| known.get(&pair));
        (pair, known.map_or(0, |known| known + passed))
    });
    observed.unheard = unheard.collect();
}

/// Notes between which nodes nothing gets through, whatever the shard.
pub(super) fn note_unfed(observed: &mut Observed, before: &Observed, passed: u64) {
    // A process that is started anew has calls of its own.
    let process = |picture: &Observed, node: NodeId| picture.nodes.get(&node)?.incarnation;
    let same = |node: NodeId| process(before, node) == process(observed, node);
    let mut unfed: BTreeMap<(NodeId, NodeId), Link> = before.unfed.clone();
    unfed.retain(|(from, to), _| same(*from) && same(*to));
    for link in unfed.values_mut() {
        link.for_ms += passed;
        link.heard_ms = link.heard_ms.map(|heard| heard + passed);
    }
    for seen in observed.shards.values() {
        if let Some((leader, (copy, _))) = seen.leader.zip(seen.starved(observed)) {
            let link = unfed.entry((leader.node(), copy.node())).or_default();
            link.for_ms = 0;
            // If it goes on for so long although the ends hear each other, that is not the cause.
            link.heard_ms = link.heard_ms.filter(|heard| *heard < STANDS_STILL_MS);
        }
    }
    let lasting = observed.nodes.keys().flat_map(|by| observed.deaf_to(*by).map(|to| (*by, to)));
    for (by, to) in lasting {
        // What one end does not hear does not answer the other, either.
        for pair in [(by, to), (to, by)] {
            unfed.insert(pair, Link { for_ms: 0, heard_ms: Some(0) });
        }
    }
    let limit = |link: &Link| if link.heard_ms.is_some() { HEARD_AGAIN_MS } else { UNFED_MS };
    unfed.retain(|_, link| link.for_ms < limit(link));
    observed.unfed = unfed;
}
