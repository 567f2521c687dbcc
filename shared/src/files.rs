//! Files: the store's second face. A file's bytes lie in chunks, their hashes in pages, and one
//! record a name says which chunks are the file.
//!
//! Chunks and pages are written once, under ids that are never used twice. Only the record ever
//! changes, by compare-and-swap: whoever reads sees one version whole, or another, never a mixture.

mod collect;
mod error;
mod files_of;
mod get;
mod hash;
pub mod keys;
mod layout;
mod name;
mod port;
mod put;
mod record;
mod store;
mod sweep;
#[cfg(test)]
mod tests;

pub use collect::{CollectSettings, Collected, DuePage, Tour};
pub use error::{FileError, NameError};
pub use files_of::{Files, Listed, Stat};
pub use get::{Got, Sink};
pub use hash::{Hash, Hasher};
pub use layout::{Layout, Part, PartId};
pub use name::FileName;
pub use port::{FoundKey, KeyPage, Keys, Place};
pub use put::{Progress, Put, Source};
pub use record::{Dropped, Fate, FileRecord, Manifest, Refusal, SourceId, Upload};
pub use store::{count_removed, page_request};
pub use sweep::Swept;
