//! Connections on which nothing is said: each closes the moment its callee is killed, long before
//! the callee's other sockets do (`env::lifelines`).
//!
//! The end of one proves nothing by itself; it only has the heartbeat lane dialled again at once,
//! and that is refused if the process is gone.

use std::sync::Arc;

use evenkeel_shared::ids::NodeId;
use evenkeel_shared::wire::hello::{Lane, Service, call};
use evenkeel_shared::wire::transport::Frames;
use futures::StreamExt;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::links::{DIAL_MAX, Links, REDIAL_LONGEST};
use crate::env::lifelines::Kept;

/// Has a peer's heartbeat lane dialled again whenever its lifeline ends.
pub(super) async fn watch(links: Arc<Links>, node: NodeId, mut address: watch::Receiver<String>) {
    loop {
        let to = address.borrow_and_update().clone();
        let hello = links.identity.hello(Service::Lifeline);
        match timeout(DIAL_MAX, call(links.env.net.as_ref(), &to, hello)).await {
            Ok(Ok((_, mut frames))) => {
                let Some(lane) = links.lane(node, Lane::Heartbeat) else { return };
                tokio::select! {
                    // Nothing is said on it, so this is its end.
                    _ = frames.next() => lane.redial(),
                    // What broke the one may have broken the other, and nothing tells.
                    () = lane.reopened() => {}
                    changed = address.changed() => if changed.is_err() { return },
                }
            }
            Ok(Err(error)) => tracing::debug!(%node, %error, "no lifeline"),
            Err(_) => tracing::debug!(%node, "dialling a lifeline took too long"),
        }
        sleep(REDIAL_LONGEST).await;
    }
}

/// Keeps one open until its caller closes it, or this process ends.
pub(super) async fn serve(mut frames: Frames, kept: Option<Kept>) {
    match kept {
        Some(kept) => {
            // Only the thread's own hold is to be left.
            drop(frames);
            kept.hold().await;
        }
        // It will close with the others; whoever says something on it is let go.
        None => drop(frames.next().await),
    }
}
