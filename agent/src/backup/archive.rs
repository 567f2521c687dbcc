//! The archive's files: chunks by their hash, manifests by their id.
//!
//! `object_store` is the only way in and out. A manifest is never overwritten, and nothing is
//! named by one that is not there.

use std::sync::Arc;

use bytes::Bytes;
use evenkeel_shared::backup::{ARCHIVE_FORMAT, Chunk, Manifest};
use futures::TryStreamExt;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode};

use super::{ArchiveError, CHUNK_BYTES_MAX, ID_CHARS_MAX, MANIFEST_BYTES_MAX, location};
use crate::envelope::{self, EnvelopeError};

/// An open archive. Cloning is cheap.
#[derive(Clone)]
pub struct Archive {
    store: Arc<dyn ObjectStore>,
    location: String,
}

/// What `list` says of one backup.
#[derive(Debug)]
pub enum Listed {
    /// Its manifest is whole.
    Whole(ManifestSummary),
    /// Its manifest can't be read.
    Damaged {
        /// The backup.
        id: String,
        /// Why not.
        error: ArchiveError,
    },
}

/// A backup in one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestSummary {
    /// Its manifest, without the lists of chunks.
    pub manifest: Manifest,
    /// Records in all shards.
    pub records: u64,
    /// Bytes of all chunks that it names, each counted once.
    pub bytes: u64,
}

impl Archive {
    /// Opens the archive at a folder, made when absent, given by path or `file://` URL.
    pub fn open(location: &str) -> Result<Self, ArchiveError> {
        let folder = location::folder(location)?;
        let opened = || {
            std::fs::create_dir_all(&folder).map_err(|source| object_store::Error::Generic {
                store: "folder",
                source: source.into(),
            })?;
            LocalFileSystem::new_with_prefix(&folder)
        };
        let store = opened().map_err(failed("open archive", location))?.with_fsync(true);
        Ok(Self { store: Arc::new(store), location: location.to_owned() })
    }

    /// As it was named.
    pub fn location(&self) -> &str {
        &self.location
    }

    /// Writes a chunk, unless it lies there whole. One that has rotted is written again, so that
    /// a new backup never leans on it.
    pub async fn put_chunk(&self, bytes: Bytes) -> Result<Chunk, ArchiveError> {
        let hash = blake3::hash(&bytes).to_hex().to_string();
        let chunk = Chunk { hash, bytes: bytes.len() as u64 };
        if chunk.bytes > CHUNK_BYTES_MAX {
            let why = format!("a chunk of {} bytes exceeds {CHUNK_BYTES_MAX}", chunk.bytes);
            return Err(ArchiveError::Misuse { why });
        }
        if self.get_chunk(&chunk).await.is_ok() {
            return Ok(chunk);
        }
        let path = chunk_path(&chunk)?;
        self.store.put(&path, bytes.into()).await.map_err(failed("write chunk", &chunk.hash))?;
        Ok(chunk)
    }

    /// Reads a chunk and checks its length and hash.
    pub async fn get_chunk(&self, chunk: &Chunk) -> Result<Bytes, ArchiveError> {
        let path = chunk_path(chunk)?;
        let damaged = |why: &str| ArchiveError::Damaged {
            what: format!("chunk {}", chunk.hash),
            why: why.to_owned(),
        };
        if chunk.bytes > CHUNK_BYTES_MAX {
            return Err(damaged("its manifest says that it is longer than any"));
        }
        let found = match self.store.get(&path).await {
            Err(object_store::Error::NotFound { .. }) => return Err(damaged("it is missing")),
            found => found.map_err(failed("read chunk", &chunk.hash))?,
        };
        if found.meta.size != chunk.bytes {
            return Err(damaged("its length is another"));
        }
        let bytes = found.bytes().await.map_err(failed("read chunk", &chunk.hash))?;
        if blake3::hash(&bytes).to_hex().as_str() != chunk.hash {
            return Err(damaged("its contents are not what its name says"));
        }
        Ok(bytes)
    }

    /// Makes a backup of what lies in the archive. From here on it exists.
    pub async fn write_manifest(&self, manifest: &Manifest) -> Result<(), ArchiveError> {
        let path = manifest_path(&manifest.id)?;
        for chunk in chunks_of(manifest) {
            let found = self.store.head(&chunk_path(chunk)?).await;
            if !found.is_ok_and(|found| found.size == chunk.bytes) {
                let why = format!("its chunk {} is not in the archive", chunk.hash);
                return Err(ArchiveError::Misuse { why });
            }
        }
        let sealed = Bytes::from(envelope::seal(manifest));
        if sealed.len() as u64 > MANIFEST_BYTES_MAX {
            let why = format!("a manifest of {} bytes could not be read back", sealed.len());
            return Err(ArchiveError::Misuse { why });
        }
        match self.store.put_opts(&path, sealed.into(), PutMode::Create.into()).await {
            Ok(_) => Ok(()),
            Err(object_store::Error::AlreadyExists { .. }) => {
                Err(ArchiveError::Exists { id: manifest.id.clone() })
            }
            Err(error) => Err(failed("write manifest", &manifest.id)(error)),
        }
    }

