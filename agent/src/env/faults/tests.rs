//! Each fault does what it says, for as long as it says, and ends when it is healed.

use evenkeel_shared::wire::transport::BoxStream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::env::fs::Create;

const PEER: NodeId = NodeId(2);

fn world() -> (Env, Arc<Faults>) {
    let env = Faults::between(&Env::real());
    let faults = env.faults.clone().unwrap();
    (env, faults)
}

fn cut(from: &[NodeId], way: Way) -> Fault {
    Fault::Cut { from: from.to_vec(), way }
}

/// A connection to a peer, and what it comes to at the other end.
async fn connected(env: &Env, faults: &Faults) -> (BoxStream, tokio::net::TcpStream) {
    #[expect(clippy::disallowed_methods, reason = "the other end is no part of the agent")]
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    faults.know(&BTreeMap::from([(PEER, address.clone())]));
    let near = env.net.dial(&address).await.unwrap();
    let (far, _) = listener.accept().await.unwrap();
    (near, far)
}

const SOON: Duration = Duration::from_millis(50);
const LONG: Duration = Duration::from_secs(600);

#[tokio::test]
async fn nothing_passes_a_cut_and_what_was_under_way_arrives_when_it_is_healed() {
    let (env, faults) = world();
    let (mut near, mut far) = connected(&env, &faults).await;
    faults.begin(cut(&[], Way::Both), LONG);
    far.write_all(b"in").await.unwrap();
    let mut got = [0; 2];
    assert!(tokio::time::timeout(SOON, near.read_exact(&mut got)).await.is_err());
    assert!(tokio::time::timeout(SOON, near.write_all(b"out")).await.is_err());
    assert_eq!(faults.heal(), [cut(&[], Way::Both)]);
    near.read_exact(&mut got).await.unwrap();
    assert_eq!(&got, b"in");
    near.write_all(b"out").await.unwrap();
    let mut got = [0; 3];
    far.read_exact(&mut got).await.unwrap();
    assert_eq!(&got, b"out");
}

#[tokio::test]
async fn a_cut_one_way_or_from_others_lets_the_rest_pass() {
    let (env, faults) = world();
    let (mut near, mut far) = connected(&env, &faults).await;
    faults.begin(cut(&[PEER], Way::Out), LONG);
    far.write_all(b"in").await.unwrap();
    let mut got = [0; 2];
    near.read_exact(&mut got).await.unwrap();
    assert!(tokio::time::timeout(SOON, near.write_all(b"out")).await.is_err());
    // It replaces the one before.
    faults.begin(cut(&[NodeId(9)], Way::Both), LONG);
    near.write_all(b"out").await.unwrap();
}

#[tokio::test]
async fn a_caller_is_cut_off_once_it_has_said_who_it_is() {
    let (env, faults) = world();
    let mut listener = env.net.listen("127.0.0.1:0").await.unwrap();
    let address = listener.local_address().unwrap().to_string();
    let mut far = Env::real().net.dial(&address).await.unwrap();
    let crate::env::net::Accepted { stream: mut near, from, .. } = listener.accept().await.unwrap();
    faults.begin(cut(&[], Way::In), LONG);
    far.write_all(b"x").await.unwrap();
    let mut got = [0; 1];
    near.read_exact(&mut got).await.unwrap();
    faults.identify(from, PEER);
    far.write_all(b"y").await.unwrap();
    assert!(tokio::time::timeout(SOON, near.read_exact(&mut got)).await.is_err());
    drop(near);
    assert!(lock(&faults.callers).is_empty(), "who has gone is forgotten");
}

#[tokio::test]
async fn a_stalled_disk_syncs_when_it_is_healed() {
    let (env, faults) = world();
    let folder = tempfile::TempDir::new().unwrap();
    let file = env.disk.open(&folder.path().join("f"), Create::New).unwrap();
    file.sync_data().unwrap();
    faults.begin(Fault::StallDisk, LONG);
    let mut syncing = tokio::spawn(async move { env.work.run(move || file.sync_data()).await });
    assert!(tokio::time::timeout(SOON, &mut syncing).await.is_err());
    faults.heal();
    syncing.await.unwrap().unwrap();
}

#[test]
fn a_fault_ends_by_itself_and_is_told_meanwhile() {
    let (env, faults) = world();
    let folder = tempfile::TempDir::new().unwrap();
    assert_eq!(faults.words(), None);
    faults.begin(Fault::FillDisk, LONG);
    faults.begin(Fault::Skew { milliseconds: -5_000 }, LONG);
    assert_eq!(env.disk.space(folder.path()).unwrap().free_bytes, 0);
    let real = Env::real().clock.unix_ms();
    assert!(env.clock.unix_ms() < real - 4_000);
    let words = faults.words().unwrap();
    assert!(words.contains("its disk seems full for 600 s more"), "{words}");
    faults.begin(Fault::FillDisk, Duration::ZERO);
    assert!(env.disk.space(folder.path()).unwrap().free_bytes > 0);
    assert!(faults.words().unwrap().starts_with("wall clock -5000 ms off"));
}
