//! What a node does as leader of a shard when the control plane asks for it.

use std::sync::Arc;
use std::time::Duration;

use evenkeel_shared::backup::ShardImage;
use evenkeel_shared::command::{Applied, Command, OperationResult, StoredRecord};
use evenkeel_shared::error::StoreError;
use evenkeel_shared::ids::{NodeId, ReplicaId, ShardId};
use evenkeel_shared::service::peer::{ContentHash, LeaderOrder, LeaderReply, Survivor};
use evenkeel_shared::version::Hlc;

use super::taken::Taken;
use crate::backup::{Archive, ArchiveError, ImageReader, ImageWriter};
use crate::env::Env;
use crate::store::group::Group;
use crate::store::machine::{ContentAt, Image, MachinePhase};
use crate::store::replicas::Replicas;
use crate::store::wal::ReplicaKey;

/// How long past the cut a barrier may take to be applied.
const CUT_MAX: Duration = Duration::from_secs(20);

/// Carries out orders for shards that this node leads.
pub struct Leader {
    /// This node.
    pub me: NodeId,
    /// The world.
    pub env: Env,
    /// Its replicas.
    pub replicas: Arc<Replicas>,
    /// Whom drills take away: asked of the system shard's leader.
    taken: Taken,
}

impl Leader {
    /// Of this node.
    pub fn new(me: NodeId, env: Env, replicas: Arc<Replicas>) -> Self {
        Self { me, env, replicas, taken: Taken::default() }
    }

    /// Does one thing.
    pub async fn perform(
        &self,
        shard: ShardId,
        order: LeaderOrder,
    ) -> Result<LeaderReply, StoreError> {
        let group = self.group(shard)?;
        match order {
            LeaderOrder::AddLearner(replica) => group.add_learner(replica).await?,
            LeaderOrder::RemoveLearner(replica) => group.remove_learner(replica).await?,
            LeaderOrder::ChangeVoters { from, to } => group.change_voters(&from, &to).await?,
            LeaderOrder::Transfer(replica) => {
                let held = group.transfer(replica).await?;
                let held_us = u64::try_from(held.as_micros()).unwrap_or(u64::MAX);
                return Ok(LeaderReply::Transferred(held_us));
            }
            LeaderOrder::Image { cut, archive } => {
                let image = self.write_image(&group, cut, &archive).await?;
                return Ok(LeaderReply::Image(Box::new(image)));
            }
            LeaderOrder::Ingest { archive, image } => {
                self.ingest(&group, &archive, &image).await?;
            }
            LeaderOrder::TakeAway { .. } | LeaderOrder::EndTakeAway { .. }
                if !group.is_leader() =>
            {
                return Err(StoreError::NotLeader { shard, leader: group.leader_node() });
            }
            LeaderOrder::TakeAway { node, ticket } => {
                let before = self.taken.take((ticket, node), self.env.clock.now());
                return Ok(LeaderReply::TakenAway(before));
            }
            LeaderOrder::EndTakeAway { ticket } => self.taken.end(ticket),
        }
        Ok(LeaderReply::Done)
    }

    /// The content hash of this node's replica.
    pub async fn content_hash(&self, shard: ShardId) -> Result<ContentHash, StoreError> {
        let Some(group) = self.replicas.get(shard) else {
            return Err(unavailable(format!("{} has no copy of {shard} in service", self.me)));
        };
        let content = group.machine().content_hash().await.map_err(unavailable)?;
        Ok(self.told(content))
    }

    /// The content hash of this node's replica at a cut; waits until an entry above it is applied.
    pub async fn content_at(&self, shard: ShardId, cut: Hlc) -> Result<ContentHash, StoreError> {
        let machine = self.group(shard)?.machine().clone();
        let image = machine.image_at(cut).await.map_err(unavailable)?;
        let image = tokio::time::timeout(CUT_MAX, image)
            .await
            .map_err(|_| unavailable(format!("the cut of {shard} took too long")))?
            .map_err(unavailable)?;
        let content = machine.hash_image(image).await.map_err(unavailable)?;
        Ok(self.told(content))
    }

    /// Takes this node's replica out of service; false if there is no such replica.
    pub fn condemn(&self, shard: ShardId, replica: ReplicaId, why: String) -> bool {
        let group = self.replicas.get(shard).filter(|group| group.key().replica == replica);
        group.is_some_and(|group| {
            group.machine().condemn(why);
            true
        })
    }

