//! Reads a whole backup back, as a restore would, and says what does not fit.
//!
//! It changes nothing, and damage in one shard does not keep it from looking at the next.

use evenkeel_shared::key::SlotRange;

use super::archive::{Archive, chunks_of};
use super::image::ImageReader;
use super::{ArchiveError, PROBLEMS_MAX};

/// What was found in a backup.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verification {
    /// Shards whose records and hash are right.
    pub shards_whole: u32,
    /// Shards in all.
    pub shards: u32,
    /// Records that were read.
    pub records: u64,
    /// Bytes of chunks that the manifest names.
    pub bytes: u64,
    /// What does not fit, in words; the first hundred.
    pub problems: Vec<String>,
}

impl Verification {
    /// Whether all of it can be restored.
    pub fn is_whole(&self) -> bool {
        self.problems.is_empty()
    }

    fn note(&mut self, problem: String) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(problem);
        }
    }
}

impl Archive {
    /// Reads everything that the manifest names and recomputes every hash. An error means that
    /// the archive could not be read; damage is in the answer.
    pub async fn verify(&self, id: &str) -> Result<Verification, ArchiveError> {
        let manifest = self.manifest(id).await?;
        let mut found = Verification {
            shards: u32::try_from(manifest.shards.len()).unwrap_or(u32::MAX),
            bytes: chunks_of(&manifest).map(|chunk| chunk.bytes).sum(),
            ..Verification::default()
        };
        let configuration = self.get_chunk(&manifest.configuration).await;
        sort_out(configuration, "configuration", &mut found)?;
        for image in manifest.shards {
            let shard = image.shard;
            if image.slots.iter().any(|range| range.0 > range.1 || range.1 > SlotRange::ALL.1) {
                found.note(format!("{shard}: its slots are none"));
                continue;
            }
            let mut reader = ImageReader::new(self, image);
            let whole = loop {
                match reader.next().await {
                    Ok(Some(batch)) => found.records += batch.len() as u64,
                    Ok(None) => break Ok(()),
                    Err(error) => break Err(error),
                }
            };
            if sort_out(whole, &shard.to_string(), &mut found)?.is_some() {
                found.shards_whole += 1;
            }
        }
        Ok(found)
    }
}

/// Damage is noted; what keeps us from looking is an error.
fn sort_out<T>(
    result: Result<T, ArchiveError>,
    part: &str,
    found: &mut Verification,
) -> Result<Option<T>, ArchiveError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error @ ArchiveError::Io { .. }) => Err(error),
        Err(error) => {
            found.note(format!("{part}: {error}"));
            Ok(None)
        }
    }
}
