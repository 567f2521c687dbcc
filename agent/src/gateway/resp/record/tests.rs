//! What commands make of records, one by one.

use evenkeel_shared::ids::{Epoch, ShardId};
use evenkeel_shared::version::Version;

use super::*;

const NOW: u64 = 1_000_000;
const VERSION: Version = Version { shard: ShardId(1), epoch: Epoch(1), term: 1, index: 9 };

fn seen(value: Option<&str>, ends_ms: Option<u64>) -> Seen {
    let record = |value: &str| SeenRecord {
        value: Bytes::copy_from_slice(value.as_bytes()),
        version: VERSION,
        expires: ends_ms.map(Hlc::from_unix_ms),
    };
    Seen { record: value.map(record), now: Hlc::from_unix_ms(NOW) }
}

/// What is written: the value, `None` for a removal; and its end.
fn written(decision: &Decision) -> Option<(Option<String>, Option<u64>, Option<u64>)> {
    let text = |value: &Bytes| Some(String::from_utf8_lossy(value).into_owned());
    let (action, ttl_ms) = decision.write.as_ref()?;
    match action {
        WriteAction::CompareAndSet { value, expires, .. } => {
            Some((text(value), *ttl_ms, expires.map(Hlc::unix_ms)))
        }
        WriteAction::CompareAndDelete { .. } => Some((None, *ttl_ms, None)),
        other => panic!("{other:?} asks no condition"),
    }
}

#[test]
fn ranges_count_from_both_ends() {
    let value = Bytes::from_static(b"This is a string");
    let got = |first, last| String::from_utf8(range(&value, first, last).to_vec()).unwrap();
    assert_eq!(got(0, 3), "This");
    assert_eq!(got(-3, -1), "ing");
    assert_eq!(got(0, -1), "This is a string");
    assert_eq!(got(10, 100), "string");
    assert_eq!(got(5, 3), "");
    assert_eq!(got(-100, 3), "This");
    assert_eq!(range(&Bytes::new(), 0, -1), "");
}

#[test]
fn an_append_and_a_splice_keep_the_end_of_the_record() {
    let decision = Update::Append("b".into()).decide(&seen(Some("a"), Some(NOW + 5)));
    assert_eq!(written(&decision), Some((Some("ab".into()), None, Some(NOW + 5))));
    assert_eq!(decision.reply, Reply::Integer(2));
    let splice = Update::Splice { at: 3, piece: "x".into() };
    let decision = splice.decide(&seen(Some("a"), None));
    assert_eq!(written(&decision), Some((Some("a\0\0x".into()), None, None)));
    let far = Update::Splice { at: u64::MAX, piece: "x".into() };
    assert!(matches!(
        far.decide(&seen(None, None)),
        Decision { write: None, reply: Reply::Error(_) }
    ));
    let nothing = Update::Splice { at: 9, piece: Bytes::new() };
    assert_eq!(nothing.decide(&seen(None, None)), keep(Reply::Integer(0)));
}

#[test]
fn floats_add_and_say_what_is_none() {
    let add = |value, by| Update::AddFloat(by).decide(&seen(value, None));
    assert_eq!(add(Some("10.50"), 0.1).reply, Reply::Bulk("10.6".into()));
    assert_eq!(add(None, 5.0e3).reply, Reply::Bulk("5000".into()));
    for (value, by) in [(Some("x"), 1.0), (Some("inf"), 1.0), (Some("1e308"), 1e308)] {
        assert!(matches!(add(value, by), Decision { write: None, reply: Reply::Error(_) }));
    }
}

#[test]
fn a_set_asks_its_conditions_of_the_record_that_it_replaces() {
    let set = |condition, get, there| {
        let life = Life::Kept;
        let set = Update::Set { value: "new".into(), life, condition, get };
        let decision = set.decide(&seen(there, Some(NOW + 9)));
        (written(&decision).is_some(), decision.reply)
    };
    let old = || Reply::Bulk("old".into());
    assert_eq!(set(Condition::IfPresent, false, None), (false, Reply::Null));
    assert_eq!(set(Condition::IfPresent, false, Some("old")), (true, Reply::OK));
    assert_eq!(set(Condition::IfAbsent, true, Some("old")), (false, old()));
    assert_eq!(set(Condition::IfAbsent, true, None), (true, Reply::Null));
    assert_eq!(set(Condition::Always, true, Some("old")), (true, old()));
}

#[test]
fn another_end_replaces_the_one_that_is_there_if_it_may() {
    let end = |condition, life, ends_ms| {
        let decision = Update::End { life, condition }.decide(&seen(Some("v"), ends_ms));
        (written(&decision), decision.reply == Reply::Integer(1))
    };
    let later = Life::For(500);
    let put = |ttl_ms| Some((Some("v".to_owned()), ttl_ms, None));
    assert_eq!(end(EndCondition::Always, later, None), (put(Some(500)), true));
    assert_eq!(end(EndCondition::IfLater, later, Some(NOW + 900)), (None, false));
    assert_eq!(end(EndCondition::IfLater, later, None), (None, false));
    assert_eq!(end(EndCondition::IfEarlier, later, None), (put(Some(500)), true));
    assert_eq!(end(EndCondition::IfNone, later, Some(NOW + 1)), (None, false));
    assert_eq!(end(EndCondition::IfAny, later, Some(NOW + 1)), (put(Some(500)), true));
    let removed = (Some((None, None, None)), true);
    assert_eq!(end(EndCondition::Always, Life::For(-1), None), removed);
    assert_eq!(end(EndCondition::Always, Life::At(5), None), removed);
}

#[test]
fn what_is_told_of_a_record_is_told_of_none_too() {
    let look = |look: Look, value, ends| look.see(&seen(value, ends));
    assert_eq!(look(Look::Left(1_000), None, None), Reply::Integer(-2));
    assert_eq!(look(Look::Left(1_000), Some("v"), None), Reply::Integer(-1));
    assert_eq!(look(Look::Left(1_000), Some("v"), Some(NOW + 1_600)), Reply::Integer(2));
    assert_eq!(look(Look::Left(1), Some("v"), Some(NOW + 1_600)), Reply::Integer(1_600));
    assert_eq!(look(Look::Ends(1_000), Some("v"), Some(NOW + 1_600)), Reply::Integer(1_001));
    assert_eq!(look(Look::Type, Some("v"), None), Reply::Simple("string"));
    assert_eq!(look(Look::Type, None, None), Reply::Simple("none"));
    assert_eq!(look(Look::Length, Some("four"), None), Reply::Integer(4));
}
