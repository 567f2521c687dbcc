//! Appends of many shards to one node, a bundle a frame: what waits while bundles are on their way
//! shares the next one.
//!
//! Invariant: every append gets its own answer. One that takes long on the other side never holds
//! back the others of its bundle: it comes back unanswered, and is asked again by itself.

use std::time::Duration;

use bytes::Bytes;
use evenkeel_shared::ids::NodeId;
use evenkeel_shared::service::peer::{PeerError, RaftFrame};
use evenkeel_shared::wire::deadline::Deadline;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tarpc::client::RpcError;
use tokio::sync::{mpsc, oneshot};

use super::links::LaneSlot;
use super::raft_link::RAFT_MAX;
use crate::store::peers::{Answer, LinkError};

/// Bundles on their way at once: while one is synced on the other side the next one is read there,
/// and more would only be smaller.
const BUNDLES_IN_FLIGHT: usize = 4;
/// Bytes at which a bundle takes no more: with one more append it still fits a frame.
const BUNDLE_BYTES_MAX: usize = 1 << 20;
/// Appends in one bundle.
const BUNDLE_APPENDS_MAX: usize = 256;
/// How long a node lets a bundle wait for its slowest append: far longer than a sync.
const BUNDLE_WAIT: Duration = Duration::from_millis(250);

/// `None`: the bundle has not waited for it; whoever asked asks again, by itself.
type Answered = Result<Option<Bytes>, LinkError>;
type Reply = oneshot::Sender<Answered>;

/// The way of appends to one node.
#[derive(Clone)]
pub struct Appends(mpsc::UnboundedSender<(RaftFrame, Reply)>);

impl Appends {
    /// Starts the bundler; the future ends when nobody can append any more. The queue needs no bound
    /// of its own: each replica has but a few appends on their way.
    pub fn new(node: NodeId, lane: LaneSlot) -> (Self, impl Future<Output = ()>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), bundle(node, lane, receiver))
    }

    /// Carries one append; `None` when it has taken longer than its bundle waited.
    pub fn send(&self, frame: RaftFrame) -> Answer<Option<Bytes>> {
        let (reply, answer) = oneshot::channel();
        let gone = || LinkError::Unreachable("the link has ended".to_owned());
        let sent = self.0.send((frame, reply)).map_err(|_| gone());
        Box::pin(async move {
            sent?;
            answer.await.unwrap_or_else(|_| Err(gone()))
        })
    }
}

async fn bundle(
    node: NodeId,
    lane: LaneSlot,
    mut queue: mpsc::UnboundedReceiver<(RaftFrame, Reply)>,
) {
    let mut in_flight = FuturesUnordered::new();
    loop {
        tokio::select! {
            biased;
            Some(()) = in_flight.next(), if !in_flight.is_empty() => {}
            first = queue.recv(), if in_flight.len() < BUNDLES_IN_FLIGHT => {
                let Some(first) = first else { return };
                in_flight.push(carry(node, lane.clone(), gather(first, &mut queue)));
            }
        }
    }
}

fn gather(
    first: (RaftFrame, Reply),
    queue: &mut mpsc::UnboundedReceiver<(RaftFrame, Reply)>,
) -> (Vec<RaftFrame>, Vec<Reply>) {
    let mut bytes = first.0.body.len();
    let (mut frames, mut replies) = (vec![first.0], vec![first.1]);
    while bytes < BUNDLE_BYTES_MAX && frames.len() < BUNDLE_APPENDS_MAX {
        let Ok((frame, reply)) = queue.try_recv() else { break };
        // openraft may have given it up meanwhile.
        if reply.is_closed() {
            continue;
        }
        bytes += frame.body.len();
        frames.push(frame);
        replies.push(reply);
    }
    (frames, replies)
}

