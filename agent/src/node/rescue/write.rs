//! Writing what is left into an archive.
//!
//! Invariant: a shard is written empty only if nothing is left of it, or if it was said so.

use evenkeel_shared::backup::{BackupKind, Manifest, ShardImage};
use evenkeel_shared::error::StoreError;
use evenkeel_shared::ids::{ReplicaId, ShardId};
use evenkeel_shared::version::Hlc;
use evenkeel_shared::view::ShardFacts;

use super::{Left, Rescue, RescueError};
use crate::backup::{Archive, ArchiveError, ImageWriter};
use crate::control::leader::put_image;
use crate::control::seal;

/// The backup that was made of it.
#[derive(Clone, Debug)]
pub struct Rescued {
    /// Its id.
    pub id: String,
    /// Shards in it.
    pub shards: usize,
    /// What was taken of each: better copies that could not be read are left out.
    pub left: Vec<Left>,
    /// Records in them.
    pub records: u64,
    /// Bytes of them all.
    pub bytes: u64,
}

impl Rescued {
    fn of(manifest: Manifest, left: Vec<Left>) -> Self {
        let images = &manifest.shards;
        Self {
            shards: images.len(),
            records: images.iter().map(|image| image.records).sum(),
            bytes: images.iter().flat_map(|image| &image.chunks).map(|chunk| chunk.bytes).sum(),
            id: manifest.id,
            left,
        }
    }
}

/// One copy, written.
enum Written {
    /// With the time of its last entry.
    Whole(Box<ShardImage>, Hlc),
    /// It was begun, and had not been told what it holds.
    Empty,
}

impl Rescue {
    /// Writes the best copy of every shard into an archive, and nothing in the place of those of
    /// which nothing is left or that are to be `empty`; `told` hears of each shard that is written.
    pub async fn write(
        &mut self,
        archive: &str,
        empty: &[ShardId],
        mut told: impl FnMut(&ShardImage),
    ) -> Result<Rescued, RescueError> {
        let store = Archive::open(archive)?;
        let (mut images, mut all, mut cut) = (Vec::new(), Vec::new(), Hlc::default());
        let mut troubles = Vec::new();
        for shard in self.serving() {
            let mut left = self.left_of(shard);
            let mut causes = Vec::new();
            let mut image = None;
            while let Some(copy) = left.copies.first().filter(|_| image.is_none()) {
                match self.write_copy(&store, shard, copy.replica).await {
                    Ok(Written::Whole(written, until)) => {
                        cut = cut.max(until);
                        image = Some(*written);
                        continue;
                    }
                    Ok(Written::Empty) => {}
                    Err(error) => causes.push(format!("the copy of {}: {error}", copy.node)),
                }
                left.whole &= causes.is_empty();
                left.copies.remove(0);
            }
            let unopened = self.unopened.get(&shard.id).cloned().unwrap_or_default();
            let nothing_left = causes.is_empty() && unopened.is_empty();
            let image = match image {
                Some(image) => image,
                None if nothing_left || empty.contains(&shard.id) => nothing(&store, shard).await?,
                None => {
                    causes.extend(unopened);
                    return Err(RescueError::Shard { shard: shard.id, causes });
                }
            };
            troubles.extend(causes.into_iter().map(|cause| format!("{}: {cause}", shard.id)));
            told(&image);
            images.push(image);
            all.push(left);
        }
        let made = seal(&self.env, &store, &self.facts, (BackupKind::Rescued, images), cut).await?;
        self.troubles.extend(troubles);
        Ok(Rescued::of(made, all))
    }

    async fn write_copy(
        &self,
        store: &Archive,
        shard: &ShardFacts,
        replica: ReplicaId,
    ) -> Result<Written, StoreError> {
        let unavailable = |why: String| StoreError::Unavailable { why };
        let one = self.opened.get(&replica.node());
        let group = one.and_then(|one| one.replicas.get(shard.id));
        let group = group.ok_or_else(|| unavailable(format!("{replica} is closed")))?;
        let salvage = group.salvage().await?;
        let image = salvage.image().map_err(|error| unavailable(error.to_string()))?;
        if image.slots().is_empty() {
            return Ok(Written::Empty);
        }
        if image.keyspace() != Some(shard.keyspace) || image.slots() != shard.slots {
            let why = "it holds other keys than the system shard's copies here say";
            return Err(unavailable(why.to_owned()));
        }
        let written = put_image(&self.env, store, group.key(), &image).await?;
        Ok(Written::Whole(Box::new(written), image.hlc()))
    }
}

/// An empty image, for a shard of which nothing is left: its keys can be written again.
async fn nothing(store: &Archive, shard: &ShardFacts) -> Result<ShardImage, ArchiveError> {
    let part = ImageWriter::new(store).finish().await?;
    Ok(ShardImage {
        shard: shard.id,
        keyspace: shard.keyspace,
        history: shard.history,
        slots: shard.slots.clone(),
        index: 0,
        records: part.records,
        content_hash: part.content_hash,
        chunks: part.chunks,
    })
}
