//! What lies in an archive: manifests in their envelope, chunks, and what a verification makes of
//! both. The first byte says what is mutated; checksums and names are made to fit again, so that
//! the mutation reaches what stands behind them.

use std::path::PathBuf;

use bytes::Bytes;
use evenkeel_agent::backup::{Archive, ImageWriter};
use evenkeel_agent::env::fs::{Create, Disk, RealDisk};
use evenkeel_agent::envelope::{seal, unseal};
use evenkeel_shared::backup::{Chunk, Manifest as Backup};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::{runtime, samples};
use crate::engine::Target;

const ENVELOPE: u8 = 0;
const BODY: u8 = 1;
const CHUNK: u8 = 2;
const KINDS: u8 = 3;
const ID: &str = "20261123T224501Z-ab12";

/// The target.
pub(super) struct Manifest {
    corpus: Vec<Vec<u8>>,
    backup: Backup,
    archive: Archive,
    folder: TempDir,
    runtime: Runtime,
}

fn sealed(body: &[u8]) -> Vec<u8> {
    let hash = blake3::hash(body).to_hex();
    [b"{\"checksum\":\"", hash.as_bytes(), b"\",\"body\":", body, b"}\n"].concat()
}

impl Manifest {
    pub(super) fn new() -> Self {
        let runtime = runtime();
        let folder = tempfile::tempdir().expect("there is a place for what is thrown away");
        let archive = Archive::open(&folder.path().display().to_string()).expect("a folder opens");
        let backup = runtime.block_on(async {
            let mut writer = ImageWriter::new(&archive);
            for record in samples::records() {
                writer.add(&record).await.expect("the folder takes it");
            }
            let parts = writer.finish().await.expect("the folder takes it");
            let configuration = archive.put_chunk(Bytes::from_static(b"facts")).await;
            let configuration = configuration.expect("the folder takes it");
            let image = samples::image(parts.chunks, parts.records, parts.content_hash);
            let backup = samples::manifest(ID, vec![image], configuration);
            archive.write_manifest(&backup).await.expect("the folder takes it");
            backup
        });
        let mut target = Self { corpus: Vec::new(), backup, archive, folder, runtime };
        let chunk = target.chunk_path(&target.backup.shards[0].chunks[0]);
        let chunk = evenkeel_agent::env::fs::read(&RealDisk, &chunk).expect("it was written");
        let body = serde_json::to_vec_pretty(&target.backup).expect("a manifest is JSON");
        assert_eq!(sealed(&body), seal(&target.backup), "the envelope is as the product makes it");
        for (kind, bytes) in [(ENVELOPE, seal(&target.backup)), (BODY, body), (CHUNK, chunk)] {
            target.corpus.push([vec![kind], bytes].concat());
        }
        target
    }

    fn chunk_path(&self, chunk: &Chunk) -> PathBuf {
        self.folder.path().join("chunks").join(&chunk.hash[..2]).join(&chunk.hash)
    }

    /// Verifies a backup that lies in the archive with these bytes as its manifest.
    fn verify(&self, manifest: &[u8]) -> bool {
        let path = self.folder.path().join("manifests").join(format!("{ID}.json"));
        write(&path, manifest);
        self.runtime.block_on(self.archive.verify(ID)).is_ok_and(|found| found.is_whole())
    }
}

fn write(path: &std::path::Path, bytes: &[u8]) {
    let folder = path.parent().expect("it lies in a folder");
    RealDisk.create_dir_all(folder).expect("the place takes it");
    let file = RealDisk.open(path, Create::IfAbsent).expect("the place takes it");
    file.set_len(0).and_then(|()| file.write_all_at(bytes, 0)).expect("the place takes it");
}

impl Target for Manifest {
    fn name(&self) -> &'static str {
        "manifest"
    }

    fn corpus(&self) -> &[Vec<u8>] {
        &self.corpus
    }

    fn decode(&self, input: &[u8]) -> bool {
        let Some((kind, bytes)) = input.split_first() else { return false };
        match kind % KINDS {
            ENVELOPE => unseal::<Backup>(bytes).is_ok(),
            BODY => self.verify(&sealed(bytes)),
            _ => {
                let hash = blake3::hash(bytes).to_hex().to_string();
                let chunk = Chunk { hash, bytes: bytes.len() as u64 };
                let path = self.chunk_path(&chunk);
                let new = !path.exists();
                write(&path, bytes);
                let mut backup = self.backup.clone();
                backup.shards[0].chunks = vec![chunk];
                let whole = self.verify(&seal(&backup));
                if new {
                    RealDisk.remove(&path).expect("it was written");
                }
                whole
            }
        }
    }

    /// The files themselves, JSON's tree of them, and one batch of records.
    fn memory_bytes_max(&self, input_bytes: usize) -> usize {
        (16 << 20) + 256 * input_bytes
    }
}
