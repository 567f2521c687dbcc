//! In which state a node is, and why: what its observers say, what it says of itself, what people
//! say of it, and what they want of it.
//!
//! Invariant: one observer alone never makes a node DOWN, and no report ever does.

use evenkeel_shared::ids::NodeId;
use evenkeel_shared::view::{
    ClusterFacts, NodeFacts, NodeIntent, NodeState, Observer, RecoveryPolicy, Rule,
};

use super::super::detector::VerdictState;
use super::super::facts::{Heard, NodeObserved, lives, name};
use super::speaks_of;

/// From this weight of reports on a node is SLOW.
const REPORTS_ENOUGH: u32 = 100;
/// So many of those that hold a node dead are named.
const NAMED_MAX: usize = 3;
/// Times at which a node went down that are remembered.
const DOWNS_MAX: usize = 16;

/// The state, and the evidence in words.
pub(super) fn state(
    facts: &ClusterFacts,
    node: &NodeFacts,
    (seen, observers, holders): (Option<&Heard>, Observer, &[NodeId]),
    now_unix_ms: u64,
) -> (NodeState, String) {
    let maintained = facts.recovery.maintains(node.id, now_unix_ms);
    let mut why = speaks_of(seen);
    if let Some(held) = maintained {
        let left = held.until_unix_ms.saturating_sub(now_unix_ms).div_ceil(1_000);
        why = format!("maintenance for {left} s more ({}): {}; {why}", held.by, held.why);
    }
    let Observer { against, asked } = observers;
    if against * 2 > asked {
        return (NodeState::Down, why);
    }
    if against > 0 {
        let named = holders.iter().take(NAMED_MAX).map(|holder| name(facts, *holder));
        let named = named.collect::<Vec<_>>().join(", ");
        let more = if holders.len() > NAMED_MAX { ", …" } else { "" };
        return (NodeState::Suspect, format!("held dead by {named}{more} ({against} of {asked})"));
    }
    let Some(seen) = seen.filter(|seen| seen.heard_ms.is_some()) else {
        return (NodeState::Unknown, why);
    };
    if seen.verdict != VerdictState::Alive {
        return (NodeState::Suspect, why);
    }
    if node.intent == NodeIntent::Drain {
        return drained(facts, node);
    }
    if seen.revision == Some(0) {
        return (NodeState::Joining, "has no map yet".to_owned());
    }
    if maintained.is_some() {
        return (NodeState::Maint, why);
    }
    match slow(facts, node, seen, now_unix_ms) {
        Some(slow) => (NodeState::Slow, slow),
        None => (NodeState::Up, why),
    }
}

fn drained(facts: &ClusterFacts, node: &NodeFacts) -> (NodeState, String) {
    let data = facts.shards.values().filter(|shard| !shard.id.is_system());
    let left = data.filter(|shard| shard.replicas.keys().any(|copy| copy.node() == node.id));
    match left.count() {
        0 => (NodeState::Drained, "holds no copies".to_owned()),
        left => (NodeState::Draining, format!("{left} copies left")),
    }
}

/// Why a node that answers had better not lead.
fn slow(facts: &ClusterFacts, node: &NodeFacts, seen: &Heard, now_unix_ms: u64) -> Option<String> {
    if let Some(load) = seen.load.as_ref().filter(|load| load.disk_low) {
        return Some(disk_words(load.disk_used_bytes, load.disk_total_bytes));
    }
    if let Some(slow) = &seen.slow {
        let drill = seen.load.as_ref().and_then(|load| load.drill.as_ref());
        return Some(drill.map_or(slow.clone(), |drill| format!("{slow}; drill: {drill}")));
    }
    let weight = facts.recovery.reports_on(node.id, now_unix_ms);
    let weight: u32 = weight.map(|report| u32::from(report.weight)).sum();
    if weight < REPORTS_ENOUGH {
        return None;
    }
    let words = facts.recovery.reports_on(node.id, now_unix_ms).map(|report| {
        let left = report.until_unix_ms.saturating_sub(now_unix_ms).div_ceil(1_000);
        format!("reported by {} for {left} s more: {}", report.source, report.reason)
    });
    Some(words.collect::<Vec<_>>().join("; "))
}

fn disk_words(used: Option<u64>, total: Option<u64>) -> String {
    let share = used.zip(total).filter(|(_, total)| *total > 0);
    let percent = share.map(|(used, total)| u128::from(used) * 100 / u128::from(total));
    let full = percent.map_or(String::new(), |percent| format!(" {percent} % full,"));
    format!("disk{full} takes no writes")
}

/// Whether the node goes and comes: whoever did so too often must be up for a while before it gets
/// anything new, and twice as long with each time more. A policy that only advises says so, and lets
/// it have what it gets.
pub(super) fn note_steadiness(
    seen: &mut NodeObserved,
    before: Option<&NodeObserved>,
    policy: &RecoveryPolicy,
    now_unix_ms: u64,
) {
    let flapping = policy.flapping;
    seen.downs = before.map(|before| before.downs.clone()).unwrap_or_default();
    let was_down = before.is_some_and(|before| before.state == NodeState::Down);
    if seen.state == NodeState::Down && before.is_some() && !was_down {
        seen.downs.push(now_unix_ms);
    }
    let recent = |at: &u64| now_unix_ms.saturating_sub(*at) < flapping.within_ms;
    seen.downs.retain(recent);
    let first = seen.downs.len().saturating_sub(DOWNS_MAX);
    seen.downs.drain(..first);
    let downs = seen.downs.len();
    let most = usize::from(flapping.downs);
    let rule = policy.rules.flapping;
    if downs < most || rule == Rule::Observe {
        return;
    }
    let doublings = u32::try_from(downs - most).unwrap_or(u32::MAX).min(6);
    let hold_ms = flapping.hold_ms.saturating_mul(1 << doublings);
    // It counts from when it was back.
    let since = before.filter(|before| lives(before.state)).map(|before| before.since_unix_ms);
    let until = since.unwrap_or(now_unix_ms).saturating_add(hold_ms);
    let acts = rule == Rule::Act;
    if acts && (!lives(seen.state) || until > now_unix_ms) {
        seen.unsteady_until = Some(until);
    }
    if lives(seen.state) && until > now_unix_ms {
        let left = (until - now_unix_ms).div_ceil(1_000);
        let gets = if acts { "gets" } else { "should get" };
        seen.why =
            format!("went down {downs} times: {gets} nothing new for {left} s; {}", seen.why);
    }
}
