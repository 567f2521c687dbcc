//! Slow is not dead: whether what a node does takes so much longer than it used to, or fails so much
//! more often, that others had better lead in its place.
//!
//! Each figure of a node is judged against its own past: a centre that moves over ten minutes, and a
//! mean absolute deviation from one that moves over seconds, so that a slow drift widens nothing.
//! All are blind to outliers: neither a hiccup nor a stall teaches that a stall is usual. Invariant: no figure below its floor is ever slow, and no single one is.

use std::collections::BTreeMap;
use std::fmt;

use evenkeel_shared::heartbeat::Load;
use evenkeel_shared::ids::NodeId;

/// How figures are judged.
#[derive(Clone, Copy, Debug)]
pub struct SlowConfig {
    /// How much a figure moves what is usual: one in so many, ten minutes of heartbeats.
    pub memory: f64,
    /// And what is usual at the moment, from which deviations count: five seconds.
    pub moment: f64,
    /// So many deviations above the centre are unusual.
    pub spread: f64,
    /// So many figures before anything is judged by the past.
    pub young: u32,
    /// So many unusual ones in a row make a node slow: 1.5 s of heartbeats.
    pub onset: u32,
    /// So many usual ones in a row make it well again: 10 s.
    pub release: u32,
}

impl Default for SlowConfig {
    fn default() -> Self {
        Self { memory: 6_000.0, moment: 50.0, spread: 8.0, young: 50, onset: 15, release: 100 }
    }
}

/// So many times as long as the others: what saturates a shared disk or machine is nobody's fault.
const PEERS_TIMES: f64 = 4.0;

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Axis {
    /// How long a sync of the log takes, or has been waited for.
    Sync,
    /// How late the node's own timer comes: its processor or its memory is short.
    Lag,
    /// How long a heartbeat takes there and back.
    RoundTrip,
    /// How many calls of it fail.
    Failures,
}

/// Every axis, the first to the last.
const AXES: (Axis, Axis) = (Axis::Sync, Axis::Failures);

impl Axis {
    /// What is never unusual, in microseconds or thousandths: a machine that is merely busy does not
    /// get there for long.
    fn floor(self) -> f64 {
        match self {
            Self::Sync | Self::Lag => 400_000.0,
            Self::RoundTrip => 500_000.0,
            Self::Failures => 250.0,
        }
    }

    /// A figure with its unit.
    fn show(self, figure: u32) -> String {
        match self {
            Self::Failures => format!("{:.1} %", f64::from(figure) / 10.0),
            Self::Sync | Self::Lag | Self::RoundTrip => {
                format!("{:.1} ms", f64::from(figure) / 1_000.0)
            }
        }
    }
}

impl fmt::Display for Axis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sync => "syncs take",
            Self::Lag => "its timers come late by",
            Self::RoundTrip => "heartbeats take",
            Self::Failures => "calls of it fail:",
        })
    }
}

/// Why a node is slow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slowness {
    /// What is unusual.
    pub axis: Axis,
    /// What it was last, in microseconds or thousandths.
    pub last: u32,
    /// What is usual.
    pub usual: u32,
}

impl fmt::Display for Slowness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { axis, last, usual } = *self;
        write!(f, "{axis} {}, usually {}", axis.show(last), axis.show(usual))
    }
}

/// One figure of one node, beside what is usual.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Standing {
    /// What is looked at.
    pub axis: Axis,
    /// What it was last, in microseconds or thousandths.
    pub last: u32,
    /// What is usual.
    pub usual: u32,
    /// From where on it is unusual.
    pub limit: u32,
    /// Whether the node is slow for it.
    pub is_slow: bool,
}

impl Standing {
    /// What must be so again.
    pub fn usual_again(&self) -> String {
        format!("{} below {}", self.axis, self.axis.show(self.limit))
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { axis, last, usual, limit, .. } = *self;
        let (last, usual, limit) = (axis.show(last), axis.show(usual), axis.show(limit));
        write!(f, "{axis} {last}, usually {usual}, unusual from {limit} on")
    }
}

/// The past of one figure of one node.
#[derive(Clone, Copy, Debug, Default)]
struct Track {
    centre: f64,
    moment: f64,
    deviation: f64,
    figures: u32,
    last: f64,
    /// What it was of late, outliers and all: two seconds.
    recent: f64,
    unusual: u32,
    usual: u32,
    slow: bool,
}

impl Track {
    fn limit(&self, axis: Axis, config: &SlowConfig) -> f64 {
        let unusual = self.centre + config.spread * self.deviation;
        if self.figures < config.young { axis.floor() } else { unusual.max(axis.floor()) }
    }

