//! Restoring: new shards are filled beside, checked, and then take over in three committed steps,
//! *seal*, *swap*, *open* (safety rule 16). Whoever leads the system shard goes on where the
//! intent stands; every step can be done twice.

use std::time::Duration;

use evenkeel_shared::backup::{BackupKind, Manifest, ShardImage};
use evenkeel_shared::command::Command;
use evenkeel_shared::error::StoreError;
use evenkeel_shared::event::{EventKind, RESTORE_VERIFIED, Severity, restore_line};
use evenkeel_shared::ids::{IntentId, ShardId};
use evenkeel_shared::service::peer::LeaderOrder;
use evenkeel_shared::version::Hlc;
use evenkeel_shared::view::{
    ClusterFacts, Intent, IntentKind, IntentPhase, ShardPhase, SystemCommand,
};
use evenkeel_shared::wire::deadline::Deadline;
use futures::future::try_join_all;

use super::controller::NewShards;
use super::operator::Operator;
use crate::backup::Archive;
use crate::decide::facts::Observed;

/// How long filling one shard may take.
const FILL_MAX: Duration = Duration::from_secs(60);

/// Begins a restore: the new shards exist beside, and the intent is committed.
pub(super) async fn begin(
    operator: &Operator,
    (archive, backup): (&str, &str),
    only: Option<&[ShardId]>,
    actor: &str,
    by: Deadline,
) -> Result<IntentId, StoreError> {
    let manifest = read_manifest(archive, backup).await?;
    if only.is_none() && manifest.kind == BackupKind::Salvaged {
        let why = "it holds some shards only, as they were when they had lost their majority";
        return Err(StoreError::Refused { why: why.to_owned() });
    }
    super::keyspace::bring_back(operator, archive, &manifest, by).await?;
    let (facts, observed) = operator.observer.observe();
    let mut pairs = Vec::new();
    let keyspaces: std::collections::BTreeSet<_> =
        manifest.shards.iter().map(|image| image.keyspace).collect();
    for keyspace in keyspaces {
        if !facts.keyspaces.contains_key(&keyspace) {
            let why = format!("the backup holds {keyspace}, which this cluster does not have");
            return Err(StoreError::Refused { why });
        }
        let images: Vec<&ShardImage> =
            manifest.shards.iter().filter(|image| image.keyspace == keyspace).collect();
        let new = beside(operator, (&facts, &observed), &images, by).await?;
        let serving = |shard: &&evenkeel_shared::view::ShardFacts| {
            let asked = only.is_none_or(|only| only.contains(&shard.id));
            shard.keyspace == keyspace && shard.phase == ShardPhase::Serving && asked
        };
        let old: Vec<ShardId> =
            facts.shards.values().filter(serving).map(|shard| shard.id).collect();
        // Numbers may differ: every old shard must go, every new one must come.
        for at in 0..new.len().max(old.len()) {
            let new = *new.get(at).or(new.last()).ok_or_else(|| StoreError::Refused {
                why: "the backup holds no shards".to_owned(),
            })?;
            pairs.push((old.get(at).copied(), new));
        }
    }
    let kind =
        IntentKind::Restore { archive: archive.to_owned(), backup: backup.to_owned(), pairs };
    let command = SystemCommand::BeginIntent { kind, cause: actor.to_owned() };
    match operator.system.change(command, by).await? {
        evenkeel_shared::command::SystemReply::Intent(intent) => Ok(intent),
        other => Err(StoreError::Unknown { why: format!("began with {other:?}") }),
    }
}