    /// One backup's manifest, checked.
    pub async fn manifest(&self, id: &str) -> Result<Manifest, ArchiveError> {
        let found = match self.store.get(&manifest_path(id)?).await {
            Err(object_store::Error::NotFound { .. }) => {
                let archive = self.location.clone();
                return Err(ArchiveError::NoBackup { archive, id: id.to_owned() });
            }
            found => found.map_err(failed("read manifest", id))?,
        };
        let damaged = |source| ArchiveError::Manifest { id: id.to_owned(), source };
        if found.meta.size > MANIFEST_BYTES_MAX {
            return Err(damaged(EnvelopeError::Shape));
        }
        let bytes = found.bytes().await.map_err(failed("read manifest", id))?;
        parse_manifest(id, &bytes)
    }

    /// Every backup, oldest first, as far as ids sort by time. Damaged ones are named as such.
    pub async fn list(&self) -> Result<Vec<Listed>, ArchiveError> {
        let folder = Path::from(MANIFESTS);
        let mut ids = Vec::new();
        let mut objects = self.store.list(Some(&folder));
        while let Some(object) =
            objects.try_next().await.map_err(failed("list archive", &self.location))?
        {
            let name = object.location.filename().unwrap_or_default();
            ids.extend(name.strip_suffix(".json").map(ToOwned::to_owned));
        }
        ids.sort();
        let mut listed = Vec::with_capacity(ids.len());
        for id in ids {
            listed.push(match self.manifest(&id).await {
                Ok(manifest) => Listed::Whole(ManifestSummary::of(manifest)),
                Err(error) => Listed::Damaged { id, error },
            });
        }
        Ok(listed)
    }
}

impl ManifestSummary {
    /// Counts, and lets the lists of chunks go.
    pub fn of(mut manifest: Manifest) -> Self {
        let bytes = chunks_of(&manifest).map(|chunk| chunk.bytes).sum();
        let records = manifest.shards.iter().map(|shard| shard.records).sum();
        for shard in &mut manifest.shards {
            shard.chunks = Vec::new();
        }
        Self { manifest, records, bytes }
    }
}

const MANIFESTS: &str = "manifests";

/// Every chunk that a manifest names, each once.
pub(super) fn chunks_of(manifest: &Manifest) -> impl Iterator<Item = &Chunk> {
    let mut all: Vec<_> = manifest.shards.iter().flat_map(|shard| &shard.chunks).collect();
    all.push(&manifest.configuration);
    all.sort_by(|a, b| a.hash.cmp(&b.hash));
    all.dedup();
    all.into_iter()
}

fn parse_manifest(id: &str, bytes: &[u8]) -> Result<Manifest, ArchiveError> {
    /// Only what every format begins with.
    #[derive(serde::Deserialize)]
    struct AnyFormat {
        format: u32,
    }
    let damaged = |source| ArchiveError::Manifest { id: id.to_owned(), source };
    let AnyFormat { format } = envelope::unseal(bytes).map_err(damaged)?;
    if format > ARCHIVE_FORMAT {
        let what = format!("backup {id}");
        return Err(ArchiveError::Newer { what, found: format, known: ARCHIVE_FORMAT });
    }
    let manifest: Manifest = envelope::unseal(bytes).map_err(damaged)?;
    if manifest.id == id {
        return Ok(manifest);
    }
    let why = format!("it is that of backup {:?}", manifest.id);
    Err(ArchiveError::Damaged { what: format!("manifest of backup {id}"), why })
}

fn manifest_path(id: &str) -> Result<Path, ArchiveError> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if (1..=ID_CHARS_MAX).contains(&id.len()) && id.chars().all(fits) {
        return Ok(Path::from_iter([MANIFESTS, &format!("{id}.json")]));
    }
    Err(ArchiveError::Id { id: id.to_owned() })
}

/// A name from a manifest is checked before it becomes a path.
fn chunk_path(chunk: &Chunk) -> Result<Path, ArchiveError> {
    let fits = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    if chunk.hash.len() == 2 * blake3::OUT_LEN && chunk.hash.chars().all(fits) {
        return Ok(Path::from_iter(["chunks", &chunk.hash[..2], &chunk.hash]));
    }
    let why = "its name is no BLAKE3 hash".to_owned();
    Err(ArchiveError::Damaged { what: format!("chunk {:?}", chunk.hash), why })
}

fn failed(verb: &'static str, what: &str) -> impl FnOnce(object_store::Error) -> ArchiveError {
    let what = what.to_owned();
    move |source| ArchiveError::Io { verb, what, source }
}