    fn take(&mut self, value: f64, axis: Axis, config: &SlowConfig) {
        let over = value > self.limit(axis, config);
        (self.unusual, self.usual) =
            if over { (self.unusual.saturating_add(1), 0) } else { (0, self.usual + 1) };
        self.slow = self.unusual >= config.onset || self.slow && self.usual < config.release;
        self.last = value;
        self.recent += (value - self.recent) / 20.0;
        self.learn(value, config);
    }

    fn learn(&mut self, value: f64, config: &SlowConfig) {
        self.figures = self.figures.saturating_add(1);
        if self.figures == 1 {
            (self.centre, self.moment, self.deviation) = (value, value, value / 2.0);
            return;
        }
        // While it is young, each figure counts for more; an outlier counts for three deviations.
        let weight = |memory: f64| 1.0 / memory.min(f64::from(self.figures));
        let (slowly, soon) = (weight(config.memory), weight(config.moment));
        let most = 3.0 * self.deviation.max(self.centre / 4.0);
        let off = (value - self.moment).clamp(-most, most);
        self.centre += slowly * (value - self.centre).clamp(-most, most);
        self.moment += soon * off;
        self.deviation += slowly * (off.abs() - self.deviation);
    }
}

/// The past of every node that was heard.
#[derive(Clone, Debug, Default)]
pub struct Gauges {
    config: SlowConfig,
    tracks: BTreeMap<(NodeId, Axis), Track>,
    /// The share of calls that fail, in thousandths.
    failing: BTreeMap<NodeId, f64>,
}

impl Gauges {
    /// Takes what a node says of itself.
    pub fn take_load(&mut self, node: NodeId, load: &Load) {
        let waits = load.sync_wait_ms.map(|ms| ms.saturating_mul(1_000));
        if let Some(sync_us) = load.sync_us.into_iter().chain(waits).max() {
            self.take(node, Axis::Sync, sync_us);
        }
        if let Some(lag_us) = load.lag_us {
            self.take(node, Axis::Lag, lag_us);
        }
    }

