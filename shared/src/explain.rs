//! Why a shard is led by whom it is, who would lead next, and how the last failover went.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::{NodeId, ShardId};
use crate::view::{FailoverMode, NodeState, ReplicaRole};

/// A shard's next failover and its last one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// The shard.
    pub shard: ShardId,
    /// Who leads now, as the answering node knows.
    pub leader: Option<NodeId>,
    /// The term.
    pub term: u64,
    /// Who may start a failover.
    pub mode: FailoverMode,
    /// Every replica, and what speaks for or against it.
    pub candidates: Vec<Candidate>,
    /// Who would lead next.
    pub heir: Option<NodeId>,
    /// Acknowledged writes that could be lost at most; `None`: not known.
    pub loss: Option<u64>,
    /// Why that is so.
    pub loss_why: String,
    /// Medians of this many failovers in the journal.
    pub samples: u32,
    /// How long each part would take, going by those.
    pub expected: Phases,
    /// The last failover of this very shard.
    pub last: Option<LastFailover>,
}

/// One replica, as a candidate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// Its node.
    pub node: NodeId,
    /// Whether it votes.
    pub role: ReplicaRole,
    /// How its node is.
    pub state: NodeState,
    /// Entries behind the leader, where known.
    pub lag: Option<u64>,
    /// Whether it could be handed the leadership now.
    pub able: bool,
    /// Why, or why not.
    pub why: String,
}

/// A failover that was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastFailover {
    /// When, on the winner's wall clock.
    pub unix_ms: u64,
    /// What the journal says of it.
    pub what: String,
    /// Why it was begun.
    pub cause: String,
    /// How long each part took.
    pub phases: Phases,
}

/// The parts of a failover, in microseconds; `None`: not measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phases {
    /// From the leader's last sign of life to the shard held unled: at most so long.
    pub detect_us: Option<u64>,
    /// Until a majority agreed and the winner stood.
    pub agree_us: Option<u64>,
    /// Until it had won.
    pub elect_us: Option<u64>,
    /// Until another node had heard of it.
    pub publish_us: Option<u64>,
    /// From winning until the first entry of its term was on a majority's disks.
    pub first_write_us: Option<u64>,
}

/// The parts by their names, in their order.
pub const PHASES: [&str; 5] = ["detect", "agree", "elect", "publish", "first write"];

impl Phases {
    /// The parts in their order.
    pub fn all(&self) -> [Option<u64>; 5] {
        [self.detect_us, self.agree_us, self.elect_us, self.publish_us, self.first_write_us]
    }

    /// From the parts in their order.
    pub fn of(
        [detect_us, agree_us, elect_us, publish_us, first_write_us]: [Option<u64>; 5],
    ) -> Self {
        Self { detect_us, agree_us, elect_us, publish_us, first_write_us }
    }

    /// Reads what [`fmt::Display`] has written at the end of a line, and what stands before it.
    pub fn read(line: &str) -> Option<(&str, Self)> {
        let at = line.rfind(MARK)?;
        let mut all = [None; 5];
        for part in line[at + MARK.len()..].split(", ") {
            let (name, milliseconds) = part.strip_suffix(" ms")?.rsplit_once(' ')?;
            let nth = PHASES.iter().position(|known| *known == name)?;
            let (whole, rest) = milliseconds.split_once('.')?;
            let thousandths: u64 = format!("{rest:0<3}").parse().ok()?;
            all[nth] = Some(whole.parse::<u64>().ok()?.checked_mul(1_000)? + thousandths);
        }
        Some((line[..at].trim_end(), Self::of(all)))
    }
}

/// What stands between a line's cause and its parts.
const MARK: &str = "· ";

impl fmt::Display for Phases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut before = MARK;
        for (name, part) in PHASES.iter().zip(self.all()) {
            let Some(part) = part else { continue };
            write!(f, "{before}{name} {}.{:03} ms", part / 1_000, part % 1_000)?;
            before = ", ";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let phases = Phases::of([Some(12_001), Some(950), None, Some(0), Some(4_000_100)]);
        let line = format!("n1 held dead {phases}");
        let expected = "n1 held dead · detect 12.001 ms, agree 0.950 ms, publish 0.000 ms, \
                        first write 4000.100 ms";
        assert_eq!(line, expected);
        assert_eq!(Phases::read(&line), Some(("n1 held dead", phases)));
        assert_eq!(Phases::read("leadership was handed over"), None);
        assert_eq!(Phases::read("odd · detect soon"), None);
        assert_eq!(Phases::read("odd · detect 99999999999999999999.1 ms"), None);
    }
}
