//! Failovers as the journal tells them: who took over which shard, why, and how long each part took.
//!
//! What the journal does not say is not known: a part that was not measured is never taken for 0.

use evenkeel_shared::event::{Event, EventKind};
use evenkeel_shared::explain::Phases;
use evenkeel_shared::ids::{NodeId, ShardId};

use super::journal::{EventKey, Journal};

/// Leaderships with one cause that begin within so long of each other are one incident.
const TOGETHER_MS: u64 = 5_000;

/// One shard's new leader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rise {
    /// The shard.
    pub(crate) shard: ShardId,
    /// Who leads it now.
    pub(crate) leader: Option<NodeId>,
    /// The parts; all unknown for a leadership that was handed over.
    pub(crate) phases: Phases,
    /// How long it took in all, in microseconds, where that is known.
    pub(crate) total_us: Option<u64>,
}

/// Leaderships that moved for one cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Incident {
    /// The first line of it.
    pub(crate) key: EventKey,
    /// When the first one had a new leader.
    pub(crate) unix_ms: u64,
    last_ms: u64,
    /// Why.
    pub(crate) cause: String,
    /// Whether an operator or the balance moved them, losing nothing.
    pub(crate) planned: bool,
    /// The shards, the slowest first.
    pub(crate) rises: Vec<Rise>,
}

impl Incident {
    /// The slowest shard: the incident's critical path.
    pub(crate) fn slowest(&self) -> Option<&Rise> {
        self.rises.first()
    }
}

/// Every incident of the journal, the newest first.
pub(crate) fn incidents(journal: &Journal) -> Vec<Incident> {
    let mut found: Vec<Incident> = Vec::new();
    for (key, event) in journal.iter() {
        let Some((cause, planned, rise)) = rise(event) else { continue };
        let same = |incident: &&mut Incident| {
            incident.cause == cause && key.unix_ms.saturating_sub(incident.last_ms) <= TOGETHER_MS
        };
        // Several nodes may be taken away at once: their lines alternate.
        if let Some(incident) = found.iter_mut().rev().take(8).find(same) {
            incident.last_ms = key.unix_ms;
            incident.rises.push(rise);
            continue;
        }
        found.push(Incident {
            key: key.clone(),
            unix_ms: key.unix_ms,
            last_ms: key.unix_ms,
            cause: cause.to_owned(),
            planned,
            rises: vec![rise],
        });
    }
    for incident in &mut found {
        incident.rises.sort_by_key(|rise| (std::cmp::Reverse(rise.total_us), rise.shard));
    }
    found.reverse();
    found
}

/// The median of all shards that took over by themselves, in microseconds.
pub(crate) fn median(incidents: &[Incident]) -> Option<u64> {
    let unplanned = incidents.iter().filter(|incident| !incident.planned);
    let mut totals: Vec<u64> =
        unplanned.flat_map(|incident| &incident.rises).filter_map(|rise| rise.total_us).collect();
    totals.sort_unstable();
    totals.get(totals.len() / 2).copied()
}

/// From the last sign of life until a first write: publishing and writing go on side by side.
fn total(phases: &Phases) -> Option<u64> {
    let before = [phases.detect_us, phases.agree_us, phases.elect_us];
    let after = phases.publish_us.max(phases.first_write_us);
    let known = before.into_iter().chain([after]).flatten();
    known.reduce(u64::saturating_add)
}

fn rise(event: &Event) -> Option<(&str, bool, Rise)> {
    let shard = event.shard.filter(|_| event.kind == EventKind::Leader)?;
    let leader = event.node;
    match Phases::read(&event.why) {
        Some((cause, phases)) => {
            let total_us = total(&phases);
            Some((cause, false, Rise { shard, leader, phases, total_us }))
        }
        // A shard's first leader is nobody's failover.
        None if event.why == FIRST => None,
        None => {
            let (phases, total_us) = (Phases::default(), event.took_us);
            Some((&event.why, true, Rise { shard, leader, phases, total_us }))
        }
    }
}

/// What the journal says of a shard that was never led before.
const FIRST: &str = "the shard's first leader";

#[cfg(test)]
mod tests {
    use evenkeel_shared::event::Severity;

    use super::*;

    fn line(unix_ms: u64, shard: u32, why: &str) -> Event {
        Event {
            id: 0,
            unix_ms,
            reporter: NodeId(1),
            kind: EventKind::Leader,
            severity: Severity::Warn,
            node: Some(NodeId(1)),
            shard: Some(ShardId(shard)),
            what: format!("n1 leads s{shard}, term 2"),
            why: why.into(),
            took_us: None,
        }
    }

    fn journal(lines: impl IntoIterator<Item = Event>) -> Journal {
        let mut journal = Journal::default();
        for line in lines {
            journal.add(line);
        }
        journal
    }

    #[test]
    fn shards_that_lost_one_leader_are_one_incident_and_the_slowest_leads_it() {
        let short = "n3 held dead · detect 20.000 ms, agree 1.000 ms, elect 9.000 ms, \
                     publish 2.000 ms, first write 6.000 ms";
        let long = "n3 held dead · detect 27.000 ms, agree 4.000 ms, elect 20.000 ms, \
                    publish 7.000 ms, first write 13.000 ms";
        let found = incidents(&journal([
            line(1_000, 7, "the shard's first leader"),
            line(9_000, 1, short),
            line(9_004, 2, long),
            line(9_002, 3, "n4 held dead · detect 30.000 ms"),
            line(20_000, 1, short),
        ]));
        let shape: Vec<_> = found.iter().map(|i| (i.cause.as_str(), i.rises.len())).collect();
        assert_eq!(shape, [("n3 held dead", 1), ("n4 held dead", 1), ("n3 held dead", 2)]);
        let slowest = found[2].slowest().expect("it has shards");
        assert_eq!((slowest.shard, slowest.total_us), (ShardId(2), Some(64_000)));
        assert_eq!(median(&found), Some(36_000));
    }

    #[test]
    fn what_was_not_measured_is_not_known() {
        let found = incidents(&journal([line(1_000, 1, "leadership was handed over")]));
        assert!(found[0].planned);
        assert_eq!(found[0].rises[0].total_us, None);
        assert_eq!(median(&found), None);
    }
}