    /// Takes how many of the latest calls of a node have failed, in thousandths. Single ones are few,
    /// so that it is their share over two seconds that counts.
    pub fn take_failures(&mut self, node: NodeId, failed: u32) {
        let share = self.failing.entry(node).or_default();
        *share += (f64::from(failed) - *share) / 20.0;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "up to 1000")]
        let share = *share as u32;
        self.take(node, Axis::Failures, share);
    }

    /// Takes one figure, in microseconds or thousandths.
    pub fn take(&mut self, node: NodeId, axis: Axis, figure: u32) {
        let config = self.config;
        let track = self.tracks.entry((node, axis)).or_default();
        track.take(f64::from(figure), axis, &config);
    }

    /// Whether a node is slow, and in what.
    pub fn slowness(&self, node: NodeId) -> Option<Slowness> {
        let own = self.tracks.range((node, AXES.0)..=(node, AXES.1));
        let slow =
            own.filter(|((_, axis), track)| track.slow && self.stands_out(node, *axis, track));
        let worst = slow.max_by(|(_, left), (_, right)| left.last.total_cmp(&right.last));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "both fit")]
        worst.map(|((_, axis), track)| Slowness {
            axis: *axis,
            last: track.last as u32,
            usual: track.centre.max(0.0) as u32,
        })
    }

    /// Whether a node takes much longer than the others do just now: where all are slow, nobody would
    /// lead better, and handing over only adds to what there is to do.
    fn stands_out(&self, node: NodeId, axis: Axis, track: &Track) -> bool {
        let others = self.tracks.iter().filter(|((other, its), _)| *other != node && *its == axis);
        let mut others: Vec<f64> = others.map(|(_, track)| track.recent).collect();
        others.sort_by(f64::total_cmp);
        let median = others.get(others.len() / 2);
        median.is_none_or(|median| track.recent > PEERS_TIMES * median)
    }

    /// What is known of a node, by axis.
    pub fn standings(&self, node: NodeId) -> Vec<Standing> {
        let own = self.tracks.range((node, AXES.0)..=(node, AXES.1));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "all fit")]
        let whole = |us: f64| us.max(0.0) as u32;
        let standing = |((_, axis), track): (&(NodeId, Axis), &Track)| Standing {
            axis: *axis,
            last: whole(track.last),
            usual: whole(track.centre),
            limit: whole(track.limit(*axis, &self.config)),
            is_slow: track.slow && self.stands_out(node, *axis, track),
        };
        own.map(standing).collect()
    }

    /// Forgets a node that has left, or a process that was started again.
    pub fn forget(&mut self, node: NodeId) {
        self.tracks.retain(|(known, _), _| *known != node);
        self.failing.remove(&node);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: NodeId = NodeId(1);

    #[test]
    fn where_all_are_slow_nobody_stands_out() {
        let mut gauges = quick();
        for _ in 0..600 {
            gauges.take(NodeId(2), Axis::Sync, 2_000);
            gauges.take(NodeId(3), Axis::Sync, 2_000);
        }
        for _ in 0..100 {
            feed(&mut gauges, 1, |_| 1_500_000);
            gauges.take(NodeId(2), Axis::Sync, 900_000);
            gauges.take(NodeId(3), Axis::Sync, 800_000);
        }
        assert_eq!([1, 2, 3].map(|node| gauges.slowness(NodeId(node)).is_some()), [false; 3]);
        for _ in 0..300 {
            feed(&mut gauges, 1, |_| 1_500_000);
            gauges.take(NodeId(2), Axis::Sync, 2_000);
            gauges.take(NodeId(3), Axis::Sync, 2_000);
        }
        assert_eq!(
            [1, 2, 3].map(|node| gauges.slowness(NodeId(node)).is_some()),
            [true, false, false]
        );
    }

    fn feed(gauges: &mut Gauges, count: u32, value_us: impl Fn(u32) -> u32) {
        for nth in 0..count {
            gauges.take(NODE, Axis::Sync, value_us(nth));
        }
    }

    fn quick() -> Gauges {
        let mut gauges = Gauges::default();
        feed(&mut gauges, 600, |nth| 2_000 + nth % 7 * 500);
        assert_eq!(gauges.slowness(NODE), None);
        gauges
    }

    #[test]
    fn a_stall_is_seen_after_fifteen_heartbeats_and_forgotten_after_a_hundred() {
        let mut gauges = quick();
        feed(&mut gauges, 14, |nth| 500_000 + nth * 100_000);
        assert_eq!(gauges.slowness(NODE), None);
        feed(&mut gauges, 1, |_| 1_800_000);
        let slow = gauges.slowness(NODE).expect("it stalls");
        assert_eq!((slow.axis, slow.last), (Axis::Sync, 1_800_000));
        assert!(slow.usual < 10_000, "{slow:?}");
        feed(&mut gauges, 99, |_| 2_000);
        assert!(gauges.slowness(NODE).is_some());
        feed(&mut gauges, 1, |_| 2_000);
        assert_eq!(gauges.slowness(NODE), None);
    }

    #[test]
    fn a_hiccup_is_nothing_and_teaches_nothing() {
        let mut gauges = quick();
        for _ in 0..200 {
            feed(&mut gauges, 10, |_| 900_000);
            feed(&mut gauges, 10, |_| 2_000);
        }
        // Half of all figures are stalls: the centre has moved, and each run was too short.
        assert_eq!(gauges.slowness(NODE), None);
    }

    #[test]
    fn a_node_that_was_always_so_is_not_slow() {
        let mut gauges = Gauges::default();
        feed(&mut gauges, 40, |_| 150_000);
        feed(&mut gauges, 4_000, |nth| 150_000 + nth % 40 * 5_000);
        assert_eq!(gauges.slowness(NODE), None, "it drifts up slowly, as a full disk does");
        let slow = |gauges: &mut Gauges| {
            feed(gauges, 15, |_| 2_000_000);
            gauges.slowness(NODE).is_some()
        };
        assert!(slow(&mut gauges));
    }

    #[test]
    fn a_drift_is_flagged_long_before_it_stalls() {
        let mut gauges = quick();
        let mut at = None;
        for nth in 0..3_000_u32 {
            // From 2 ms to 600 ms in five minutes.
            gauges.take(NODE, Axis::Sync, 2_000 + nth * 200);
            if gauges.slowness(NODE).is_some() {
                at.get_or_insert(nth);
            }
        }
        let at = at.expect("it is flagged");
        assert!(2_000 + at * 200 < 450_000, "at {at}");
    }

    #[test]
    fn a_node_that_answers_half_of_its_calls_is_not_well_and_one_lost_call_is_nothing() {
        let mut gauges = Gauges::default();
        let feed = |gauges: &mut Gauges, count: u32, failed: &dyn Fn(u32) -> u32| {
            for nth in 0..count {
                gauges.take_failures(NODE, failed(nth));
                gauges.take_failures(NodeId(2), 0);
            }
        };
        feed(&mut gauges, 1_000, &|nth| if nth % 100 == 0 { 1_000 } else { 0 });
        assert_eq!(gauges.slowness(NODE), None);
        feed(&mut gauges, 60, &|nth| nth % 2 * 1_000);
        let words = gauges.slowness(NODE).expect("half of them fail").to_string();
        assert!(
            words.starts_with("calls of it fail: ") && words.contains(" %, usually "),
            "{words}"
        );
        feed(&mut gauges, 140, &|_| 0);
        assert_eq!(gauges.slowness(NODE), None, "well again");
    }
}
