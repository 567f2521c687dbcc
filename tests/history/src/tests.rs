//! The judges judged: histories by hand, right and wrong, and generated ones.
//!
//! One line an operation: `from-to action outcome`, with `?` for an end that was never seen, `-`
//! for no record, `@3` for a version, `!3` for the version that refused.

mod generated;

use bytes::Bytes;
use evenkeel_shared::ids::{Epoch, ShardId};
use evenkeel_shared::version::Version;

use crate::{Action, Broken, Condition, History, Operation, Outcome, Unexplained};

/// The version of a log entry.
fn version(index: u64) -> Version {
    Version { shard: ShardId(1), epoch: Epoch(1), term: 1, index }
}

fn value(word: &str) -> Bytes {
    Bytes::from(word.to_owned())
}

fn condition(word: &str) -> Condition {
    if word == "-" { Condition::Absent } else { Condition::Value(value(word)) }
}

fn outcome(words: &[&str]) -> Outcome {
    let number = |word: &str| version(word[1..].parse().expect("a version's number"));
    match words {
        [] => Outcome::Unknown,
        ["failed"] => Outcome::Failed,
        ["-"] => Outcome::Found(None),
        ["!-"] => Outcome::Mismatch { actual: None },
        [word] if word.starts_with('!') => Outcome::Mismatch { actual: Some(number(word)) },
        [word] => Outcome::Written { version: number(word), existed: None },
        [word, "new"] => Outcome::Written { version: number(word), existed: Some(false) },
        [word, "old"] => Outcome::Written { version: number(word), existed: Some(true) },
        [found, at] => Outcome::Found(Some((value(found), number(at)))),
        _ => panic!("no such outcome: {words:?}"),
    }
}

fn operation(line: &str) -> Operation {
    let words: Vec<&str> = line.split_whitespace().collect();
    let (from, to) = words[0].split_once('-').expect("from-to");
    let (action, rest) = match words[1..] {
        ["get", ref rest @ ..] => (Action::Get, rest.to_vec()),
        ["put", word, ref rest @ ..] => (Action::Put(value(word)), rest.to_vec()),
        ["delete", ref rest @ ..] => (Action::Delete, rest.to_vec()),
        ["cas", expected, new, ref rest @ ..] => {
            (Action::CompareAndSet(condition(expected), value(new)), rest.to_vec())
        }
        _ => panic!("no such action: {line}"),
    };
    Operation {
        client: 0,
        key: value("k"),
        action,
        invoked: from.parse().expect("a moment"),
        returned: if to == "?" { u64::MAX } else { to.parse().expect("a moment") },
        outcome: outcome(&rest),
    }
}

fn history(lines: &str) -> History {
    let mut history = History::default();
    lines.lines().map(str::trim).filter(|line| !line.is_empty()).for_each(|line| {
        history.push(operation(line));
    });
    history
}

/// Both judges must agree that it is right.
fn right(lines: &str) {
    crate::check(&history(lines)).unwrap_or_else(|verdict| panic!("{verdict}\n{lines}"));
}

/// Both judges must object, the first with this rule.
fn wrong(rule: Broken, lines: &str) {
    by_versions(rule, lines);
    by_search(lines);
}

fn by_versions(rule: Broken, lines: &str) {
    let violation = crate::versions(&history(lines)).expect_err(lines);
    assert_eq!(violation.broken, rule, "{violation}\n{lines}");
}

fn by_search(lines: &str) {
    let unexplained = crate::search(&history(lines)).expect_err(lines);
    assert!(matches!(unexplained, Unexplained::NoOrder { .. }), "{unexplained}\n{lines}");
}

#[test]
fn one_after_the_other() {
    right(
        "1-2 get -
         3-4 put a @1 new
         5-6 get a @1
         7-8 cas a b @2 old
         9-10 cas a c !2
         11-12 get b @2
         13-14 delete @3 old
         15-16 delete @4 new
         17-18 get -
         19-20 cas - d @5 new",
    );
}

#[test]
fn a_read_during_a_write_sees_either() {
    right("1-9 put a @1\n2-3 get -\n4-5 get a @1\n6-7 get a @1");
    right("1-2 put a @1\n3-9 put b @2\n4-5 get a @1\n6-7 get b @2");
}

#[test]
fn a_stale_read_is_wrong() {
    wrong(Broken::StaleRead, "1-2 put a @1\n3-4 put b @2\n5-6 get a @1");
}

#[test]
fn reads_that_go_back_during_one_write_are_wrong() {
    wrong(Broken::StaleRead, "1-2 put a @1\n3-9 put b @2\n4-5 get b @2\n6-7 get a @1");
}

#[test]
fn effects_alone_judge_a_later_read() {
    let lines = "1-2 put a @1\n3-4 get a @1\n5-6 cas b c !1\n7-8 put d failed\n9-10 put e";
    let effects = history(lines).effects();
    assert_eq!(effects.operations().len(), 2);
    let with = |line| {
        let mut all = effects.clone();
        all.push(operation(line));
        crate::check(&all)
    };
    assert!(with("11-12 get a @1").is_ok());
    assert!(with("11-12 get e @2").is_ok());
    assert!(with("11-12 get -").is_err());
}

