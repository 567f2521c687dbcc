//! Shards that have lost their majority for good: what survives is collected, put into an archive,
//! and takes the old shards' place as a restore does. Nothing of it is done by itself.
//!
//! Invariant: of each shard, the replica with the best log is taken, and all of its log with it.

use evenkeel_shared::backup::{BackupKind, ShardImage};
use evenkeel_shared::error::StoreError;
use evenkeel_shared::ids::{IntentId, ReplicaId, ShardId};
use evenkeel_shared::preflight::Preflight;
use evenkeel_shared::service::peer::Survivor;
use evenkeel_shared::view::ReplicaRole;
use evenkeel_shared::wire::deadline::Deadline;
use futures::future::join_all;
use std::time::Duration;

use super::operator::Operator;
use super::{backup, restore};
use crate::decide::facts::name;

/// How long a node may take to say how far its replicas go.
const SURVEY_MAX: Duration = Duration::from_secs(2);
/// How long one shard may take to be written.
const SALVAGE_MAX: Duration = Duration::from_secs(60);

/// Who of one shard is left.
struct Survivors {
    shard: ShardId,
    /// The best log first.
    found: Vec<Survivor>,
    /// Voters of which nothing was heard.
    missing: Vec<ReplicaId>,
    /// The longest log that was ever heard of.
    longest: Option<u64>,
}

/// Asks every living node how far its replicas of these shards go.
async fn survey(operator: &Operator, shards: &[ShardId]) -> Vec<Survivors> {
    let (facts, observed) = operator.observer.observe();
    let by = Deadline::after(SURVEY_MAX);
    let answering = facts.nodes.keys().filter(|node| observed.answers(**node));
    let asked = answering.map(|node| operator.system.survey(*node, shards.to_vec(), by));
    let answers: Vec<Vec<Option<Survivor>>> =
        join_all(asked).await.into_iter().filter_map(Result::ok).collect();
    let of = |(at, shard): (usize, &ShardId)| {
        let known = facts.shards.get(shard);
        let lost = |survivor: &Survivor| {
            let held = known.and_then(|known| known.replicas.get(&survivor.replica));
            held.is_none_or(|held| held.role == ReplicaRole::Lost)
        };
        let told = answers.iter().filter_map(|answer| answer.get(at).copied().flatten());
        let mut found: Vec<Survivor> = told.filter(|survivor| !lost(survivor)).collect();
        found.sort_by_key(|survivor| std::cmp::Reverse((survivor.last, survivor.applied)));
        let seen = observed.shards.get(shard);
        let voters = seen.into_iter().flat_map(|seen| &seen.voters).copied();
        let heard = |voter: &ReplicaId| found.iter().any(|known| known.replica == *voter);
        let missing = voters.filter(|voter| !heard(voter)).collect();
        let longest = seen.and_then(|seen| seen.last);
        Survivors { shard: *shard, found, missing, longest }
    };
    shards.iter().enumerate().map(of).collect()
}

/// Says in a pre-flight what is left of each shard, and what may be lost.
pub(super) async fn foretell(operator: &Operator, shards: &[ShardId], flight: &mut Preflight) {
    let facts = operator.system.facts();
    let called = |replica: &ReplicaId| name(&facts, replica.node());
    let mut lost = Some(0);
    for left in survey(operator, shards).await {
        let shard = left.shard;
        let missing: Vec<String> = left.missing.iter().map(called).collect();
        let Some(best) = left.found.first() else {
            let why = format!("nothing is left of {shard}: {} held it", missing.join(", "));
            flight.refused = Some(why);
            flight.safer = Some("restore it from a backup".to_owned());
            return;
        };
        let (term, index) = best.last;
        let others: Vec<String> = left.found[1..]
            .iter()
            .map(|other| {
                format!("{} ends at {}/{}", called(&other.replica), other.last.0, other.last.1)
            })
            .collect();
        let others =
            if others.is_empty() { String::new() } else { format!(" ({})", others.join(", ")) };
        flight.notes.push(format!(
            "{shard}: from {}, whose log ends at {term}/{index}{others}; not heard: {}",
            called(&best.replica),
            missing.join(", ")
        ));
        let short = left.longest.map(|longest| longest.saturating_sub(index));
        lost = lost.zip(short).map(|(all, short)| all + short);
    }
    flight.writes_dropped = lost.filter(|lost| *lost > 0);
    flight.notes.push(match lost {
        Some(0) => {
            "no node is known to have had more; what only the missing had is lost".to_owned()
        }
        Some(_) => {
            "so many entries the missing are known to have had; they may have had more".into()
        }
        None => "how much the missing had is not known".to_owned(),
    });
    flight.notes.push(
        "what the missing nodes hold of these shards counts no more, even if they come back".into(),
    );
}

/// Writes what survives into an archive, and begins to put it in the place of the lost shards.
pub(super) async fn begin(
    operator: &Operator,
    (shards, archive): (&[ShardId], &str),
    actor: &str,
    by: Deadline,
) -> Result<(IntentId, String), StoreError> {
    let mut images: Vec<ShardImage> = Vec::new();
    for left in survey(operator, shards).await {
        let shard = left.shard;
        let best = left
            .found
            .first()
            .ok_or_else(|| StoreError::Refused { why: format!("nothing is left of {shard}") })?;
        let node = best.replica.node();
        let until = Deadline::after(SALVAGE_MAX);
        images.push(operator.system.salvage(node, shard, archive.to_owned(), until).await?);
    }
    let record = backup::write(operator, archive, (BackupKind::Salvaged, images), by).await?;
    let report = format!("{} records of {} shards", record.records, record.shards);
    let intent = restore::begin(operator, (archive, &record.id), Some(shards), actor, by).await?;
    Ok((intent, format!("{report}, kept as backup {} in {archive}", record.id)))
}
