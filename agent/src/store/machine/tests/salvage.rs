//! What a replica would hold if all of its log were committed.

use std::collections::BTreeSet;

use super::*;

#[tokio::test]
async fn a_salvage_holds_the_log_s_end_and_leaves_the_replica_alone() {
    let mut rig = Rig::serving().await;
    rig.one(START, operation(request(1, 1, START), "a", put("applied")));
    // Entries that the log has, and of which nobody ever said that they were committed.
    let tail: Vec<Entry> = [
        operation(request(1, 2, START), "b", put("in the log")),
        operation(request(1, 3, START), "a", put("changed in the log")),
    ]
    .into_iter()
    .map(|operation| {
        let batch = Batch { hlc: START, operations: vec![operation] };
        rig.entry(EntryPayload::Normal(Command::Batch(batch)))
    })
    .collect();
    let trees = rig.engine.list().unwrap().len();
    let salvage = rig.machine.salvage().await.unwrap();
    assert_eq!(salvage.index(), rig.machine.status().applied_index());
    let salvage = salvage.apply(tail).await.unwrap();
    assert_eq!(salvage.index(), rig.next - 1);
    let records: Vec<(Bytes, Bytes)> = salvage
        .image()
        .unwrap()
        .records()
        .map(|record| record.map(|stored| (stored.key, stored.record.value)).unwrap())
        .collect();
    let expected = [("a", "changed in the log"), ("b", "in the log")];
    let expected = expected.map(|(key, value)| (Bytes::from(key), Bytes::from(value)));
    assert_eq!(BTreeSet::from_iter(records), BTreeSet::from(expected));
    assert_eq!((rig.value("a").as_deref(), rig.value("b")), (Some("applied"), None));
    drop(salvage);
    assert_eq!(rig.engine.list().unwrap().len(), trees, "its tree is gone");
}
