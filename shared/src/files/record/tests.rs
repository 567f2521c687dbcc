//! The record's decisions, one by one, and against a model in any order.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

const HASH: Hash = Hash([7; 32]);

fn upload(id: u128, now_ms: u64) -> Upload {
    Upload {
        source: Some(SourceId { bytes: 10, modified_ns: 1 }),
        chunk_bytes: 4,
        parts: vec![Part { id: PartId(id), from_page: 0 }],
        started_ms: now_ms,
        renewed_ms: now_ms,
        pages: 0,
    }
}

fn begun(id: u128) -> FileRecord {
    let mut record = FileRecord::default();
    record.begin(upload(id, 0), 0).unwrap();
    record
}

#[test]
fn a_record_reads_as_it_was_written() {
    let mut record = begun(1);
    record.commit(10, HASH, PartId(1), 5).unwrap();
    record.begin(upload(2, 6), 6).unwrap();
    record.delete(7).unwrap();
    assert_eq!(FileRecord::decode(&record.encode()), Some(record.clone()));
    assert_eq!(FileRecord::decode(&[9, 0, 0, 0]), None);
    assert_eq!(FileRecord::decode(&[]), None);
    assert_eq!(FileRecord::decode(&record.encode()[..5]), None);
}

#[test]
fn who_is_taken_over_can_neither_go_on_nor_commit() {
    let mut record = begun(1);
    record.resume(PartId(1), Part { id: PartId(2), from_page: 1 }, 9).unwrap();
    assert_eq!(record.renew(PartId(1), 3, 9), Err(Refusal::GivenUp));
    assert_eq!(record.commit(10, HASH, PartId(1), 9), Err(Refusal::GivenUp));
    assert_eq!((record.fate(PartId(1)), record.fate(PartId(2))), (Fate::Gone, Fate::Open));
    record.commit(10, HASH, PartId(2), 9).unwrap();
    assert!(record.holds(PartId(1)), "its first pages lie there");
}

#[test]
fn of_too_many_uploads_the_one_that_has_been_silent_longest_gives_way() {
    let mut record = FileRecord::default();
    for id in 0..FILE_UPLOADS_MAX as u128 {
        record.begin(upload(id, 0), 0).unwrap();
    }
    let silent_ms = u64::try_from(FILE_SILENT.as_millis()).unwrap();
    assert_eq!(record.begin(upload(99, 1), 1), Err(Refusal::TooManyUploads));
    for id in [0, 2, 3] {
        record.renew(PartId(id), 0, silent_ms).unwrap();
    }
    record.begin(upload(99, silent_ms), silent_ms).unwrap();
    assert_eq!(record.fate(PartId(1)), Fate::Gone);
    assert_eq!(record.dropped.len(), 1);
}

#[test]
fn only_what_nobody_reads_is_due_at_once() {
    let mut record = begun(1);
    record.commit(10, HASH, PartId(1), 0).unwrap();
    record.begin(upload(2, 0), 0).unwrap();
    record.give_up(PartId(2), 0).unwrap();
    record.delete(0).unwrap();
    let grace = Duration::from_millis(100);
    let due =
        |now_ms| record.due(now_ms, grace).iter().map(|it| it.was_current).collect::<Vec<_>>();
    assert_eq!(due(99), [false]);
    assert_eq!(due(100), [false, true]);
}

/// What is done to a record.
#[derive(Clone, Debug)]
enum Step {
    Begin,
    Resume(usize),
    Renew(usize),
    Commit(usize),
    GiveUp(usize),
    Delete,
    Expire,
    Collect,
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Begin),
        1 => (0usize..40).prop_map(Step::Resume),
        1 => (0usize..40).prop_map(Step::Renew),
        4 => (0usize..40).prop_map(Step::Commit),
        1 => (0usize..40).prop_map(Step::GiveUp),
        1 => Just(Step::Delete),
        1 => Just(Step::Expire),
        1 => Just(Step::Collect),
        2 => (1u64..200).prop_map(Step::Pass),
    ]
}

proptest! {
    /// Every part that was ever begun is in the record until it has been handed out for
    /// collection; what was handed out is never the file, then or later.
    #[test]
    fn nothing_is_lost_and_nothing_that_is_the_file_is_collected(
        steps in prop::collection::vec(step(), 1..120)
    ) {
        let (grace, lease) = (Duration::from_millis(300), Duration::from_millis(500));
        let mut record = FileRecord::default();
        let (mut now_ms, mut owners) = (0u64, Vec::<PartId>::new());
        let mut collected = Vec::<PartId>::new();
        for step in steps {
            let owner = |at: usize| owners.get(at % owners.len().max(1)).copied();
            let fresh = PartId(owners.len() as u128 + 1);
            let outcome = match step {
                Step::Begin => {
                    let begun = record.begin(upload(fresh.0, now_ms), now_ms);
                    if begun.is_ok() {
                        owners.push(fresh);
                    }
                    begun
                }
                Step::Resume(at) => {
                    let part = Part { id: fresh, from_page: 1 };
                    let taken = owner(at).map_or(Ok(()), |of| record.resume(of, part, now_ms));
                    if taken.is_ok() && record.holds(fresh) {
                        owners.push(fresh);
                    }
                    taken
                }
                Step::Renew(at) => owner(at).map_or(Ok(()), |of| record.renew(of, 1, now_ms)),
                Step::Commit(at) => {
                    let committed = owner(at).map(|of| (of, record.commit(10, HASH, of, now_ms)));
                    if let Some((of, Ok(()))) = committed {
                        assert_eq!(record.fate(of), Fate::Committed);
                    }
                    committed.map_or(Ok(()), |(_, done)| done)
                }
                Step::GiveUp(at) => owner(at).map_or(Ok(()), |of| record.give_up(of, now_ms)),
                Step::Delete => record.delete(now_ms),
                Step::Expire => {
                    record.expire(now_ms, lease);
                    Ok(())
                }
                Step::Collect => {
                    let due = record.due(now_ms, grace);
                    collected.extend(due.iter().flat_map(|it| &it.parts).map(|part| part.id));
                    record.forget(&due);
                    Ok(())
                }
                Step::Pass(ms) => {
                    now_ms += ms;
                    Ok(())
                }
            };
            let _refused = outcome.is_err();
            for id in &owners {
                assert!(record.holds(*id) != collected.contains(id), "{id} in {record:?}");
            }
            assert!(record.uploads.len() <= FILE_UPLOADS_MAX);
            assert!(record.dropped.len() <= FILE_DROPPED_MAX);
            assert_eq!(FileRecord::decode(&record.encode()), Some(record.clone()));
        }
        // In the end, all but the file is collected.
        record.expire(now_ms + 500, lease);
        let due = record.due(now_ms + 800, grace);
        record.forget(&due);
        assert!(record.dropped.is_empty() && record.uploads.is_empty());
    }
}
