//! The archive: where backups lie, how they are written, and how they are read back.
//!
//! A backup exists once its manifest does, and the manifest is written last. Chunks are named by
//! their hash, so that whatever is read back is what was written, or an error.

mod archive;
mod chunk;
mod image;
mod location;
#[cfg(test)]
mod tests;
mod verify;

pub use archive::{Archive, Listed, ManifestSummary};
pub use image::{ImageParts, ImageReader, ImageWriter};
pub use verify::Verification;

use crate::envelope::EnvelopeError;

/// Why an archive does not do what it was asked, sorted by what the operator can do.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// Name another place.
    #[error("archive {location:?} can't be used: {why}")]
    Location {
        /// What was given.
        location: String,
        /// What is wrong, and what to try.
        why: &'static str,
    },
    /// Use an id that exists.
    #[error("archive {archive} has no backup {id}; `evenkeel backup list` shows what it has")]
    NoBackup {
        /// The archive.
        archive: String,
        /// What was looked for.
        id: String,
    },
    /// Use another id: a backup is never overwritten.
    #[error("archive has a backup {id} already")]
    Exists {
        /// The id.
        id: String,
    },
    /// Use another id: this one is no file name.
    #[error("backup id {id:?} is not 1 to {ID_CHARS_MAX} of letters, digits and '-'")]
    Id {
        /// What was given.
        id: String,
    },
    /// Use a newer version of the software.
    #[error("{what} has format {found}, and this version knows none above {known}")]
    Newer {
        /// The manifest or chunk.
        what: String,
        /// Its format.
        found: u32,
        /// The newest known.
        known: u32,
    },
    /// Use another backup: this one can't be restored.
    #[error("{what} is damaged: {why}")]
    Damaged {
        /// The manifest, chunk or image.
        what: String,
        /// What does not fit.
        why: String,
    },
    /// A manifest's checksum does not fit: use another backup.
    #[error("manifest of backup {id} is damaged")]
    Manifest {
        /// The backup.
        id: String,
        /// What does not fit.
        #[source]
        source: EnvelopeError,
    },
    /// Mend the caller: a backup's parts came in a way that can't be restored.
    #[error("backup can't be written: {why}")]
    Misuse {
        /// What is wrong.
        why: String,
    },
    /// Look at the disk or the network, and try again.
    #[error("can't {verb} {what}")]
    Io {
        /// What was tried.
        verb: &'static str,
        /// With what.
        what: String,
        /// The cause.
        #[source]
        source: object_store::Error,
    },
}

impl ArchiveError {
    /// Whether asking again may help: a disk or network may come back, damage does not heal.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Io { .. })
    }
}

/// Longest id of a backup.
pub const ID_CHARS_MAX: usize = 64;
/// A chunk is closed once it is this long: large enough to read in a row, small enough to retry.
pub const CHUNK_BYTES_TARGET: usize = 4 << 20;
/// Longest chunk that is ever read: the target and one record of the largest size.
pub const CHUNK_BYTES_MAX: u64 = 8 << 20;
/// Longest manifest that is ever read: some 400,000 chunks.
pub const MANIFEST_BYTES_MAX: u64 = 64 << 20;
/// Damage that one verification names; there may be more.
pub const PROBLEMS_MAX: usize = 100;
