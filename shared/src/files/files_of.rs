//! The files of one keyspace: what there is, and how their records are changed.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};

use super::keys::{self, BUCKETS};
use super::{FileError, FileName, FileRecord, Keys, Manifest, PartId, Refusal};
use crate::client::ClientError;
use crate::command::{Expected, OperationResult, WriteAction};
use crate::error::StoreError;
use crate::limits::FILE_CHANGES_MAX;
use crate::version::Version;

/// Between two tries to change a record that others change too; grows with each.
const AGAIN: Duration = Duration::from_millis(3);
/// Longest time between two tries.
const AGAIN_MAX: Duration = Duration::from_millis(200);
/// Buckets that are listed at once.
const BUCKETS_AT_ONCE: usize = 8;

/// The files of one keyspace. Cloning shares what the keys share.
#[derive(Clone)]
pub struct Files<K> {
    pub(super) keys: K,
    ids: Arc<dyn Fn() -> u128 + Send + Sync>,
}

/// A file as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: FileName,
    /// What it is.
    pub manifest: Manifest,
}

/// All that a name's record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stat {
    /// The record.
    pub record: FileRecord,
    /// The cluster's time when it was read.
    pub now_ms: u64,
}

impl<K: Keys> Files<K> {
    /// Files over these keys; `ids` draws 128 random bits.
    pub fn new(keys: K, ids: Arc<dyn Fn() -> u128 + Send + Sync>) -> Self {
        Self { keys, ids }
    }

    /// Every file whose name begins so, sorted by name. All of them are in memory at once.
    pub async fn list(&self, prefix: &str) -> Result<Vec<Listed>, FileError> {
        let buckets = futures::stream::iter(0..BUCKETS);
        let records = buckets.map(|bucket| self.list_bucket(bucket, prefix));
        let all: Vec<Vec<Listed>> = records.buffer_unordered(BUCKETS_AT_ONCE).try_collect().await?;
        let mut all: Vec<Listed> = all.into_iter().flatten().collect();
        all.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(all)
    }

    async fn list_bucket(&self, bucket: u16, prefix: &str) -> Result<Vec<Listed>, FileError> {
        let (mut listed, mut after) = (Vec::new(), None);
        loop {
            let (records, next) = self.records(bucket, prefix, after).await?;
            for (name, record) in records {
                if let Some(manifest) = record.current {
                    listed.push(Listed { name, manifest });
                }
            }
            let Some(next) = next else { return Ok(listed) };
            after = Some(next);
        }
    }

    /// One page of the records of a bucket, and the key behind which the next page begins.
    pub(super) async fn records(
        &self,
        bucket: u16,
        prefix: &str,
        after: Option<Bytes>,
    ) -> Result<(Vec<(FileName, FileRecord)>, Option<Bytes>), FileError> {
        let page = self.keys.slot_page(keys::records(bucket, prefix), after).await?;
        let mut records = Vec::new();
        for found in page.found {
            // Whatever else lies there is not ours.
            let Some(name) = keys::name_of_record(&found.key) else { continue };
            let record = read(&name, &found.value)?;
            records.push((name, record));
        }
        Ok((records, page.next.and_then(|place| place.after).map(|(_, key)| key)))
    }

    /// What a name's record says.
    pub async fn stat(&self, name: &FileName) -> Result<Stat, FileError> {
        let (record, _) = self.look(name).await?;
        Ok(Stat { record, now_ms: self.keys.now_ms() })
    }

    /// The file of that name.
    pub async fn manifest(&self, name: &FileName) -> Result<Manifest, FileError> {
        let (record, _) = self.look(name).await?;
        record.current.ok_or_else(|| FileError::NotFound { name: name.clone() })
    }

    /// Deletes a file; gives back what it was.
    pub async fn delete(&self, name: &FileName) -> Result<Manifest, FileError> {
        self.change_with_room(name, |record, now_ms| {
            let was = record.current.clone();
            record.delete(now_ms)?;
            was.ok_or(Refusal::Absent)
        })
        .await
    }

    /// An id that nobody else has drawn.
    pub(super) fn new_id(&self) -> PartId {
        PartId((self.ids)())
    }

    /// A name's record, empty when there is none, and its version.
    pub(super) async fn look(
        &self,
        name: &FileName,
    ) -> Result<(FileRecord, Option<Version>), FileError> {
        match self.keys.get(keys::record(name)).await? {
            Some((value, version)) => Ok((read(name, &value)?, Some(version))),
            None => Ok((FileRecord::default(), None)),
        }
    }

