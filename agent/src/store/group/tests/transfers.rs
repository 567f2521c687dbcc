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

/// A hand-over that was planned while the shard was being handed over already.
#[tokio::test(flavor = "multi_thread")]
async fn a_leader_told_to_hand_over_to_itself_goes_on_leading() {
    let disks = [SimDisk::new(), SimDisk::new(), SimDisk::new()];
    let life = Life::begin(&disks).await;
    let [first, ..] = &life.groups;
    let voters = NODES.map(|node| key(node).replica);
    first.initialize(&voters).await.unwrap();
    leads(first).await;
    let term = first.term();
    assert_eq!(first.transfer(first.key().replica).await.unwrap(), Duration::ZERO);
    let barrier = first.propose(Command::Barrier { hlc: Hlc::default() });
    tokio::time::timeout(PATIENCE.unwrap(), barrier).await.expect("it takes entries").unwrap();
    assert_eq!((first.is_leader(), first.term()), (true, term));
    life.end().await;
}
