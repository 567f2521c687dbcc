//! Who of a shard's replicas could lead next, who is ruled out by what, and what a failover would
//! cost: the same table before a fault and after it.
//!
//! Invariant: nobody is called able who would need another's word to be believed: a voter that is
//! fit, whose node answers, and whose log is complete as far as can be told.

use evenkeel_shared::event::{Event, EventKind};
use evenkeel_shared::explain::{Candidate, Explanation, LastFailover, Phases};
use evenkeel_shared::ids::{NodeId, ReplicaId, ShardId};
use evenkeel_shared::view::{
    ClusterFacts, FailoverMode, NodeState, ReplicaRole, ShardFacts, SyncPolicy,
};

use super::facts::{Observed, ShardObserved, name};

/// So many failovers of the journal make the expectation.
const SAMPLES_MAX: usize = 50;

/// All that can be said; `None` if there is no such shard.
pub fn explain(
    facts: &ClusterFacts,
    observed: &Observed,
    shard: ShardId,
    journal: &[Event],
) -> Option<Explanation> {
    let known = facts.shards.get(&shard)?;
    let seen = observed.shards.get(&shard)?;
    // What is told is what would be without its leader.
    let gone = seen.leader.map(ReplicaId::node);
    let (candidates, heir) = candidates(facts, observed, (known, seen), gone);
    let (loss, loss_why) = loss(facts, known, seen, heir);
    let mut failovers = journal.iter().filter(|event| event.kind == EventKind::Leader);
    let failovers: Vec<(&Event, &str, Phases)> = failovers
        .by_ref()
        .filter_map(|event| {
            let (cause, phases) = Phases::read(&event.why)?;
            Some((event, cause, phases))
        })
        // The first leader of a shard follows nobody that could have been missed.
        .filter(|(.., phases)| phases.detect_us.is_some())
        .collect();
    let own = failovers.iter().rev().find(|(event, ..)| event.shard == Some(shard));
    let last = own.map(|(event, cause, phases)| LastFailover {
        unix_ms: event.unix_ms,
        what: event.what.clone(),
        cause: (*cause).to_owned(),
        phases: *phases,
    });
    let recent = &failovers[failovers.len().saturating_sub(SAMPLES_MAX)..];
    let mode = if shard.is_system() {
        FailoverMode::Automatic
    } else {
        facts.recovery.modes.of(known.keyspace, observed.at_unix_ms)
    };
    Some(Explanation {
        shard,
        leader: seen.leader.map(ReplicaId::node),
        term: seen.term,
        mode,
        candidates,
        heir: heir.map(ReplicaId::node),
        loss,
        loss_why,
        samples: u32::try_from(recent.len()).unwrap_or(u32::MAX),
        expected: median(recent.iter().map(|(_, _, phases)| *phases)),
        last,
    })
}

/// Every replica with what speaks for or against it, and who would lead next, while all are there or
/// when one node is gone.
pub fn candidates(
    facts: &ClusterFacts,
    observed: &Observed,
    (shard, seen): (&ShardFacts, &ShardObserved),
    gone: Option<NodeId>,
) -> (Vec<Candidate>, Option<ReplicaId>) {
    let mut all: Vec<ReplicaId> = seen.voters.iter().chain(&seen.learners).copied().collect();
    all.extend(shard.replicas.keys().filter(|copy| !all.contains(copy)).collect::<Vec<_>>());
    let against = |replica: ReplicaId| ruled_out(facts, observed, seen, (replica, gone));
    let lag = |replica: &ReplicaId| seen.replicas.get(replica).and_then(|known| known.lag);
    let fit = all.iter().copied().filter(|replica| against(*replica).is_none());
    let heir = fit.min_by_key(|replica| {
        let unwell = observed.state(replica.node()) != NodeState::Up;
        let linked = seen.is_linked(observed, *replica);
        (unwell, !linked, lag(replica).is_none(), lag(replica), *replica)
    });
    let candidate = |replica: &ReplicaId| {
        let (node, lag) = (replica.node(), lag(replica));
        let why = match against(*replica) {
            Some(why) => why,
            None if Some(*replica) == heir => "would lead next".to_owned(),
            None => why_not_first(facts, observed, seen, (*replica, heir)),
        };
        let able = against(*replica).is_none();
        let role = if seen.voters.contains(replica) {
            ReplicaRole::Voter
        } else if shard.replicas.get(replica).is_some_and(|held| held.role == ReplicaRole::Lost) {
            ReplicaRole::Lost
        } else {
            ReplicaRole::Learner
        };
        Candidate { node, role, state: observed.state(node), lag, able, why }
    };
    (all.iter().map(candidate).collect(), heir)
}