    /// Changes a record, after collecting what is due when too much of the name waits for that.
    pub(super) async fn change_with_room<T>(
        &self,
        name: &FileName,
        mut change: impl FnMut(&mut FileRecord, u64) -> Result<T, Refusal>,
    ) -> Result<T, FileError> {
        for _ in 0..FILE_CHANGES_MAX {
            match self.change(name, &mut change).await? {
                Ok(done) => return Ok(done),
                Err(Refusal::TooManyDropped) => self.make_room(name).await?,
                Err(refusal) => return Err(refused(name, refusal)),
            }
        }
        Err(FileError::Contended { name: name.clone() })
    }

    /// Changes a record by compare-and-swap, as often as others come before. What is left empty is
    /// removed.
    pub(super) async fn change<T>(
        &self,
        name: &FileName,
        mut change: impl FnMut(&mut FileRecord, u64) -> Result<T, Refusal>,
    ) -> Result<Result<T, Refusal>, FileError> {
        for nth in 0..FILE_CHANGES_MAX {
            let (before, version) = self.look(name).await?;
            let mut record = before.clone();
            let done = match change(&mut record, self.keys.now_ms()) {
                Ok(done) => done,
                Err(refusal) => return Ok(Err(refusal)),
            };
            if record == before || self.swap(name, &record, version).await? {
                return Ok(Ok(done));
            }
            // Whoever comes second waits a little, so that somebody comes through.
            tokio::time::sleep((AGAIN * (nth + 1)).min(AGAIN_MAX)).await;
        }
        Err(FileError::Contended { name: name.clone() })
    }

    /// Writes a record if it is still the one that was read; whether it was.
    async fn swap(
        &self,
        name: &FileName,
        record: &FileRecord,
        version: Option<Version>,
    ) -> Result<bool, FileError> {
        let expected = version.map_or(Expected::Absent, Expected::Version);
        let action = if record.is_empty() {
            WriteAction::CompareAndDelete { expected }
        } else {
            let value = record.encode().into();
            WriteAction::CompareAndSet { expected, value, expires: None }
        };
        let item = self.keys.item(keys::record(name), action);
        let unknown = |last: String| FileError::Unknown { name: name.clone(), last };
        let mut written = self.keys.write(item.clone()).await;
        if let Err(ClientError::Unknown { .. }) = written {
            // The same request, asked once more, tells what it did.
            written = self.keys.write(item).await.map_err(|error| match error {
                // It says nothing about the first one.
                ClientError::Unavailable { last, .. } => unknown_write(last),
                other => other,
            });
        }
        match written {
            Ok(result) => done(&result).map_err(|why| {
                why.unwrap_or_else(|| unknown("the shard has forgotten the request".to_owned()))
            }),
            Err(ClientError::Unknown { last, .. }) => Err(unknown(last)),
            Err(error) => Err(error.into()),
        }
    }
}

fn unknown_write(last: String) -> ClientError {
    ClientError::Unknown { attempts: 1, last, persisted_by: None }
}

/// Whether a conditional write took effect; or why it never will; or nothing, when nobody knows.
pub(super) fn done(result: &OperationResult) -> Result<bool, Option<FileError>> {
    let refused =
        |why: &str| Err(Some(FileError::Store(StoreError::Refused { why: why.to_owned() }.into())));
    match result {
        OperationResult::Done { .. }
        | OperationResult::Written { .. }
        | OperationResult::Provisional { .. } => Ok(true),
        OperationResult::ConditionFailed { .. } => Ok(false),
        OperationResult::Forgotten => Err(None),
        OperationResult::TooManyClients => {
            refused("the shard remembers as many clients as it may; it forgets them within minutes")
        }
        OperationResult::NotOwned => refused("the shard is sealed, or has moved"),
        OperationResult::Counted { .. } | OperationResult::NotANumber => {
            refused("a write was answered as something else")
        }
    }
}

/// A refusal that the caller has no answer to.
pub(super) fn refused(name: &FileName, refusal: Refusal) -> FileError {
    let name = name.clone();
    match refusal {
        Refusal::GivenUp => FileError::GivenUp { name },
        Refusal::Absent => FileError::NotFound { name },
        Refusal::TooManyUploads => FileError::TooManyUploads { name },
        Refusal::TooManyDropped => FileError::Contended { name },
    }
}

fn read(name: &FileName, value: &[u8]) -> Result<FileRecord, FileError> {
    let damaged = || FileError::Damaged { name: name.clone(), what: "its record".to_owned() };
    FileRecord::decode(value).ok_or_else(damaged)
}
