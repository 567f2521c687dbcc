//! Snapshot transfers that their sender never ends.

use super::*;

/// It was once called filled from a snapshot for ever: the leader that had begun to fill it had
/// handed its leadership on, and whoever led next had no reason to.
#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_whose_sender_leads_no_more_is_given_up() {
    let disks = [SimDisk::new(), SimDisk::new(), SimDisk::new()];
    let life = Life::begin(&disks).await;
    let [first, second, third] = &life.groups;
    let voters = NODES.map(|node| key(node).replica);
    first.initialize(&voters).await.unwrap();
    leads(first).await;
    let (from, to) = (first.key(), second.key());
    let begin = SnapshotBegin {
        shard: to.shard,
        history: to.history,
        from: from.replica,
        to: to.replica,
        transfer: 7,
    };
    second.inbound().snapshot_begin(begin).await.unwrap();
    assert!(second.inbound().is_filling());
    third.elect().await;
    leads(third).await;
    let given_up = async {
        while second.inbound().is_filling() {
            third.nudge().await;
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE.unwrap(), given_up).await.expect("it is given up");
    life.end().await;
}
