//! Connections on which nothing is said: each closes the moment the process is killed that opened it,
//! long before its other sockets do (`env::lifelines`).
//!
//! The end of one proves nothing by itself; it only has the heartbeat lane dialled again at once,
//! and that is refused if the process is gone.

use std::sync::Arc;

use evenkeel_shared::error::WireError;
use evenkeel_shared::ids::NodeId;
use evenkeel_shared::wire::hello::{Caller, Lane, Service, introduce};
use evenkeel_shared::wire::transport::Frames;
use futures::StreamExt;
use futures::future::BoxFuture;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::links::{DIAL_MAX, Links, REDIAL_LONGEST};
use crate::env::net::Lasting;

/// Keeps one open to a peer, for as long as that is of use.
pub(super) async fn keep(links: Arc<Links>, node: NodeId, mut address: watch::Receiver<String>) {
    loop {
        let to = address.borrow_and_update().clone();
        match timeout(DIAL_MAX, open(&links, &to)).await {
            Ok(Ok(Some(held))) => {
                tokio::select! {
                    () = held => {}
                    changed = address.changed() => if changed.is_err() { return },
                }
            }
            // In the simulation, and where a thread may not have descriptors of its own.
            Ok(Ok(None)) => return,
            Ok(Err(error)) => tracing::debug!(%node, %error, "no lifeline"),
            Err(_) => tracing::debug!(%node, "dialling a lifeline took too long"),
        }
        sleep(REDIAL_LONGEST).await;
    }
}

type Held = BoxFuture<'static, ()>;

/// A lifeline that has been said Hello on, kept for as long as it is waited for.
async fn open(links: &Links, address: &str) -> Result<Option<Held>, WireError> {
    let dialled = links.env.net.dial_for_life(address).await;
    let failed = |source| WireError::Io { address: address.to_owned(), source };
    let Some(Lasting { stream, held }) = dialled.map_err(failed)? else { return Ok(None) };
    let hello = links.identity.hello(Service::Lifeline);
    // This process's own hold on it goes with the frames.
    introduce(stream, address, hello).await?;
    Ok(Some(held))
}

/// Waits until a peer's has ended, and then looks whether the peer lives.
pub(super) async fn watch_over(mut frames: Frames, caller: &Caller, links: &Links) {
    // Nothing is said on it; whoever says something is let go.
    let _ = frames.next().await;
    if let Caller::Node { id: Some(node), .. } = caller
        && let Some(lane) = links.lane(*node, Lane::Heartbeat)
    {
        lane.redial();
    }
}
