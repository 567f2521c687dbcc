//! The search for stray chunks: those of parts that no record holds.
//!
//! A chunk is only ever written after its part has been put into the record, and a part that has
//! left the record never comes back. So a chunk whose part is not in a record that was read *after*
//! the chunk was seen is nobody's.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::keys::{self, CHUNKS, PAGES};
use super::{FileError, FileName, FileRecord, Files, Keys, PartId, Place};

/// Where a search goes on, and what it has found so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Chunks and pages that were looked at.
    pub seen: u64,
    /// Those that were nobody's.
    pub stray: u64,
    place: Option<Place>,
    /// Chunks come first, then pages.
    in_pages: bool,
    is_over: bool,
}

impl Swept {
    /// Whether everything has been looked at.
    pub fn is_over(&self) -> bool {
        self.is_over
    }
}

impl<K: Keys> Files<K> {
    /// Looks at so many keys more, and removes strays unless only asked to look.
    pub async fn sweep(
        &self,
        swept: &mut Swept,
        limit: u32,
        remove: bool,
    ) -> Result<(), FileError> {
        let prefix = if swept.in_pages { PAGES } else { CHUNKS };
        let place = swept.place.take().unwrap_or_default();
        let page = self.keys.keys_page(Bytes::from_static(prefix), place, limit).await?;
        let keys: Vec<Bytes> = page.found.into_iter().map(|found| found.key).collect();
        let stray = self.strays(&keys).await?;
        swept.seen += keys.len() as u64;
        swept.stray += stray.len() as u64;
        if remove && !stray.is_empty() {
            self.keys.delete(stray).await?;
        }
        swept.place = page.next;
        if swept.place.is_none() {
            swept.is_over = swept.in_pages;
            swept.in_pages = true;
        }
        Ok(())
    }

    async fn strays(&self, found: &[Bytes]) -> Result<Vec<Bytes>, FileError> {
        let owned: Vec<(&Bytes, FileName, PartId)> = found
            .iter()
            .filter_map(|key| keys::owner(key).map(|(name, part)| (key, name, part)))
            .collect();
        let names: BTreeSet<&FileName> = owned.iter().map(|(_, name, _)| name).collect();
        let mut records: BTreeMap<&FileName, FileRecord> = BTreeMap::new();
        for name in names {
            records.insert(name, self.look(name).await?.0);
        }
        let is_stray =
            |name, part| records.get(name).is_some_and(|record: &FileRecord| !record.holds(part));
        let stray = owned.iter().filter(|(_, name, part)| is_stray(name, *part));
        Ok(stray.map(|(key, ..)| (*key).clone()).collect())
    }
}