/// Creates one new shard beside for each image, in the images' order.
async fn beside(
    operator: &Operator,
    (facts, observed): (&ClusterFacts, &Observed),
    images: &[&ShardImage],
    by: Deadline,
) -> Result<Vec<ShardId>, StoreError> {
    let Some(first) = images.first() else { return Ok(Vec::new()) };
    let new = NewShards {
        keyspace: first.keyspace,
        phase: ShardPhase::Beside,
        slots: images.iter().map(|image| image.slots.clone()).collect(),
    };
    let history = operator.create_shards_as(facts, observed, new, by).await?;
    loop {
        let now = operator.system.facts();
        let created: Vec<_> =
            now.shards.values().filter(|shard| shard.history == history).collect();
        if created.len() == images.len() {
            let of_image = |image: &&ShardImage| {
                let same = created.iter().find(|shard| shard.slots == image.slots);
                same.map(|shard| shard.id)
            };
            return images
                .iter()
                .map(of_image)
                .collect::<Option<Vec<_>>>()
                .ok_or_else(|| StoreError::Unknown { why: "new shards look wrong".to_owned() });
        }
        if by.is_over() {
            let why = "the new shards did not appear here in time".to_owned();
            return Err(StoreError::Unknown { why });
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Takes every intent one step further.
pub(super) async fn drive(operator: &Operator, facts: &ClusterFacts, by: Deadline) {
    for intent in facts.intents.values() {
        let step = Drive { operator, intent, by };
        match step.advance().await {
            Ok(()) => {}
            Err(StoreError::Refused { why }) => step.fail(why).await,
            Err(error) => tracing::info!(intent = %intent.id, %error, "restore waits"),
        }
    }
}

struct Drive<'a> {
    operator: &'a Operator,
    intent: &'a Intent,
    by: Deadline,
}

impl Drive<'_> {
    async fn advance(&self) -> Result<(), StoreError> {
        let IntentKind::Restore { archive, backup, pairs } = &self.intent.kind;
        let old: Vec<ShardId> = pairs.iter().filter_map(|(old, _)| *old).collect();
        let mut new: Vec<ShardId> = pairs.iter().map(|(_, new)| *new).collect();
        new.dedup();
        match &self.intent.phase {
            IntentPhase::Building => {
                self.fill(archive, backup, &new).await?;
                self.go(IntentPhase::Sealing).await
            }
            IntentPhase::Sealing => {
                // Nobody can seal what has no majority; the map does not name it any more.
                if !is_salvaged(archive, backup).await? {
                    self.seal(&old).await?;
                }
                self.go(IntentPhase::Opening).await
            }
            IntentPhase::Opening => {
                self.open(&new).await?;
                self.go(IntentPhase::Complete).await
            }
            IntentPhase::UndoSealing => {
                self.seal(&new).await?;
                self.go(IntentPhase::UndoOpening).await
            }
            IntentPhase::UndoOpening | IntentPhase::Failed(_) => {
                // If the archive can't be read any more, what was sealed is opened all the same.
                if !is_salvaged(archive, backup).await.unwrap_or(false) {
                    self.open(&old).await?;
                }
                self.end(new).await
            }
            IntentPhase::Complete => Ok(()),
        }
    }

    /// Fills each new shard from its image and compares hashes while it is still closed.
    async fn fill(&self, archive: &str, backup: &str, new: &[ShardId]) -> Result<(), StoreError> {
        let manifest = read_manifest(archive, backup).await?;
        let facts = self.operator.system.facts();
        let by = Deadline::after(FILL_MAX);
        let fills = new.iter().map(|shard| {
            let known = facts.shards.get(shard).cloned();
            // Slots alone don't tell: every keyspace has all of them.
            let fits = |image: &&ShardImage| {
                known.as_ref().is_some_and(|known| {
                    known.keyspace == image.keyspace && known.slots == image.slots
                })
            };
            let image = manifest.shards.iter().find(fits);
            async move {
                let image = image.ok_or_else(|| StoreError::Refused {
                    why: format!("the backup has no image for {shard}"),
                })?;
                let order = LeaderOrder::Ingest {
                    archive: archive.to_owned(),
                    image: Box::new(image.clone()),
                };
                self.operator.system.lead(*shard, order, by).await?;
                self.compare(*shard, image, by).await
            }
        });
        try_join_all(fills).await.map(drop)
    }

    async fn compare(
        &self,
        shard: ShardId,
        image: &ShardImage,
        by: Deadline,
    ) -> Result<(), StoreError> {
        let system = &self.operator.system;
        let Some(leader) = system.router.leader_of(shard) else {
            return Err(StoreError::NoQuorum { shard });
        };
        let content = system.content_hash(leader, shard, by).await?;
        if content.hash == image.content_hash {
            return Ok(());
        }
        Err(StoreError::Refused {
            why: format!(
                "{shard} holds {} records after the restore, the backup {}, and their hashes differ",
                content.records, image.records
            ),
        })
    }

    async fn seal(&self, shards: &[ShardId]) -> Result<(), StoreError> {
        let intent = self.intent.id;
        let seals = shards.iter().map(|shard| {
            let seal = Command::Seal { hlc: Hlc::default(), intent };
            self.operator.system.propose(*shard, seal, self.by)
        });
        try_join_all(seals).await.map(drop)
    }

    async fn open(&self, shards: &[ShardId]) -> Result<(), StoreError> {
        let intent = self.intent.id;
        let opens = shards.iter().map(|shard| {
            let open = Command::Open { hlc: Hlc::default(), intent };
            self.operator.system.propose(*shard, open, self.by)
        });
        try_join_all(opens).await.map(drop)
    }

    async fn go(&self, to: IntentPhase) -> Result<(), StoreError> {
        let what = self.line(words(&to));
        let (intent, from) = (self.intent.id, self.intent.phase.clone());
        let command = SystemCommand::AdvanceIntent { intent, from, to };
        self.operator.system.change(command, self.by).await?;
        self.write(Severity::Info, what, String::new());
        Ok(())
    }

    async fn end(&self, drop: Vec<ShardId>) -> Result<(), StoreError> {
        let command = SystemCommand::EndIntent { intent: self.intent.id, drop };
        self.operator.system.change(command, self.by).await?;
        self.write(Severity::Info, self.line("taken back"), String::new());
        Ok(())
    }

    async fn fail(&self, why: String) {
        let from = self.intent.phase.clone();
        if !matches!(from, IntentPhase::Building | IntentPhase::Sealing) {
            tracing::warn!(why, "restore refused, and asked again");
            return;
        }
        let to = IntentPhase::Failed(why.clone());
        let command = SystemCommand::AdvanceIntent { intent: self.intent.id, from, to };
        if self.operator.system.change(command, self.by).await.is_ok() {
            self.write(Severity::Alarm, self.line("failed"), why);
        }
    }

    fn line(&self, how_far: &str) -> String {
        let IntentKind::Restore { backup, .. } = &self.intent.kind;
        restore_line(backup, how_far)
    }

    fn write(&self, severity: Severity, what: String, why: String) {
        let mut line = self.operator.journal.line(EventKind::Restore, severity, what);
        line.why = if why.is_empty() { self.intent.cause.clone() } else { why };
        self.operator.journal.write(line);
    }
}

/// Whether a backup is what was left of shards that had lost their majority.
pub(super) async fn is_salvaged(archive: &str, backup: &str) -> Result<bool, StoreError> {
    Ok(read_manifest(archive, backup).await?.kind == BackupKind::Salvaged)
}

/// Reads a backup's manifest.
pub(super) async fn read_manifest(archive: &str, backup: &str) -> Result<Manifest, StoreError> {
    let unreadable = super::leader::unreadable;
    Archive::open(archive).map_err(unreadable)?.manifest(backup).await.map_err(unreadable)
}

fn words(phase: &IntentPhase) -> &'static str {
    match phase {
        IntentPhase::Building => "filling new shards beside",
        IntentPhase::Sealing => RESTORE_VERIFIED,
        IntentPhase::Opening => "the map names the new shards, opening them",
        IntentPhase::Complete => "complete; accept it or undo it",
        IntentPhase::UndoSealing => "undo: sealing the restored shards",
        IntentPhase::UndoOpening => "undo: the map names the old shards, opening them",
        IntentPhase::Failed(_) => "failed",
    }
}
