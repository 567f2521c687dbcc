//! A restore's way forward and back.

use evenkeel_shared::ids::IntentId;
use evenkeel_shared::view::{IntentKind, IntentPhase};

use super::*;

const OLD: ShardId = ShardId(1);
const NEW: ShardId = ShardId(3);
const INTENT: IntentId = IntentId(0);

/// Shards 1 and 2 serve; shard 3 is built beside for shard 1's slots.
fn beside() -> ClusterFacts {
    let mut facts = with_shards();
    ok(&mut facts, &create(&[(LOW, &[1, 2, 3])], ShardPhase::Beside));
    facts
}

fn begin(pairs: &[(Option<ShardId>, ShardId)]) -> SystemCommand {
    let (archive, backup) = ("/archive".to_owned(), "b1".to_owned());
    let kind = IntentKind::Restore { archive, backup, pairs: pairs.to_vec() };
    SystemCommand::BeginIntent { kind, cause: "ann".to_owned() }
}

fn advance(from: IntentPhase, to: IntentPhase) -> SystemCommand {
    SystemCommand::AdvanceIntent { intent: INTENT, from, to }
}

fn end(drop: &[ShardId]) -> SystemCommand {
    SystemCommand::EndIntent { intent: INTENT, drop: drop.to_vec() }
}

fn phases(facts: &ClusterFacts) -> (ShardPhase, ShardPhase) {
    (facts.shards[&OLD].phase, facts.shards[&NEW].phase)
}

fn begun() -> ClusterFacts {
    let mut facts = beside();
    assert_eq!(ok(&mut facts, &begin(&[(Some(OLD), NEW)])), SystemReply::Intent(INTENT));
    facts
}

fn complete() -> ClusterFacts {
    let mut facts = begun();
    ok(&mut facts, &advance(IntentPhase::Building, IntentPhase::Sealing));
    assert_eq!(phases(&facts), (ShardPhase::Serving, ShardPhase::Beside));
    ok(&mut facts, &advance(IntentPhase::Sealing, IntentPhase::Opening));
    assert_eq!(phases(&facts), (ShardPhase::Retired, ShardPhase::Serving));
    assert_eq!(facts.shard_of(KEYSPACE, evenkeel_shared::key::Slot(5)), Some(NEW));
    ok(&mut facts, &advance(IntentPhase::Opening, IntentPhase::Complete));
    facts
}

#[test]
fn an_accepted_restore_drops_the_old_shard() {
    let mut facts = complete();
    refused(&facts, &end(&[NEW]), "is serving");
    refused(&facts, &end(&[ShardId(2)]), "no part of");
    ok(&mut facts, &end(&[OLD]));
    assert!(facts.intents.is_empty() && !facts.shards.contains_key(&OLD));
    assert_eq!(facts.next.intent, 1, "its number is not given out again");
}

#[test]
fn an_undone_restore_gives_the_slots_back() {
    let mut facts = complete();
    ok(&mut facts, &advance(IntentPhase::Complete, IntentPhase::UndoSealing));
    refused(&facts, &end(&[OLD]), "can't end there");
    ok(&mut facts, &advance(IntentPhase::UndoSealing, IntentPhase::UndoOpening));
    assert_eq!(phases(&facts), (ShardPhase::Serving, ShardPhase::Retired));
    ok(&mut facts, &end(&[NEW]));
    assert_eq!(facts.shard_of(KEYSPACE, evenkeel_shared::key::Slot(5)), Some(OLD));
}

#[test]
fn a_restore_can_fail_until_the_map_has_changed_hands() {
    let failed = || IntentPhase::Failed("no archive".to_owned());
    let mut facts = begun();
    ok(&mut facts, &advance(IntentPhase::Building, failed()));
    ok(&mut facts, &end(&[NEW]));
    assert!(!facts.shards.contains_key(&NEW));
    refused(&complete(), &advance(IntentPhase::Complete, failed()), "can't go");
}

#[test]
fn a_step_from_where_the_intent_no_longer_stands_is_refused() {
    let facts = complete();
    refused(&facts, &advance(IntentPhase::Building, IntentPhase::Sealing), "is Complete");
    refused(&facts, &advance(IntentPhase::Complete, IntentPhase::Opening), "can't go");
    let stranger = SystemCommand::AdvanceIntent {
        intent: IntentId(9),
        from: IntentPhase::Building,
        to: IntentPhase::Sealing,
    };
    refused(&facts, &stranger, "no intent 9");
    refused(&begun(), &end(&[]), "can't end there");
}

#[test]
fn a_restore_begins_alone_and_with_shards_that_fit() {
    refused(&begun(), &begin(&[(Some(OLD), NEW)]), "is not over");
    let facts = beside();
    refused(&facts, &begin(&[]), "needs shards");
    refused(&facts, &begin(&[(Some(OLD), ShardId(2))]), "s2 is Serving, not Beside");
    refused(&facts, &begin(&[(Some(NEW), NEW)]), "s3 is Beside, not Serving");
    refused(&facts, &begin(&[(Some(OLD), ShardId(9))]), "no shard s9");
    refused(&facts, &begin(&[(Some(OLD), NEW), (None, NEW)]), "(twice)");
    refused(&facts, &begin(&[(Some(OLD), NEW), (Some(OLD), NEW)]), "(twice)");
}

#[test]
fn one_new_shard_may_replace_several_old_ones() {
    let mut facts = with_shards();
    ok(&mut facts, &create(&[(&[SlotRange(0, 199)], &[1, 2, 3])], ShardPhase::Beside));
    let olds = [OLD, ShardId(2)];
    ok(&mut facts, &begin(&olds.map(|old| (Some(old), NEW))));
    ok(&mut facts, &advance(IntentPhase::Building, IntentPhase::Sealing));
    ok(&mut facts, &advance(IntentPhase::Sealing, IntentPhase::Opening));
    assert!(olds.iter().all(|old| facts.shards[old].phase == ShardPhase::Retired));
    assert_eq!(facts.shards[&NEW].phase, ShardPhase::Serving);
    ok(&mut facts, &advance(IntentPhase::Opening, IntentPhase::Complete));
    ok(&mut facts, &end(&olds));
    assert!(facts.intents.is_empty());
}

#[test]
fn rule_16_a_swap_that_would_leave_a_slot_with_two_shards_is_refused() {
    let mut facts = beside();
    // The old shard is not named, so it would go on serving.
    ok(&mut facts, &begin(&[(None, NEW)]));
    ok(&mut facts, &advance(IntentPhase::Building, IntentPhase::Sealing));
    let swap = advance(IntentPhase::Sealing, IntentPhase::Opening);
    refused(&facts, &swap, "would both hold slot 0");
}
