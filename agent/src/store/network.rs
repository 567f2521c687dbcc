//! openraft's network port over ours: Raft's messages as bytes, appends pipelined in order.

use std::sync::Arc;

use bytes::Bytes;
use evenkeel_shared::ids::ReplicaId;
use evenkeel_shared::service::peer::{PeerError, RaftFrame, RaftMessage};
use futures::StreamExt;
use openraft::base::{BoxFuture, BoxStream};
use openraft::error::{NetworkError, RPCError, ReplicationClosed, StreamingError, Unreachable};
use openraft::network::{RPCOption, RaftNetworkFactory, RaftNetworkV2};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, StreamAppendError,
    StreamAppendResult, TransferLeaderRequest, TransferLeaderResponse, VoteRequest, VoteResponse,
};
use openraft::{AnyError, EmptyNode, OptionalSend};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::machine::SnapshotData;
use super::peers::{LinkError, PeerLink};
use super::raft::{TypeConfig, Vote};
use super::transfer_out;
use super::wal::ReplicaKey;
use crate::env::rng::Rng;
use crate::env::work::Work;

/// Appends in flight to one follower: enough to cover a sync, few enough to bound memory.
const APPENDS_IN_FLIGHT: usize = 8;

/// Makes the links of one replica.
#[derive(Clone)]
pub struct Network {
    /// Who sends.
    pub key: ReplicaKey,
    /// How.
    pub link: Arc<dyn PeerLink>,
    /// Draws transfer numbers.
    pub rng: Arc<dyn Rng>,
    /// Reads what is sent.
    pub work: Arc<dyn Work>,
}

/// One replica's link to another.
#[derive(Clone)]
pub struct ReplicaLink {
    network: Network,
    target: ReplicaId,
}

impl RaftNetworkFactory<TypeConfig> for Network {
    type Network = ReplicaLink;

    async fn new_client(&mut self, target: ReplicaId, _node: &EmptyNode) -> ReplicaLink {
        ReplicaLink { network: self.clone(), target }
    }
}

impl ReplicaLink {
    async fn send<Q: Serialize, A: DeserializeOwned>(
        &self,
        message: RaftMessage,
        request: &Q,
    ) -> Result<A, RPCError<TypeConfig>> {
        let frame = self.frame(message, request)?;
        answered(self.network.link.raft(self.target.node(), frame).await)
    }

    fn frame<Q: Serialize>(
        &self,
        message: RaftMessage,
        request: &Q,
    ) -> Result<RaftFrame, RPCError<TypeConfig>> {
        let body = postcard::to_extend(request, Vec::with_capacity(512))
            .map_err(|error| malformed(&error))?;
        Ok(RaftFrame {
            shard: self.network.key.shard,
            history: self.network.key.history,
            from: self.network.key.replica,
            to: self.target,
            message,
            body: Bytes::from(body),
        })
    }
}

impl RaftNetworkV2<TypeConfig> for ReplicaLink {
    type SnapshotData = SnapshotData;

    async fn append_entries(
        &mut self,
        request: AppendEntriesRequest<TypeConfig>,
        _option: RPCOption,
    ) -> Result<AppendEntriesResponse<TypeConfig>, RPCError<TypeConfig>> {
        self.send(RaftMessage::Append, &request).await
    }

    async fn vote(
        &mut self,
        request: VoteRequest<TypeConfig>,
        _option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RPCError<TypeConfig>> {
        self.send(RaftMessage::Vote, &request).await
    }

    async fn transfer_leader(
        &mut self,
        request: TransferLeaderRequest<TypeConfig>,
        _option: RPCOption,
    ) -> Result<TransferLeaderResponse<TypeConfig>, RPCError<TypeConfig>> {
        self.send(RaftMessage::TransferLeader, &request).await
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: openraft::alias::SnapshotOf<TypeConfig, SnapshotData>,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<TypeConfig>, StreamingError<TypeConfig>> {
        let send = transfer_out::send(&self.network, self.target, vote, snapshot);
        tokio::select! {
            closed = cancel => Err(StreamingError::Closed(closed)),
            sent = send => sent.map_err(|error| {
                StreamingError::Unreachable(Unreachable::new(&AnyError::error(error)))
            }),
        }
    }

    fn stream_append<'s, S>(
        &'s mut self,
        input: S,
        _option: RPCOption,
    ) -> BoxFuture<
        's,
        Result<
            BoxStream<'s, Result<StreamAppendResult<TypeConfig>, RPCError<TypeConfig>>>,
            RPCError<TypeConfig>,
        >,
    >
    where
        S: futures::Stream<Item = AppendEntriesRequest<TypeConfig>>
            + OptionalSend
            + Unpin
            + 'static,
    {
        let link = self.clone();
        let answers = input
            .map(move |request| {
                let link = link.clone();
                async move { link.append_one(request).await }
            })
            .buffered(APPENDS_IN_FLIGHT);
        let answers: BoxStream<'s, _> = Box::pin(answers);
        Box::pin(async move { Ok(answers) })
    }
}

impl ReplicaLink {
    async fn append_one(
        &self,
        request: AppendEntriesRequest<TypeConfig>,
    ) -> Result<StreamAppendResult<TypeConfig>, RPCError<TypeConfig>> {
        let previous = request.prev_log_id;
        let last = request.entries.last().map(|entry| entry.log_id).or(previous);
        let frame = self.frame(RaftMessage::Append, &request)?;
        let answer: AppendEntriesResponse<TypeConfig> =
            answered(self.network.link.append(self.target.node(), frame).await)?;
        Ok(match answer {
            AppendEntriesResponse::Success => Ok(last),
            AppendEntriesResponse::PartialSuccess(matched) => Ok(matched),
            AppendEntriesResponse::HigherVote(vote) => Err(StreamAppendError::HigherVote(vote)),
            AppendEntriesResponse::Conflict => match previous {
                Some(previous) => Err(StreamAppendError::Conflict(previous)),
                None => {
                    return Err(network_error(&LinkError::Unreachable(
                        "a conflict before the first entry".to_owned(),
                    )));
                }
            },
        })
    }
}

fn answered<A: DeserializeOwned>(
    answer: Result<Bytes, LinkError>,
) -> Result<A, RPCError<TypeConfig>> {
    let answer = answer.map_err(|error| network_error(&error))?;
    postcard::from_bytes(&answer).map_err(|error| malformed(&error))
}

fn malformed(error: &postcard::Error) -> RPCError<TypeConfig> {
    network_error(&LinkError::Peer(PeerError::Malformed(error.to_string())))
}

/// A peer that refuses is there; one that can't be reached is backed off from.
fn network_error(error: &LinkError) -> RPCError<TypeConfig> {
    match error {
        LinkError::Unreachable(_) => RPCError::Unreachable(Unreachable::new(error)),
        LinkError::Peer(_) => RPCError::Network(NetworkError::new(error)),
    }
}