/// Voters that lack nothing but to be known to have caught up, which time brings.
pub fn catching_up(observed: &Observed, seen: &ShardObserved) -> impl Iterator<Item = ReplicaId> {
    let leader = seen.leader.filter(|leader| observed.answers(leader.node()));
    let followers =
        seen.voters.iter().copied().filter(move |voter| leader.is_some_and(|it| it != *voter));
    let sound = followers.filter(|voter| !seen.unfit.contains(voter));
    sound.filter(|voter| observed.answers(voter.node()) && !seen.caught_up(*voter))
}

/// Why a replica can't be handed the leadership now.
fn ruled_out(
    facts: &ClusterFacts,
    observed: &Observed,
    seen: &ShardObserved,
    (replica, gone): (ReplicaId, Option<NodeId>),
) -> Option<String> {
    let node = replica.node();
    if seen.leader == Some(replica) {
        return Some("leads now".to_owned());
    }
    if !seen.voters.contains(&replica) {
        return Some("does not vote".to_owned());
    }
    if seen.unfit.contains(&replica) {
        return Some("its data can't be trusted".to_owned());
    }
    if !observed.answers(node) {
        return Some(format!("{} is {}", name(facts, node), observed.state(node)));
    }
    let reached = seen.led_by(observed, replica, |node| Some(node) == gone);
    if reached < seen.quorum() && seen.answering(observed) >= seen.quorum() {
        let voters = seen.voters.len();
        return Some(match gone {
            Some(gone) => {
                format!("without {}, {reached} of {voters} voters: no majority", name(facts, gone))
            }
            None => format!("{} gets through to {reached} of {voters} voters", name(facts, node)),
        });
    }
    let led = seen.leader.filter(|leader| observed.answers(leader.node()));
    let behind = led.is_some() && !seen.caught_up(replica);
    behind.then(|| match seen.replicas.get(&replica).and_then(|known| known.lag) {
        Some(lag) => format!("{lag} entries behind"),
        None => "how far it is behind is not known".to_owned(),
    })
}

fn why_not_first(
    facts: &ClusterFacts,
    observed: &Observed,
    seen: &ShardObserved,
    (replica, heir): (ReplicaId, Option<ReplicaId>),
) -> String {
    let Some(heir) = heir else { return "able".to_owned() };
    let state = observed.state(replica.node());
    if state != NodeState::Up && observed.state(heir.node()) == NodeState::Up {
        return format!("able, but {} is {state}", name(facts, replica.node()));
    }
    let lag = |replica: ReplicaId| seen.replicas.get(&replica).and_then(|known| known.lag);
    match (lag(replica), lag(heir)) {
        (Some(own), Some(best)) if own > best => {
            format!(
                "able, but {} entries further behind than {}",
                own - best,
                name(facts, heir.node())
            )
        }
        _ => format!("able; {} comes first by number", name(facts, heir.node())),
    }
}

/// How many acknowledged writes a failover to the heir could lose at most, and why.
pub fn loss(
    facts: &ClusterFacts,
    shard: &ShardFacts,
    seen: &ShardObserved,
    heir: Option<ReplicaId>,
) -> (Option<u64>, String) {
    let keyspace = facts.keyspaces.get(&shard.keyspace);
    let sync = keyspace.map(|keyspace| keyspace.policy.sync).unwrap_or_default();
    if shard.id.is_system() || sync != SyncPolicy::Leader {
        let why = "every acknowledged write is on a majority's disks, and a majority elects";
        return (Some(0), why.to_owned());
    }
    let ends = heir.and_then(|heir| seen.replicas.get(&heir)).map(|known| known.last);
    match seen.last.zip(ends) {
        Some((leader, ends)) => {
            let writes = leader.saturating_sub(ends);
            let bytes = seen.log_bytes.zip(Some(leader)).filter(|(_, last)| *last > 0);
            let bytes = bytes.map_or_else(String::new, |(bytes, last)| {
                format!(", about {} bytes", bytes / last * writes)
            });
            let why = format!(
                "the leader acknowledges alone: its log ended at entry {leader} when it was last \
                 heard, the next leader's at {ends}{bytes}; what it took since then is not counted"
            );
            (Some(writes), why)
        }
        None => (None, "the leader acknowledges alone, and where its log ends is not known".into()),
    }
}

