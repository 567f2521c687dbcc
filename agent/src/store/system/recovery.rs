//! What operators declare of recovery: policies in versions, modes, maintenance, reports, words on
//! the plan, acts for later. What has run out leaves with the next change, by the log's own time.

use evenkeel_shared::command::SystemReply;
use evenkeel_shared::ids::{KeyspaceId, ShardId};
use evenkeel_shared::limits::{
    DECISIONS_MAX, GRACE_MAX_MS, NAME_CHARS_MAX, POLICIES_MAX, REASON_CHARS_MAX, REPLICAS_MAX,
    REPORTS_MAX, SCHEDULED_MAX,
};
use evenkeel_shared::view::{
    ClusterFacts, FailoverMode, FaultReport, PolicyVersion, RecoveryChange, RecoveryPolicy,
    Scheduled,
};

use super::{Reply, node_mut, shard_mut};

/// Applies one change at the time of its entry.
pub(super) fn apply(facts: &mut ClusterFacts, wanted: &RecoveryChange, now_ms: u64) -> Reply {
    forget_what_ran_out(facts, now_ms);
    match wanted {
        RecoveryChange::SetPolicy { replaces, new } => set_policy(facts, *replaces, new)?,
        RecoveryChange::SetMode { keyspace, mode } => set_mode(facts, *keyspace, *mode, now_ms)?,
        RecoveryChange::SetCopies { shard, copies } => set_copies(facts, *shard, *copies)?,
        RecoveryChange::Maintain { node, maintenance } => {
            node_mut(facts, *node)?;
            match maintenance {
                Some(held) => {
                    check_end(held.until_unix_ms, now_ms)?;
                    check_words(&[&held.by, &held.why])?;
                    facts.recovery.maintenance.insert(*node, held.clone());
                }
                None => drop(facts.recovery.maintenance.remove(node)),
            }
        }
        RecoveryChange::Report(report) => take_report(facts, report, now_ms)?,
        RecoveryChange::Withdraw { node } => {
            facts.recovery.reports.retain(|report| report.node != *node);
        }
        RecoveryChange::Decide { step, decision } => {
            check_words(&[step])?;
            let decisions = &mut facts.recovery.decisions;
            match decision {
                Some(word) => {
                    check_end(word.until_unix_ms, now_ms)?;
                    if decisions.len() >= DECISIONS_MAX && !decisions.contains_key(step) {
                        return Err(format!("{DECISIONS_MAX} decisions are kept already"));
                    }
                    decisions.insert(step.clone(), word.clone());
                }
                None => drop(decisions.remove(step)),
            }
        }
        RecoveryChange::Schedule(wanted) => schedule(facts, wanted, now_ms)?,
        RecoveryChange::Unschedule { id } => {
            let before = facts.recovery.scheduled.len();
            facts.recovery.scheduled.retain(|known| known.id != *id);
            if facts.recovery.scheduled.len() == before {
                return Err(format!("nothing is scheduled under number {id}"));
            }
        }
    }
    Ok(SystemReply::Done)
}

/// What concerned a node or shard that is gone goes with it.
pub(super) fn forget_what_is_gone(facts: &mut ClusterFacts) {
    let ClusterFacts { recovery, nodes, shards, keyspaces, .. } = facts;
    recovery.maintenance.retain(|node, _| nodes.contains_key(node));
    recovery.reports.retain(|report| nodes.contains_key(&report.node));
    recovery.copies.retain(|shard, _| shards.contains_key(shard));
    recovery.modes.keyspaces.retain(|keyspace, _| keyspaces.contains_key(keyspace));
}

fn forget_what_ran_out(facts: &mut ClusterFacts, now_ms: u64) {
    let recovery = &mut facts.recovery;
    recovery.maintenance.retain(|_, held| now_ms < held.until_unix_ms);
    recovery.reports.retain(|report| now_ms < report.until_unix_ms);
    recovery.decisions.retain(|_, word| now_ms < word.until_unix_ms);
    let over = |mode: &FailoverMode| mode.elects(now_ms);
    recovery.modes.keyspaces.retain(|_, mode| !over(mode));
    if over(&recovery.modes.cluster) {
        recovery.modes.cluster = FailoverMode::Automatic;
    }
}

