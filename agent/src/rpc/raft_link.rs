//! The store's port to other nodes, over the lanes.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use evenkeel_shared::ids::NodeId;
use evenkeel_shared::service::peer::{
    PeerClient, PeerError, RaftFrame, SnapshotBegin, SnapshotChunk, SnapshotFinish,
};
use evenkeel_shared::wire::deadline::Deadline;
use evenkeel_shared::wire::hello::Lane;
use tarpc::client::RpcError;

use super::links::{LaneSlot, Links};
use crate::store::peers::{Answer, LinkError, PeerLink};

/// How long an append or a vote may take: its answer waits for the other side's disk.
pub(super) const RAFT_MAX: Duration = Duration::from_secs(2);
/// How long a piece of a snapshot may take, and its installation.
const CHUNK_MAX: Duration = Duration::from_secs(10);
const INSTALL_MAX: Duration = Duration::from_secs(60);
/// Whoever waited this long and gave up has seen a lane that may be dead: openraft drops votes and
/// heartbeats long before our own limits.
const GIVEN_UP_AFTER: Duration = Duration::from_millis(300);

impl PeerLink for Arc<Links> {
    fn raft(&self, node: NodeId, frame: RaftFrame) -> Answer<Bytes> {
        call(self.clone(), node, Lane::Raft, RAFT_MAX, |client, by| async move {
            client.raft(by.context(), frame).await
        })
    }

    fn append(&self, node: NodeId, frame: RaftFrame) -> Answer<Bytes> {
        append(self.clone(), node, frame)
    }

    fn snapshot_begin(&self, node: NodeId, frame: SnapshotBegin) -> Answer<()> {
        call(self.clone(), node, Lane::Bulk, CHUNK_MAX, |client, by| async move {
            client.snapshot_begin(by.context(), frame).await
        })
    }

    fn snapshot_chunk(&self, node: NodeId, chunk: SnapshotChunk) -> Answer<()> {
        call(self.clone(), node, Lane::Bulk, CHUNK_MAX, |client, by| async move {
            client.snapshot_chunk(by.context(), chunk).await
        })
    }

    fn snapshot_finish(&self, node: NodeId, finish: SnapshotFinish) -> Answer<Bytes> {
        call(self.clone(), node, Lane::Bulk, INSTALL_MAX, |client, by| async move {
            client.snapshot_finish(by.context(), finish).await
        })
    }
}

/// Carries one append, in a bundle with others; by itself when it takes longer than they do.
fn append(links: Arc<Links>, node: NodeId, frame: RaftFrame) -> Answer<Bytes> {
    Box::pin(async move {
        let no_link = || LinkError::Unreachable(format!("no link to {node}"));
        let appends = links.appends(node).ok_or_else(no_link)?;
        let slot = links.lane(node, Lane::Raft).ok_or_else(no_link)?;
        let waiting = Waiting { began: links.now(), links: links.clone(), slot, ended: false };
        // A frame shares its body: keeping it for a second attempt costs next to nothing.
        let answer = appends.send(frame.clone());
        // Its queue must not outlive the bundler for our sake alone: what lies there would never be
        // dropped, and so never be answered.
        drop(appends);
        let answer = answer.await;
        waiting.end(!matches!(answer, Err(LinkError::Unreachable(_))));
        match answer? {
            Some(answer) => Ok(answer),
            None => links.raft(node, frame).await,
        }
    })
}

/// Makes one call; a lane on which a call has timed out is dialled again, for what it carried may
/// never arrive.
fn call<T: 'static, F, Fut>(
    links: Arc<Links>,
    node: NodeId,
    lane: Lane,
    wait: Duration,
    make: F,
) -> Answer<T>
where
    F: FnOnce(PeerClient, Deadline) -> Fut + Send + 'static,
    Fut: Future<Output = Result<Result<T, PeerError>, RpcError>> + Send,
{
    Box::pin(async move {
        let no_lane = || LinkError::Unreachable(format!("no connection to {node}"));
        let slot = links.lane(node, lane).ok_or_else(no_lane)?;
        let client = slot.client().ok_or_else(no_lane)?;
        let waiting = Waiting { began: links.now(), links, slot: slot.clone(), ended: false };
        let answered = make(client, Deadline::after(wait)).await;
        waiting.end(answered.is_ok());
        match answered {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(LinkError::Peer(error)),
            Err(error) => {
                if matches!(error, RpcError::DeadlineExceeded) {
                    slot.redial();
                }
                Err(LinkError::Unreachable(error.to_string()))
            }
        }
    })
}

/// A call that waits for its answer. Dropped while it waits, it has the lane dialled again if
/// nothing at all was heard on it meanwhile.
struct Waiting {
    began: Duration,
    links: Arc<Links>,
    slot: LaneSlot,
    ended: bool,
}

impl Waiting {
    /// The call has ended by itself.
    fn end(mut self, answered: bool) {
        let now = self.links.now();
        self.slot.count(answered);
        self.ended = true;
        if answered {
            self.slot.hear(now);
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        let waited = self.links.now().saturating_sub(self.began);
        if waited >= GIVEN_UP_AFTER {
            self.slot.count(false);
        }
        if waited >= GIVEN_UP_AFTER && self.slot.heard() < self.began {
            self.slot.redial();
        }
    }
}
