//! The Peer service: Raft, heartbeats, and orders between agents.

use std::sync::Arc;

use bytes::Bytes;
use evenkeel_shared::backup::ShardImage;
use evenkeel_shared::command::{Applied, Command, SystemReply};
use evenkeel_shared::error::StoreError;
use evenkeel_shared::heartbeat::{Heartbeat, HeartbeatReply};
use evenkeel_shared::ids::{ReplicaId, ShardId};
use evenkeel_shared::service::peer::{
    CanvassAnswer, CanvassQuestion, ContentHash, LeaderOrder, LeaderReply, Peer, PeerError,
    RaftFrame, SnapshotBegin, SnapshotChunk, SnapshotFinish, Survivor,
};
use evenkeel_shared::version::Hlc;
use evenkeel_shared::view::{Admission, JoinRequest, SystemCommand};
use evenkeel_shared::wire::deadline::Deadline;
use tarpc::context::Context;

use super::appends;
use crate::control::system::System;
use crate::heartbeat::Pulse;
use crate::store::group::Group;
use crate::store::replicas::Replicas;

/// Serves one connection of another agent.
#[derive(Clone)]
pub struct PeerService {
    /// This node's replicas.
    pub replicas: Arc<Replicas>,
    /// Heartbeats and elections.
    pub pulse: Arc<Pulse>,
    /// The cluster's facts, and orders.
    pub system: Arc<System>,
}

impl PeerService {
    fn group(&self, shard: ShardId, to: ReplicaId) -> Result<Arc<Group>, PeerError> {
        self.replicas.get(shard).ok_or(PeerError::NoReplica(to))
    }
}

impl Peer for PeerService {
    async fn raft(self, _: Context, frame: RaftFrame) -> Result<Bytes, PeerError> {
        self.group(frame.shard, frame.to)?.inbound().raft(frame).await
    }

    async fn appends(
        self,
        _: Context,
        frames: Vec<RaftFrame>,
    ) -> Vec<Option<Result<Bytes, PeerError>>> {
        let append = |frame: RaftFrame| {
            let group = self.group(frame.shard, frame.to);
            async move { group?.inbound().raft(frame).await }
        };
        appends::answer(frames.into_iter().map(append)).await
    }

    async fn beat(self, _: Context, heartbeat: Heartbeat) -> HeartbeatReply {
        self.pulse.heard(&heartbeat)
    }

    async fn canvass(self, _: Context, questions: Vec<CanvassQuestion>) -> Vec<CanvassAnswer> {
        self.pulse.canvassed(&questions)
    }

    async fn stand(self, _: Context, shard: ShardId, term: Option<u64>) -> bool {
        // A late word deposes nobody. Whoever asks may be a term ahead: it has stood, and a voter
        // with a longer log takes no note of the term that it refuses.
        let ahead = |group: &Group| term.is_some_and(|term| group.standing().1 < term);
        let meant = |group: &Group| {
            let current = term.is_none_or(|term| group.standing().1 == term);
            current || (ahead(group) && self.pulse.may_skip_lease(shard))
        };
        match self.replicas.get(shard) {
            Some(group) if !group.is_leader() && meant(&group) => {
                self.pulse.ordered_to_stand(shard);
                if ahead(&group) {
                    // In the next term it can't win: whoever asks has voted for itself in that one.
                    group.elect().await;
                }
                group.elect().await;
                true
            }
            _ => false,
        }
    }

    async fn snapshot_begin(self, _: Context, begin: SnapshotBegin) -> Result<(), PeerError> {
        self.group(begin.shard, begin.to)?.inbound().snapshot_begin(begin).await
    }

    async fn snapshot_chunk(self, _: Context, chunk: SnapshotChunk) -> Result<(), PeerError> {
        self.group(chunk.shard, chunk.to)?.inbound().snapshot_chunk(chunk).await
    }

    async fn snapshot_finish(self, _: Context, finish: SnapshotFinish) -> Result<Bytes, PeerError> {
        let group = self.group(finish.shard, finish.to)?;
        // An installation that has begun must end, whatever becomes of the caller.
        tokio::spawn(async move { group.inbound().snapshot_finish(finish).await })
            .await
            .unwrap_or_else(|error| Err(PeerError::Failed(error.to_string())))
    }

    async fn join(self, context: Context, request: JoinRequest) -> Result<Admission, StoreError> {
        if self.system.facts().shards.is_empty() {
            return Err(StoreError::Unavailable { why: "the cluster is being founded".to_owned() });
        }
        let by = Deadline::of(&context);
        match self.system.change(SystemCommand::Join(request), by).await? {
            SystemReply::Joined(admission) => Ok(admission),
            other => Err(StoreError::Unknown { why: format!("joined with {other:?}") }),
        }
    }

    async fn readmit(
        self,
        context: Context,
        request: JoinRequest,
        lost: ReplicaId,
    ) -> Result<Admission, StoreError> {
        let by = Deadline::of(&context);
        let known = self.system.facts().node_named(&request.name).cloned();
        let its_own =
            known.is_some_and(|known| known.folder == request.folder && known.id == lost.node());
        if !its_own {
            let why = format!("{lost} is no copy of {} with that data folder", request.name);
            return Err(StoreError::Refused { why });
        }
        let shard = ShardId::SYSTEM;
        self.system.change(SystemCommand::LoseReplica { shard, replica: lost }, by).await?;
        self.join(context, request).await
    }

    async fn propose(
        self,
        _: Context,
        shard: ShardId,
        command: Box<Command>,
    ) -> Result<Applied, StoreError> {
        self.system.propose_here(shard, *command).await
    }

    async fn lead(
        self,
        _: Context,
        shard: ShardId,
        order: LeaderOrder,
    ) -> Result<LeaderReply, StoreError> {
        let leader = self.system.leader.clone();
        // What has begun must end, whatever becomes of the caller.
        tokio::spawn(async move { leader.perform(shard, order).await })
            .await
            .unwrap_or_else(|error| Err(StoreError::Unknown { why: error.to_string() }))
    }

    async fn content_at(
        self,
        _: Context,
        shard: ShardId,
        cut: Hlc,
    ) -> Result<ContentHash, StoreError> {
        self.system.leader.content_at(shard, cut).await
    }

    async fn survey(self, _: Context, shards: Vec<ShardId>) -> Vec<Option<Survivor>> {
        self.system.leader.survey(&shards)
    }

    async fn salvage(
        self,
        _: Context,
        shard: ShardId,
        archive: String,
    ) -> Result<ShardImage, StoreError> {
        self.system.leader.salvage(shard, &archive).await
    }

    async fn condemn(self, _: Context, shard: ShardId, replica: ReplicaId, why: String) -> bool {
        self.system.leader.condemn(shard, replica, why)
    }

    async fn content_hash(self, _: Context, shard: ShardId) -> Result<ContentHash, StoreError> {
        self.system.leader.content_hash(shard).await
    }
}
