//! Sending a snapshot: its rows as numbered chunks, a hash over all of them, then the meta.

use bytes::Bytes;
use evenkeel_shared::ids::ReplicaId;
use evenkeel_shared::service::peer::{SnapshotBegin, SnapshotChunk, SnapshotFinish};
use openraft::raft::SnapshotResponse;

use super::machine::SnapshotData;
use super::network::Network;
use super::peers::LinkError;
use super::raft::{TypeConfig, Vote};

/// Sends a snapshot to a replica and waits until it is installed there.
pub(super) async fn send(
    network: &Network,
    target: ReplicaId,
    vote: Vote,
    snapshot: openraft::alias::SnapshotOf<TypeConfig, SnapshotData>,
) -> Result<SnapshotResponse<TypeConfig>, LinkError> {
    let broken = |text: String| LinkError::Unreachable(text);
    let (key, node, link) = (network.key, target.node(), &network.link);
    let transfer = network.rng.next_u64();
    let begin = SnapshotBegin {
        shard: key.shard,
        history: key.history,
        from: key.replica,
        to: target,
        transfer,
    };
    link.snapshot_begin(node, begin).await?;

    let meta = postcard::to_stdvec(&(vote, &snapshot.meta)).map_err(|e| broken(e.to_string()))?;
    let mut hasher = blake3::Hasher::new();
    let mut number = 0;
    let SnapshotData::Outgoing(outgoing) = snapshot.snapshot else {
        return Err(broken("a snapshot that was received can't be sent on".to_owned()));
    };
    let mut chunks = outgoing.chunks();
    loop {
        // Reading blocks, so each piece is read where blocking does no harm.
        let (rest, next) = network
            .work
            .run(move || {
                let next = chunks.next();
                (chunks, next)
            })
            .await;
        chunks = rest;
        let Some(body) = next else { break };
        let body = body.map_err(|error| broken(error.to_string()))?;
        hasher.update(&body);
        let chunk = SnapshotChunk { shard: key.shard, to: target, transfer, number, body };
        link.snapshot_chunk(node, chunk).await?;
        number += 1;
    }
    let finish = SnapshotFinish {
        shard: key.shard,
        to: target,
        transfer,
        chunks: number,
        hash: *hasher.finalize().as_bytes(),
        meta: Bytes::from(meta),
    };
    let answer = link.snapshot_finish(node, finish).await?;
    tracing::info!(shard = %key.shard, replica = %target, chunks = number, "sent a snapshot");
    postcard::from_bytes(&answer).map_err(|error| broken(error.to_string()))
}
