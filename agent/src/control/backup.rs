//! Backing everything up: one cut for all shards, images by their leaders, the manifest last.

use std::time::Duration;

use evenkeel_shared::backup::{ARCHIVE_FORMAT, BackupKind, Manifest, ShardImage};
use evenkeel_shared::error::StoreError;
use evenkeel_shared::ids::ShardId;
use evenkeel_shared::service::peer::{LeaderOrder, LeaderReply};
use evenkeel_shared::version::Hlc;
use evenkeel_shared::view::{BackupRecord, ClusterFacts, ShardPhase, SystemCommand};
use evenkeel_shared::wire::deadline::Deadline;
use futures::{StreamExt, TryStreamExt};

use super::operator::{LOOK_AGAIN, Operator};
use crate::backup::Archive;
use crate::env::Env;

/// How far ahead of now the cut lies: every leader must hear of it before its time comes.
const CUT_AHEAD_MS: u64 = 100;
/// Images written at the same time.
const IMAGES_AT_ONCE: usize = 4;
/// How long one image may take.
const IMAGE_MAX: Duration = Duration::from_secs(60);

/// Backs up every serving shard and the configuration; gives back the backup's record.
pub(super) async fn create(
    operator: &Operator,
    archive: &str,
    by: Deadline,
) -> Result<BackupRecord, StoreError> {
    let store = Archive::open(archive).map_err(refused)?;
    let facts = operator.system.facts();
    let serving = facts
        .shards
        .values()
        .filter(|shard| !shard.id.is_system() && shard.phase == ShardPhase::Serving);
    let shards: Vec<ShardId> = serving.map(|shard| shard.id).collect();
    loop {
        let now_ms = operator.env.clock.unix_ms();
        let cut = Hlc::from_unix_ms(now_ms + CUT_AHEAD_MS);
        let images = futures::stream::iter(shards.clone())
            .map(|shard| image(operator, shard, cut, archive))
            .buffered(IMAGES_AT_ONCE.max(shards.len()));
        let images: Vec<ShardImage> = images.try_collect().await?;
        // A new shard that has not been told its slots yet: nothing could be restored from this.
        let Some(new) = images.iter().find(|image| image.slots.is_empty()) else {
            let record = (BackupKind::Full, images);
            return write_at(operator, (&store, archive), record, cut, by).await;
        };
        if by.is_over() {
            let why = format!("{} has not been told its slots yet: try again", new.shard);
            return Err(StoreError::Unavailable { why });
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Writes down what images make up, as of now; gives back the backup's record.
pub(super) async fn write(
    operator: &Operator,
    archive: &str,
    images: (BackupKind, Vec<ShardImage>),
    by: Deadline,
) -> Result<BackupRecord, StoreError> {
    let store = Archive::open(archive).map_err(refused)?;
    let now = Hlc::from_unix_ms(operator.env.clock.unix_ms());
    write_at(operator, (&store, archive), images, now, by).await
}

async fn write_at(
    operator: &Operator,
    (store, archive): (&Archive, &str),
    images: (BackupKind, Vec<ShardImage>),
    cut: Hlc,
    by: Deadline,
) -> Result<BackupRecord, StoreError> {
    let facts = operator.system.facts();
    let manifest = seal(&operator.env, store, &facts, images, cut).await?;
    let record = BackupRecord {
        archive: archive.to_owned(),
        cut,
        shards: u32::try_from(manifest.shards.len()).unwrap_or(u32::MAX),
        records: manifest.shards.iter().map(|image| image.records).sum(),
        bytes: manifest.shards.iter().flat_map(|image| &image.chunks).map(|it| it.bytes).sum(),
        id: manifest.id,
    };
    operator.system.change(SystemCommand::RecordBackup(record.clone()), by).await?;
    Ok(record)
}

/// Makes a backup of images that are in the archive: from its manifest on there is one.
pub(crate) async fn seal(
    env: &Env,
    store: &Archive,
    facts: &ClusterFacts,
    (kind, shards): (BackupKind, Vec<ShardImage>),
    cut: Hlc,
) -> Result<Manifest, StoreError> {
    let configuration = super::keyspace::configuration(facts).map_err(refused)?;
    let configuration = store.put_chunk(configuration.into()).await.map_err(refused)?;
    let manifest = Manifest {
        format: ARCHIVE_FORMAT,
        id: backup_id(env.clock.unix_ms(), env.rng.next_u64()),
        kind,
        cluster: facts.cluster,
        cut,
        finished_unix_ms: env.clock.unix_ms(),
        shards,
        configuration,
        written_by: format!("evenkeel {}", env!("CARGO_PKG_VERSION")),
    };
    store.write_manifest(&manifest).await.map_err(refused)?;
    Ok(manifest)
}

async fn image(
    operator: &Operator,
    shard: ShardId,
    cut: Hlc,
    archive: &str,
) -> Result<ShardImage, StoreError> {
    let order = LeaderOrder::Image { cut, archive: archive.to_owned() };
    match operator.system.lead(shard, order, Deadline::after(IMAGE_MAX)).await? {
        LeaderReply::Image(image) => Ok(*image),
        other => Err(StoreError::Unknown { why: format!("{shard} answered {other:?}") }),
    }
}

/// Sorts by time: `20261123T224501Z-ab12`.
fn backup_id(unix_ms: u64, salt: u64) -> String {
    let second = i64::try_from(unix_ms / 1_000).ok();
    let moment = second.and_then(|second| jiff::Timestamp::from_second(second).ok());
    // A clock beyond the year 9999 is wrong, and its backups sort last.
    let moment = moment.unwrap_or(jiff::Timestamp::MAX);
    format!("{}-{:04x}", moment.strftime("%Y%m%dT%H%M%SZ"), salt & 0xffff)
}

fn refused(error: impl std::fmt::Display) -> StoreError {
    StoreError::Refused { why: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backup_ids_name_the_second() {
        assert_eq!(backup_id(0, 1), "19700101T000000Z-0001");
        assert_eq!(backup_id(1_795_474_701_000, 0xab12), "20261123T225821Z-ab12");
        assert_eq!(backup_id(951_782_400_000, 0), "20000229T000000Z-0000");
    }
}