#[test]
fn a_lost_write_is_wrong() {
    wrong(Broken::Lost, "1-2 put a @1\n3-4 get -");
    wrong(Broken::Lost, "1-2 put a @1\n3-4 get a @1\n5-6 cas b c !-\n");
}

#[test]
fn a_record_may_have_been_deleted_by_an_unknown_delete() {
    right("1-2 put a @1\n3-? delete\n5-6 get a @1\n7-8 get -");
    wrong(Broken::Lost, "1-2 put a @1\n3-4 get -\n5-? delete");
}

#[test]
fn a_write_applied_twice_is_wrong() {
    wrong(Broken::AppliedTwice, "1-2 put a @1\n3-4 put b @2\n5-6 get b @2\n7-8 get a @3");
    wrong(Broken::AppliedTwice, "1-? put a\n3-4 get a @1\n5-6 put b @2\n7-8 get a @3");
}

#[test]
fn an_unknown_write_may_show_up_late_or_never() {
    right("1-? put a\n2-3 get -\n4-5 put b @1\n6-7 get b @1\n8-9 get a @2");
    right("1-? put a\n2-3 get -\n4-5 put b @1\n6-7 get b @1");
    right("1-2 put a\n3-4 get -\n5-6 get a @1");
}

#[test]
fn an_unknown_write_seen_and_then_unseen_is_wrong() {
    wrong(Broken::Lost, "1-? put a\n2-3 get a @1\n4-5 get -");
    wrong(Broken::StaleRead, "1-2 put b @1\n3-? put a\n4-5 get a @2\n6-7 get b @1");
}

#[test]
fn a_chain_of_unknown_writes_may_explain_a_reply() {
    right("1-? put a\n2-? cas a b\n3-? cas b c\n4-5 get c @9");
    by_search("1-? put a\n3-? cas b c\n4-5 get c @9");
    right("1-2 put a @1\n3-? delete\n4-? cas - b\n5-6 get b @4");
}

#[test]
fn a_write_that_failed_or_was_refused_is_never_seen() {
    wrong(Broken::Impossible, "1-2 put a failed\n3-4 get a @1");
    wrong(Broken::Impossible, "1-2 put a @1\n3-4 cas z b !1\n5-6 get b @2");
}

#[test]
fn a_write_is_not_seen_before_it_begins() {
    wrong(Broken::Impossible, "1-2 get a @1\n3-4 put a @1");
}

#[test]
fn a_value_out_of_nowhere_is_wrong() {
    wrong(Broken::Invented, "1-2 put a @1\n3-4 get z @1");
}

#[test]
fn one_version_holds_one_value() {
    by_versions(Broken::TwoValues, "1-9 put a @1\n1-9 put b\n2-3 get a @1\n4-5 get b @1");
}

#[test]
fn writes_of_one_entry_share_its_version_if_they_overlap() {
    right("1-9 put a @1\n2-8 put b @1\n10-11 get b @1");
    right("1-9 put a @1\n2-8 put b @1\n10-11 get a @1");
    by_versions(Broken::WriteBehind, "1-2 put a @1\n3-4 put b @1");
}

#[test]
fn a_write_with_an_older_version_is_wrong() {
    by_versions(Broken::WriteBehind, "1-2 put a @5\n3-4 put b @4");
}

#[test]
fn a_lost_update_is_wrong() {
    wrong(Broken::LostUpdate, "1-2 put a @1\n3-4 put b @2\n5-6 cas a c @3");
    by_versions(Broken::LostUpdate, "1-2 put a @1\n3-9 put b @2\n4-8 cas a c @3\n5-6 get b @2");
    by_versions(Broken::LostUpdate, "1-9 put a @1\n1-9 put b @2\n1-9 cas a c @3");
    wrong(Broken::LostUpdate, "1-2 put a @1\n3-4 cas - c @3");
    right("1-2 put a @1\n3-? delete\n5-6 cas - c @3");
}

#[test]
fn a_refusal_by_the_expected_value_is_wrong() {
    by_search("1-2 put a @1\n3-4 cas a b !1");
    by_search("1-2 get -\n3-4 cas - b !-");
}

#[test]
fn a_reply_that_tells_whether_there_was_a_record_is_held_to_it() {
    by_search("1-2 put a @1\n3-4 delete @2 new");
    by_search("1-2 delete @1 old");
    right("1-? put a\n3-4 delete @2 old");
}

#[test]
fn values_are_unique() {
    by_versions(Broken::NotUnique, "1-2 put a @1\n3-4 put a @2");
}

#[test]
fn keys_are_judged_apart() {
    let mut history = history("1-2 put a @1\n3-4 put b @3");
    let other = Operation { key: value("other"), ..operation("5-6 put c @2") };
    history.push(other);
    crate::check(&history).expect("each key is right");
}

#[test]
fn a_call_that_never_ends_is_unknown() {
    let mut history = History::default();
    let call = |action| crate::Call { client: 1, key: value("k"), action };
    let put = history.begin(call(Action::Put(value("a"))));
    let get = history.begin(call(Action::Get));
    history.end(get, Outcome::Found(Some((value("a"), version(1)))));
    crate::check(&history).expect("it may have taken effect");
    history.end(put, Outcome::Failed);
    crate::check(&history).expect_err("it can't have taken effect");
}
