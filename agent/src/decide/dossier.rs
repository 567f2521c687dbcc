//! All that one observer can say of a node: what is seen on each axis, who else holds what, and what
//! would change the verdict.
//!
//! Invariant: nothing is judged here anew; the verdict is the one of `observe`.

use evenkeel_shared::dossier::{AxisEvidence, Dossier};
use evenkeel_shared::ids::NodeId;
use evenkeel_shared::view::{ClusterFacts, NodeState};

use super::detector::{Detector, DetectorConfig, Evidence, Verdict, VerdictState};
use super::facts::{Observed, name};
use super::observe::HeardNodes;
use super::slow::Standing;

/// Silences at which the curve is drawn, in milliseconds.
const CURVE_MS: [u32; 12] = [0, 100, 200, 300, 400, 500, 600, 800, 1_000, 1_500, 2_500, 5_000];

/// What the observer's own instruments show of the node; none of itself.
#[derive(Clone, Debug)]
pub struct Instruments {
    /// The detector's verdict.
    pub verdict: Verdict,
    /// Suspicion now.
    pub phi: Option<f64>,
    /// How it would rise.
    pub curve: Vec<(u32, f64)>,
    /// What is usual and what is not.
    pub standings: Vec<Standing>,
}

/// How suspicion of a node would rise.
pub fn curve(detector: &Detector, node: NodeId) -> Vec<(u32, f64)> {
    let silence = |ms: u32| std::time::Duration::from_millis(u64::from(ms));
    let at = |ms: u32| Some((ms, detector.phi_after(node, silence(ms))?));
    CURVE_MS.into_iter().filter_map(at).collect()
}

/// All of it.
pub fn dossier(
    facts: &ClusterFacts,
    observed: &Observed,
    heard: &HeardNodes,
    (observer, node): (NodeId, NodeId),
    seen: &Instruments,
) -> Option<Dossier> {
    let known = observed.nodes.get(&node)?;
    let others = facts.nodes.keys().filter(|other| **other != node);
    let word = |other: &NodeId| {
        let said = heard.get(other).filter(|said| said.verdict == VerdictState::Alive);
        (*other, said.map(|said| said.dead.contains(&node)))
    };
    let others: Vec<(NodeId, Option<bool>)> = others.map(word).collect();
    Some(Dossier {
        node,
        observer,
        state: known.state,
        since_unix_ms: known.since_unix_ms,
        why: known.why.clone(),
        flips: flips(facts, observed, (node, known.state), &others, seen),
        others,
        axes: axes(facts, observed, (observer, node), seen),
        curve: seen.curve.clone(),
    })
}

fn axes(
    facts: &ClusterFacts,
    observed: &Observed,
    (observer, node): (NodeId, NodeId),
    seen: &Instruments,
) -> Vec<AxisEvidence> {
    let mut axes = Vec::new();
    let mut say = |axis: &str, against: bool, seen: String| {
        axes.push(AxisEvidence { axis: axis.to_owned(), against, seen });
    };
    if observer != node {
        let refused = matches!(seen.verdict.evidence, Evidence::Refused(_));
        let words = if refused {
            "its connection closed, and dialling it again was refused"
        } else {
            "its connection stands"
        };
        say("crash", refused, words.to_owned());
        let phi = seen.phi.map_or("never heard".to_owned(), |phi| format!("phi {phi:.2}"));
        let silent = seen.verdict.state != VerdictState::Alive && !refused;
        say("silence", silent, format!("{phi}, {}", seen.verdict.evidence));
    }
    for standing in &seen.standings {
        say("slow", standing.is_slow, standing.to_string());
    }
    if observed.has_low_disk(node) {
        say("disk", true, "it takes no writes: the disk is nearly full".to_owned());
    }
    for report in facts.recovery.reports_on(node, observed.at_unix_ms) {
        let words = format!("{} ({}): {}", report.source, report.weight, report.reason);
        say("report", true, words);
    }
    if let Some(downs) = observed.nodes.get(&node).map(|known| known.downs.len()) {
        say("steadiness", observed.is_unsteady(node), format!("went down {downs} times of late"));
    }
    axes
}

fn flips(
    facts: &ClusterFacts,
    observed: &Observed,
    (node, state): (NodeId, NodeState),
    others: &[(NodeId, Option<bool>)],
    seen: &Instruments,
) -> Vec<String> {
    let mut flips = Vec::new();
    let config = DetectorConfig::default();
    let asked = others.iter().filter(|(_, word)| word.is_some()).count();
    let against = others.iter().filter(|(_, word)| *word == Some(true)).count();
    let missing = (asked / 2 + 1).saturating_sub(against);
    let name = name(facts, node);
    if state == NodeState::Down {
        flips.push(format!(
            "{} of the {asked} that hold it dead must hear {name} again",
            (against + 1).saturating_sub(asked.div_ceil(2)).max(1)
        ));
    } else {
        flips.push(format!("DOWN when {missing} more of {asked} observers hold it dead"));
        let dead = seen.curve.iter().find(|(ms, phi)| {
            *phi >= config.phi_dead && u128::from(*ms) >= config.silence_min.as_millis()
        });
        if let Some((ms, _)) = dead {
            flips.push(format!("this observer would hold it dead after {ms} ms of silence"));
        }
    }
    for standing in seen.standings.iter().filter(|standing| standing.is_slow) {
        flips.push(format!("UP when {} for ten seconds", standing.usual_again()));
    }
    for report in facts.recovery.reports_on(node, observed.at_unix_ms) {
        let left = report.until_unix_ms.saturating_sub(observed.at_unix_ms).div_ceil(1_000);
        flips.push(format!("the report of {} ends in {left} s, or with --withdraw", report.source));
    }
    if let Some(held) = facts.recovery.maintains(node, observed.at_unix_ms) {
        let left = held.until_unix_ms.saturating_sub(observed.at_unix_ms).div_ceil(1_000);
        flips.push(format!("maintenance ends in {left} s, or with `node maintain {name} --end`"));
    }
    flips
}
