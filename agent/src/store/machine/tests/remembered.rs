//! Exactly once: what a machine remembers of requests, and when it says that it no longer does.

use super::*;
use crate::store::engine::Changes;
use crate::store::machine::clients::{REMEMBERED_MAX, WINDOW};
use crate::store::machine::rows;
use crate::store::machine::run::RUN_SPAN;

#[tokio::test]
async fn rule_17_a_retry_answers_what_the_first_attempt_did() {
    let mut rig = Rig::serving().await;
    let write = |value| operation(request(1, 7, START), "k", put(value));
    let first = rig.one(START, write("a"));
    rig.one(START, operation(request(2, 1, START), "k", put("b")));
    assert_eq!(rig.one(START, write("a")), first);
    rig.reopen().await;
    assert_eq!(rig.one(START, write("a")), first);
    assert_eq!(rig.value("k").as_deref(), Some("b"));
    // Even when the shard has been sealed since.
    rig.command(Command::Seal { hlc: START, intent: IntentId(1) });
    assert_eq!(rig.one(START, write("a")), first);
}

#[tokio::test]
async fn rule_17_a_retry_from_below_the_window_or_past_its_lease_is_forgotten() {
    let mut rig = Rig::serving().await;
    // Far apart in sequence, since the client writes to other shards too: results count, not numbers.
    let sequence = |nth: u64| 1 + 10_000 * nth;
    let write = |nth| operation(request(1, sequence(nth), START), "k", put("a"));
    for nth in 0..REMEMBERED_MAX - 1 {
        done(&rig.one(START, write(nth)));
    }
    let first = rig.one(START, write(0));
    assert!(matches!(first, OperationResult::Done { existed: false, .. }), "{first:?}");
    rig.reopen().await;
    let last = operation(request(1, sequence(REMEMBERED_MAX), START), "k", put("b"));
    done(&rig.one(START, last));
    assert_eq!(rig.one(START, write(0)), OperationResult::Forgotten);
    let gone = REMEMBERED_MAX - WINDOW - RUN_SPAN;
    assert_eq!(rig.one(START, write(gone - 1)), OperationResult::Forgotten);
    rig.reopen().await;
    let kept = rig.one(START, write(gone));
    assert!(matches!(kept, OperationResult::Done { existed: true, .. }), "{kept:?}");
    assert_eq!(rig.value("k").as_deref(), Some("b"), "it was answered, not applied");
    let lease_ms = u64::try_from(CLIENT_LEASE.as_millis()).unwrap();
    let later = START.plus_ms(lease_ms + 1_000);
    let old = operation(request(9, 1, START), "k", put("a"));
    assert_eq!(rig.one(later, old), OperationResult::Forgotten);
    assert_eq!(rig.value("k").as_deref(), Some("b"));
}

#[tokio::test]
async fn rule_17_what_one_entry_answered_to_one_client_is_one_row_for_each_run() {
    let mut rig = Rig::serving().await;
    let write = |sequence, key, value| operation(request(1, sequence, START), key, put(value));
    let sequences = [5, 9, 6, 8, 20];
    let writes = sequences.map(|sequence| write(sequence, "k", "a"));
    let answers = rig.batch(START, writes.to_vec());
    let runs = |rig: &Rig| rig.count(rows::RUNS);
    // 5 to 8, 9, and 20: a run spans four sequences here.
    assert_eq!(runs(&rig), 3);
    rig.reopen().await;
    for (sequence, answer) in sequences.into_iter().zip(&answers) {
        assert_eq!(rig.one(START, write(sequence, "k", "b")), *answer, "{sequence}");
    }
    // 7 was overtaken by all of them: it lies in the middle of a run, and was never applied.
    assert!(done(&rig.one(START, write(7, "k", "c"))).1);
    assert_eq!((runs(&rig), rig.value("k").as_deref()), (4, Some("c")));
}

#[tokio::test]
async fn rule_17_results_without_runs_are_still_known_and_go_in_their_turn() {
    let mut rig = Rig::serving().await;
    let write = |sequence| operation(request(7, sequence, START), "k", put("a"));
    let mut answers = Vec::new();
    let tree = rig.machine.inner.tree();
    for sequence in 0..WINDOW {
        let answer = rig.one(START, write(sequence));
        let changes = Changes::from([
            (rows::run_key(ClientId(7), sequence), None),
            (rows::result_key(ClientId(7), sequence), Some(rows::encode(&answer))),
        ]);
        tree.commit(changes).unwrap();
        answers.push(answer);
    }
    rig.reopen().await;
    for (sequence, answer) in (0..WINDOW).zip(&answers) {
        assert_eq!(rig.one(START, write(sequence)), *answer);
    }
    for sequence in WINDOW..REMEMBERED_MAX {
        done(&rig.one(START, write(sequence)));
    }
    let gone = REMEMBERED_MAX - WINDOW - RUN_SPAN;
    assert_eq!(rig.count(rows::RESULTS), usize::try_from(WINDOW - gone).unwrap());
    assert_eq!(rig.one(START, write(gone - 1)), OperationResult::Forgotten);
    assert_eq!(rig.one(START, write(gone)), answers[usize::try_from(gone).unwrap()]);
}

#[tokio::test]
async fn rule_17_results_of_the_old_ring_are_still_known() {
    let mut rig = Rig::serving().await;
    let first = rig.one(START, operation(request(7, 5, START), "k", put("a")));
    let client = ClientId(7);
    let head = rows::encode(&(START, 5_u64, 5_u64));
    let ring = rows::RingRow { sequence: 5, result: first.clone() };
    let tree = rig.machine.inner.tree();
    let changes = Changes::from([
        (rows::client_key(client), Some(head)),
        (rows::run_key(client, 5), None),
        (rows::ring_key(client, 5), Some(rows::encode(&ring))),
    ]);
    tree.commit(changes).unwrap();
    rig.reopen().await;
    assert_eq!(rig.one(START, operation(request(7, 5, START), "k", put("b"))), first);
    let other = rig.one(START, operation(request(7, 5 + 1_024, START), "k", put("b")));
    assert!(matches!(other, OperationResult::Done { existed: true, .. }), "{other:?}");
    let lease_ms = u64::try_from(CLIENT_LEASE.as_millis()).unwrap();
    let later = START.plus_ms(lease_ms + 1_000);
    rig.one(later, operation(request(8, 1, later), "k", put("c")));
    assert_eq!(rig.machine.inner.tree().get(&rows::ring_key(client, 5)).unwrap(), None);
}

#[tokio::test]
async fn rule_17_a_full_table_refuses_new_clients_until_a_lease_runs_out() {
    let mut rig = Rig::serving().await;
    let clients = u64::try_from(CLIENTS_PER_SHARD_MAX).unwrap();
    for client in 0..clients {
        rig.one(START, operation(request(client, 1, START), "k", put("a")));
    }
    let new = |at| operation(request(clients, 1, at), "k", put("new"));
    assert_eq!(rig.one(START, new(START)), OperationResult::TooManyClients);
    assert!(matches!(
        rig.one(START, operation(request(5, 2, START), "k", put("old"))),
        OperationResult::Done { .. }
    ));
    let lease_ms = u64::try_from(CLIENT_LEASE.as_millis()).unwrap();
    let later = START.plus_ms(lease_ms + 1_000);
    assert!(matches!(rig.one(later, new(later)), OperationResult::Done { .. }));
    rig.reopen().await;
    let kept = rig.machine.inner.core().unwrap().state.clients.clone();
    assert!(!kept.is_full());
}
