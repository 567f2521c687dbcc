//! The heartbeat lane as a witness, over connections that a script hands out.

use std::io;
use std::sync::Mutex;

use evenkeel_shared::ids::ClusterId;
use evenkeel_shared::wire::hello::Welcome;
use evenkeel_shared::wire::transport::{BoxStream, Dial};
use futures::future::BoxFuture;

use super::*;
use crate::env::net::{Listener, Net};

const ME: NodeId = NodeId(1);
const PEER: NodeId = NodeId(2);
const PATIENCE: Duration = Duration::from_secs(20);

/// What the next dial of a heartbeat lane meets.
#[derive(Clone, Copy)]
enum Dialled {
    /// A peer that says Welcome and is gone at once.
    Welcomed,
    /// A listener that dies with the connection still in its queue.
    Reset,
}

/// Dials meet what the script says, and a refusal from then on.
struct Script(Mutex<Vec<Dialled>>);

impl Dial for Script {
    fn dial(&self, _address: &str) -> BoxFuture<'static, io::Result<BoxStream>> {
        let next = self.0.lock().unwrap().pop();
        Box::pin(async move {
            match next {
                Some(Dialled::Welcomed) => Ok(welcoming()),
                Some(Dialled::Reset) => Err(io::ErrorKind::ConnectionReset.into()),
                None => Err(io::ErrorKind::ConnectionRefused.into()),
            }
        })
    }
}

impl Net for Script {
    fn listen(&self, _address: &str) -> BoxFuture<'static, io::Result<Box<dyn Listener>>> {
        Box::pin(async { Err(io::ErrorKind::Unsupported.into()) })
    }
}

fn welcoming() -> BoxStream {
    let (near, far) = tokio::io::duplex(4_096);
    let welcome = Welcome {
        cluster: Some(ClusterId(7)),
        node: Some(PEER),
        name: "n2".to_owned(),
        incarnation: Incarnation(3),
    };
    tokio::spawn(async move { hello::answer(Box::new(far), |_| Ok(welcome)).await.map(drop) });
    Box::new(near)
}

/// One lane of one peer, dialled as the script says, the last step first.
fn witness(steps: Vec<Dialled>) -> mpsc::UnboundedReceiver<Evidence> {
    let mut env = Env::real();
    env.net = Arc::new(Script(Mutex::new(steps)));
    let identity = Arc::new(Identity::new("n1".to_owned(), Incarnation(1)));
    identity.join(ClusterId(7), ME);
    let (links, seen) = Links::new(env, identity, CancellationToken::new());
    let (open, client) = watch::channel(None);
    let (redial, heard, tally) = <(Arc<_>, Arc<_>, Arc<_>)>::default();
    let slot = LaneSlot { client, redial, heard, tally };
    let (address, addressed) = watch::channel("peer".to_owned());
    let lane = Lane::Heartbeat;
    let keeper = Keeper { links, node: PEER, lane, address: addressed, open, slot };
    tokio::spawn(async move {
        let _address = address;
        keeper.run().await;
    });
    seen
}

async fn next(seen: &mut mpsc::UnboundedReceiver<Evidence>) -> Evidence {
    tokio::time::timeout(PATIENCE, seen.recv()).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_refusal_after_a_close_is_told() {
    let mut seen = witness(vec![Dialled::Welcomed]);
    assert_eq!(next(&mut seen).await, Evidence::Connected(PEER, Incarnation(3)));
    assert_eq!(next(&mut seen).await, Evidence::ClosedAndRefused(PEER));
}

#[tokio::test]
async fn a_refusal_is_told_though_resets_came_before_it() {
    let mut seen = witness(vec![Dialled::Reset, Dialled::Reset, Dialled::Welcomed]);
    assert_eq!(next(&mut seen).await, Evidence::Connected(PEER, Incarnation(3)));
    assert_eq!(next(&mut seen).await, Evidence::ClosedAndRefused(PEER));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_stays_away_is_told_of_once() {
    let mut seen = witness(vec![Dialled::Welcomed]);
    next(&mut seen).await;
    next(&mut seen).await;
    let more = tokio::time::timeout(Duration::from_secs(60), seen.recv()).await;
    assert!(more.is_err(), "{more:?}");
}
