//! Drills over the real wire, against an agent that answers from memory.

use std::time::Duration;

use evenkeel_shared::ids::ShardId;

use crate::cli::fake::{Fake, Trouble, sample_view};
use crate::drill::{Mode, Probe, ProbePlan};

#[tokio::test(flavor = "multi_thread")]
async fn writers_reach_every_shard_and_leave_nothing_behind() {
    let fake = Fake::start(Trouble::None).await;
    let plan =
        ProbePlan { prefix: "drill/test/".to_owned(), writers: 4, keys: 3, pace: Duration::ZERO };
    let store = fake.session().store();
    let mut probe = Probe::start(&store, &sample_view(), &plan).await.unwrap();
    let shards = [ShardId(1), ShardId(2)];
    assert_eq!(probe.shards(), shards);
    assert!(probe.watch.alive(&shards, Duration::ZERO, Duration::from_secs(10)).await);
    probe.watch.turn(Mode::Free).await;
    let free = crate::clock::now();
    assert!(probe.watch.alive(&shards, free, Duration::from_secs(10)).await);
    probe.stop().await;
    probe.read_back().await;
    let counts = probe.watch.counts().clone();
    assert!(counts.acknowledged > 0 && counts.checked > 0);
    assert_eq!((counts.lost, counts.errors), (0, 0), "{:?}", counts.reasons);
    assert_eq!(probe.delete().await, 0);
    for (store, base) in probe.places("drill/test/") {
        for key in ["0", "1", "2", "scratch"] {
            let left = store.get(format!("{base}/{key}").into()).await.unwrap();
            assert_eq!(left.found, None, "{base}/{key}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_is_gone_is_found() {
    let fake = Fake::start(Trouble::None).await;
    let prefix = "drill/test/".to_owned();
    let plan = ProbePlan { prefix, writers: 2, keys: 3, pace: Duration::ZERO };
    let store = fake.session().store();
    let mut probe = Probe::start(&store, &sample_view(), &plan).await.unwrap();
    let shards = probe.shards();
    assert!(probe.watch.alive(&shards, Duration::ZERO, Duration::from_secs(10)).await);
    probe.stop().await;
    let key = format!("{}/0", probe.places("drill/test/")[0].1);
    store.delete(key.clone().into()).await.unwrap();
    probe.read_back().await;
    let counts = probe.watch.counts().clone();
    assert_eq!((counts.lost, counts.lost_keys), (1, vec![key]));
}