fn median(all: impl Iterator<Item = Phases>) -> Phases {
    let mut parts: [Vec<u64>; 5] = Default::default();
    for phases in all {
        for (known, part) in parts.iter_mut().zip(phases.all()) {
            known.extend(part);
        }
    }
    Phases::of(parts.map(|mut part| {
        part.sort_unstable();
        part.get(part.len() / 2).copied()
    }))
}

#[cfg(test)]
mod tests {
    use evenkeel_shared::event::Severity;

    use super::*;
    use crate::decide::world::World;

    fn failover(shard: u32, detect_us: u64) -> Event {
        let phases = Phases::of([Some(detect_us), Some(10), None, None, Some(30)]);
        Event {
            id: 1,
            unix_ms: detect_us,
            reporter: NodeId(2),
            kind: EventKind::Leader,
            severity: Severity::Info,
            node: Some(NodeId(2)),
            shard: Some(ShardId(shard)),
            what: format!("n2 leads s{shard}, term 2"),
            why: format!("n1 held dead {phases}"),
            took_us: None,
        }
    }

    fn world() -> World {
        let mut world = World::default();
        for node in 1..=4 {
            world.add_node(node);
        }
        world.add_shard(1, &[1, 2, 3], &[4], Some(1));
        world
    }

    #[test]
    fn everybody_is_told_why_they_would_or_would_not_lead() {
        let mut world = world();
        world.observed.nodes.get_mut(&NodeId(2)).unwrap().state = NodeState::Slow;
        let journal = [failover(2, 900), failover(1, 100), failover(1, 300)];
        let said = explain(&world.facts, &world.observed, ShardId(1), &journal).unwrap();
        let why: Vec<&str> = said.candidates.iter().map(|it| it.why.as_str()).collect();
        let expected = ["leads now", "able, but n2 is SLOW", "would lead next", "does not vote"];
        assert_eq!(why, expected);
        assert_eq!((said.heir, said.loss), (Some(NodeId(3)), Some(0)));
        assert_eq!(said.last.map(|last| last.unix_ms), Some(300), "the last one of this shard");
        assert_eq!((said.samples, said.expected.detect_us), (3, Some(300)));
        assert_eq!(said.expected.elect_us, None, "what was never measured is not 0");
    }

    #[test]
    fn nobody_would_lead_without_a_majority_beside_the_leader() {
        let mut world = world();
        world.cut(2, 3);
        let said = explain(&world.facts, &world.observed, ShardId(1), &[]).unwrap();
        let why: Vec<&str> = said.candidates.iter().map(|it| it.why.as_str()).collect();
        let neither = "without n1, 1 of 3 voters: no majority";
        assert_eq!(why, ["leads now", neither, neither, "does not vote"]);
        assert_eq!(said.heir, None);
    }

    #[test]
    fn a_leader_that_acknowledges_alone_may_lose_what_its_heir_lacks() {
        let mut world = world();
        let keyspace = world.facts.keyspaces.values_mut().next().unwrap();
        keyspace.policy.sync = SyncPolicy::Leader;
        let seen = world.observed.shards.get_mut(&ShardId(1)).unwrap();
        seen.last = Some(120);
        for known in seen.replicas.values_mut() {
            known.last = 100;
        }
        let said = explain(&world.facts, &world.observed, ShardId(1), &[]).unwrap();
        assert_eq!(said.loss, Some(20), "{}", said.loss_why);
        world.observed.shards.get_mut(&ShardId(1)).unwrap().last = None;
        let said = explain(&world.facts, &world.observed, ShardId(1), &[]).unwrap();
        assert_eq!(said.loss, None);
    }
}