async fn carry(node: NodeId, lane: LaneSlot, (frames, replies): (Vec<RaftFrame>, Vec<Reply>)) {
    let Some(client) = lane.client() else {
        let why = LinkError::Unreachable(format!("no connection to {node}"));
        return give(replies, &why);
    };
    match client.appends(Deadline::after(RAFT_MAX).context(), frames).await {
        Ok(answers) if answers.len() == replies.len() => {
            for (answer, reply) in answers.into_iter().zip(replies) {
                // Whoever waited may have gone.
                let _ = reply.send(answer.transpose().map_err(LinkError::Peer));
            }
        }
        Ok(answers) => {
            let why = format!("{} answers to {} appends", answers.len(), replies.len());
            give(replies, &LinkError::Peer(PeerError::Malformed(why)));
        }
        Err(error) => {
            if matches!(error, RpcError::DeadlineExceeded) {
                lane.redial();
            }
            let why = LinkError::Unreachable(error.to_string());
            give(replies, &why);
        }
    }
}

fn give(replies: Vec<Reply>, error: &LinkError) {
    for reply in replies {
        // Whoever waited may have gone.
        let _ = reply.send(Err(error.clone()));
    }
}

/// Answers a bundle: each append as it would be answered alone, or not at all once the bundle has
/// waited long enough.
pub async fn answer<F>(appends: impl Iterator<Item = F>) -> Vec<Option<Result<Bytes, PeerError>>>
where
    F: Future<Output = Result<Bytes, PeerError>>,
{
    let mut answers = Vec::new();
    let mut running = FuturesUnordered::new();
    for (place, append) in appends.enumerate() {
        answers.push(None);
        running.push(async move { (place, append.await) });
    }
    let all = async {
        while let Some((place, answer)) = running.next().await {
            answers[place] = Some(answer);
        }
    };
    // What has not been answered by then is asked for again.
    let _ = tokio::time::timeout(BUNDLE_WAIT, all).await;
    answers
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use futures::future::{BoxFuture, pending, ready};

    use super::*;

    fn frame(bytes: usize) -> RaftFrame {
        use evenkeel_shared::ids::{History, ReplicaId, ShardId};
        use evenkeel_shared::service::peer::RaftMessage;
        let replica = ReplicaId::new(NodeId(1), 1);
        RaftFrame {
            shard: ShardId(1),
            history: History { number: 1, salt: 1 },
            from: replica,
            to: replica,
            message: RaftMessage::Append,
            body: Bytes::from(vec![0; bytes]),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_append_holds_no_other_back() {
        let appends: [BoxFuture<'_, Result<Bytes, PeerError>>; 3] = [
            ready(Ok(Bytes::from_static(b"one"))).boxed(),
            pending().boxed(),
            ready(Err(PeerError::Failed("stopped".to_owned()))).boxed(),
        ];
        let answers = answer(appends.into_iter()).await;
        let expected = [
            Some(Ok(Bytes::from_static(b"one"))),
            None,
            Some(Err(PeerError::Failed("stopped".to_owned()))),
        ];
        assert_eq!(answers, expected);
    }

    #[test]
    fn a_bundle_stays_within_a_frame_and_leaves_out_what_nobody_waits_for() {
        let (sender, mut queue) = mpsc::unbounded_channel();
        let mut waiting = Vec::new();
        let mut send = |bytes| {
            let (reply, answer) = oneshot::channel();
            sender.send((frame(bytes), reply)).unwrap();
            waiting.push(answer);
        };
        send(10);
        send(20);
        send(BUNDLE_BYTES_MAX);
        send(30);
        waiting.remove(1);
        let first = queue.try_recv().unwrap();
        let (frames, replies) = gather(first, &mut queue);
        let sizes: Vec<usize> = frames.iter().map(|frame| frame.body.len()).collect();
        assert_eq!(sizes, [10, BUNDLE_BYTES_MAX], "the second was given up, the last waits");
        assert_eq!(replies.len(), 2);
        assert_eq!(queue.try_recv().unwrap().0.body.len(), 30);
    }
}