fn set_policy(facts: &mut ClusterFacts, replaces: u32, new: &PolicyVersion) -> Result<(), String> {
    let held = facts.recovery.version();
    if held != replaces {
        return Err(format!(
            "version {held} of the policy holds, not {replaces}: look at it with `policy diff`"
        ));
    }
    new.policy.check(facts)?;
    RecoveryPolicy::check_text(&new.text)?;
    check_words(&[&new.by, &new.why])?;
    for (name, care) in &new.policy.keyspaces {
        let known = facts.keyspaces.values_mut().find(|known| known.name == *name);
        if let (Some(known), Some(grace_ms)) = (known, care.grace_ms) {
            known.policy.grace_ms = grace_ms;
        }
    }
    let policies = &mut facts.recovery.policies;
    policies.push(PolicyVersion { version: held + 1, ..new.clone() });
    if policies.len() > POLICIES_MAX {
        policies.remove(0);
    }
    Ok(())
}

fn set_mode(
    facts: &mut ClusterFacts,
    keyspace: Option<KeyspaceId>,
    mode: FailoverMode,
    now_ms: u64,
) -> Result<(), String> {
    if let FailoverMode::Paused { until_unix_ms } = mode {
        check_end(until_unix_ms, now_ms)?;
    }
    let Some(keyspace) = keyspace else {
        facts.recovery.modes.cluster = mode;
        return Ok(());
    };
    if !facts.keyspaces.contains_key(&keyspace) {
        return Err(format!("there is no {keyspace}"));
    }
    facts.recovery.modes.keyspaces.insert(keyspace, mode);
    Ok(())
}

fn set_copies(facts: &mut ClusterFacts, shard: ShardId, copies: Option<u8>) -> Result<(), String> {
    shard_mut(facts, shard)?;
    if shard.is_system() {
        return Err("the system shard's copies follow the number of nodes".to_owned());
    }
    match copies {
        Some(copies) if copies == 0 || copies > REPLICAS_MAX => {
            return Err(format!("a shard has 1 to {REPLICAS_MAX} replicas, not {copies}"));
        }
        Some(copies) => drop(facts.recovery.copies.insert(shard, copies)),
        None => drop(facts.recovery.copies.remove(&shard)),
    }
    Ok(())
}

fn take_report(facts: &mut ClusterFacts, report: &FaultReport, now_ms: u64) -> Result<(), String> {
    node_mut(facts, report.node)?;
    check_end(report.until_unix_ms, now_ms)?;
    check_words(&[&report.reason])?;
    if report.source.is_empty() || report.source.chars().count() > 2 * NAME_CHARS_MAX {
        return Err(format!("a source has a name of 1 to {} letters", 2 * NAME_CHARS_MAX));
    }
    let reports = &mut facts.recovery.reports;
    reports.retain(|known| known.node != report.node || known.source != report.source);
    if reports.len() >= REPORTS_MAX {
        reports.remove(0);
    }
    reports.push(report.clone());
    Ok(())
}

fn schedule(facts: &mut ClusterFacts, wanted: &Scheduled, now_ms: u64) -> Result<(), String> {
    check_end(wanted.at_unix_ms, now_ms)?;
    check_words(&[&wanted.by])?;
    let recovery = &mut facts.recovery;
    if recovery.scheduled.len() >= SCHEDULED_MAX {
        return Err(format!("{SCHEDULED_MAX} acts are scheduled already: cancel one"));
    }
    recovery.next += 1;
    recovery.scheduled.push(Scheduled { id: recovery.next, ..wanted.clone() });
    Ok(())
}

fn check_end(until_ms: u64, now_ms: u64) -> Result<(), String> {
    if until_ms <= now_ms {
        return Err("that time is over already: look at the clocks of nodes and console".to_owned());
    }
    if until_ms - now_ms > GRACE_MAX_MS {
        return Err(format!("at most {} hours ahead", GRACE_MAX_MS / 3_600_000));
    }
    Ok(())
}

fn check_words(words: &[&str]) -> Result<(), String> {
    match words.iter().find(|words| words.chars().count() > REASON_CHARS_MAX) {
        Some(_) => Err(format!("a sentence has at most {REASON_CHARS_MAX} letters")),
        None => Ok(()),
    }
}
