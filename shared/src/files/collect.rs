//! Collecting: chunks of versions that nobody reads any more, and of uploads that nobody goes on
//! with.
//!
//! An upload is taken off the record first; only then, when it can't be committed any more, its
//! chunks are deleted; and then the record forgets it.

use std::time::Duration;

use bytes::Bytes;

use super::keys::BUCKETS;
use super::{Dropped, FileError, FileName, FileRecord, Files, Keys, Part, keys};
use crate::limits::{FILE_GRACE, FILE_LEASE, FILE_PAGE_CHUNKS};

/// What is old enough to be collected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CollectSettings {
    /// How long what was the file is kept for its readers.
    pub grace: Duration,
    /// How long an upload that says nothing may still be resumed.
    pub lease: Duration,
}

impl Default for CollectSettings {
    fn default() -> Self {
        Self { grace: FILE_GRACE, lease: FILE_LEASE }
    }
}

/// What was collected, or would be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// Versions that were the file once.
    pub versions: u64,
    /// Uploads that were given up.
    pub uploads: u64,
    /// Chunks and pages that were removed; not known beforehand.
    pub keys: u64,
}

impl Collected {
    /// Adds another's figures.
    pub fn add(&mut self, other: Self) {
        self.versions += other.versions;
        self.uploads += other.uploads;
        self.keys += other.keys;
    }

    /// Whether anything was collected.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    fn of(dropped: &Dropped, keys: u64) -> Self {
        let versions = u64::from(dropped.was_current);
        Self { versions, uploads: 1 - versions, keys }
    }
}

/// Where a look at all records goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tour {
    bucket: u16,
    after: Option<Bytes>,
}

/// What is due in one page of records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DuePage {
    /// How many records were looked at.
    pub records: usize,
    /// The names of which something is due, with what that would come to.
    pub due: Vec<(FileName, Collected)>,
    /// Where the next page begins; `None`: that was all.
    pub next: Option<Tour>,
}

impl<K: Keys> Files<K> {
    /// What is due in one page of records.
    pub async fn due(&self, tour: Tour, settings: CollectSettings) -> Result<DuePage, FileError> {
        let (records, after) = self.records(tour.bucket, "", tour.after).await?;
        let now_ms = self.keys.now_ms();
        let count = records.len();
        let due = records.into_iter().map(|(name, record)| {
            let expected = Self::collectable(&record, now_ms, settings);
            (name, expected)
        });
        let due = due.filter(|(_, expected)| !expected.is_nothing()).collect();
        let next = match after {
            Some(key) => Some(Tour { bucket: tour.bucket, after: Some(key) }),
            None if tour.bucket + 1 < BUCKETS => {
                Some(Tour { bucket: tour.bucket + 1, after: None })
            }
            None => None,
        };
        Ok(DuePage { records: count, due, next })
    }

    /// What would be collected of one name.
    pub fn collectable(record: &FileRecord, now_ms: u64, settings: CollectSettings) -> Collected {
        let mut after = record.clone();
        after.expire(now_ms, settings.lease);
        let mut sum = Collected::default();
        for dropped in after.due(now_ms, settings.grace) {
            sum.add(Collected::of(&dropped, 0));
        }
        sum
    }

    /// Collects what is due of one name.
    pub async fn collect(
        &self,
        name: &FileName,
        settings: CollectSettings,
    ) -> Result<Collected, FileError> {
        let fenced = self.change(name, |record, now_ms| {
            record.expire(now_ms, settings.lease);
            Ok(record.due(now_ms, settings.grace))
        });
        let Ok(due) = fenced.await? else { return Ok(Collected::default()) };
        let mut sum = Collected::default();
        for dropped in &due {
            sum.add(Collected::of(dropped, self.remove(name, dropped).await?));
        }
        if !due.is_empty() {
            let forgotten = self.change(name, |record, _| {
                record.forget(&due);
                Ok(())
            });
            // Nothing refuses that.
            let _ = forgotten.await?;
        }
        Ok(sum)
    }

    /// Collects the oldest of what waits, whatever its grace: others of the name can't go on.
    pub(super) async fn make_room(&self, name: &FileName) -> Result<(), FileError> {
        let settings = CollectSettings { lease: Duration::MAX, ..CollectSettings::default() };
        self.collect(name, settings).await.map(drop)
    }

    /// Removes all chunks and pages; how many there were.
    async fn remove(&self, name: &FileName, dropped: &Dropped) -> Result<u64, FileError> {
        let mut removed = 0;
        for part in &dropped.parts {
            let mut page = part.from_page;
            loop {
                let here = self.keys.delete(page_group(name, part, page)).await?;
                removed += here;
                page += 1;
                // Chunks are sent in order, a few at once: behind a page without any is nothing.
                if here == 0 && page >= dropped.pages {
                    break;
                }
            }
        }
        Ok(removed)
    }
}

/// The keys of a page and of its chunks.
fn page_group(name: &FileName, part: &Part, page: u64) -> Vec<Bytes> {
    let first = page * FILE_PAGE_CHUNKS;
    let chunks = (first..first + FILE_PAGE_CHUNKS).map(|chunk| keys::chunk(name, part.id, chunk));
    chunks.chain([keys::page(name, part.id, page)]).collect()
}