    fn told(&self, content: ContentAt) -> ContentHash {
        ContentHash {
            node: self.me,
            index: content.index,
            records: content.content.records,
            hash: content.content.hash,
        }
    }

    /// Writes the shard's image at the cut. The barrier's HLC lies above the cut, so that the
    /// state at the cut is complete when the barrier is applied.
    async fn write_image(
        &self,
        group: &Group,
        cut: Hlc,
        archive: &str,
    ) -> Result<ShardImage, StoreError> {
        let archive = Archive::open(archive).map_err(unavailable)?;
        let image = group.machine().image_at(cut).await.map_err(unavailable)?;
        group.propose(Command::Barrier { hlc: cut.next() }).await?;
        let image = tokio::time::timeout(CUT_MAX, image)
            .await
            .map_err(|_| unavailable(format!("the cut of {} took too long", group.shard())))?
            .map_err(unavailable)?;
        put_image(&self.env, &archive, group.key(), &image).await
    }

    /// How far this node's replicas of these shards go.
    pub fn survey(&self, shards: &[ShardId]) -> Vec<Option<Survivor>> {
        shards.iter().map(|shard| Some(self.replicas.get(*shard)?.survivor())).collect()
    }

    /// Writes this node's replica of a shard, with all of its log, into an archive.
    pub async fn salvage(&self, shard: ShardId, archive: &str) -> Result<ShardImage, StoreError> {
        let group = self.group(shard)?;
        let archive = Archive::open(archive).map_err(unavailable)?;
        let salvage = group.salvage().await?;
        let image = salvage.image().map_err(unavailable)?;
        put_image(&self.env, &archive, group.key(), &image).await
    }

    async fn ingest(
        &self,
        group: &Group,
        archive: &str,
        image: &ShardImage,
    ) -> Result<(), StoreError> {
        let shard = group.shard();
        if group.machine().status().phase != MachinePhase::Building {
            // Not told its slots yet; or open, and then nothing may be put in any more.
            let why = format!("{shard} can't be filled now");
            return Err(StoreError::Unavailable { why });
        }
        let archive = Archive::open(archive).map_err(unreadable)?;
        let mut reader = ImageReader::new(&archive, image.clone());
        while let Some(records) = reader.next().await.map_err(unreadable)? {
            let ingest = Command::Ingest { hlc: Hlc::default(), records };
            let Applied::Batch(results) = group.propose(ingest).await? else {
                return Err(StoreError::Unknown { why: format!("{shard} took no records") });
            };
            if results.iter().any(|result| !matches!(result, OperationResult::Done { .. })) {
                let why = format!("{shard} refused records of the backup");
                return Err(StoreError::Unavailable { why });
            }
        }
        Ok(())
    }

    fn group(&self, shard: ShardId) -> Result<Arc<Group>, StoreError> {
        self.replicas.get(shard).ok_or(StoreError::NotLeader { shard, leader: None })
    }
}

/// Writes a replica's records into an archive.
pub(crate) async fn put_image(
    env: &Env,
    archive: &Archive,
    of: ReplicaKey,
    image: &Image,
) -> Result<ShardImage, StoreError> {
    let mut writer = ImageWriter::new(archive);
    // Reading blocks, so it goes chunk by chunk through the workers.
    let mut records = image.records();
    loop {
        let (rest, chunk) = env
            .work
            .run(move || {
                let chunk: Result<Vec<StoredRecord>, _> = records.by_ref().take(1_000).collect();
                (records, chunk)
            })
            .await;
        records = rest;
        let chunk = chunk.map_err(unavailable)?;
        if chunk.is_empty() {
            break;
        }
        for record in &chunk {
            writer.add(record).await.map_err(unavailable)?;
        }
    }
    let part = writer.finish().await.map_err(unavailable)?;
    Ok(ShardImage {
        shard: of.shard,
        keyspace: image.keyspace().unwrap_or_default(),
        history: of.history,
        slots: image.slots().to_vec(),
        index: image.index(),
        records: part.records,
        content_hash: part.content_hash,
        chunks: part.chunks,
    })
}

/// A disk that fails is asked again; damage is final, and the restore with it.
pub(super) fn unreadable(error: ArchiveError) -> StoreError {
    if error.may_pass() {
        unavailable(error)
    } else {
        StoreError::Refused { why: error.to_string() }
    }
}

fn unavailable(error: impl std::fmt::Display) -> StoreError {
    StoreError::Unavailable { why: error.to_string() }
}
