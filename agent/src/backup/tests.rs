//! What comes back from an archive, and what is found when it has rotted.

mod flips;

use std::path::{Path, PathBuf};

use bytes::Bytes;
use evenkeel_shared::backup::{ARCHIVE_FORMAT, BackupKind, Chunk, Manifest, ShardImage};
use evenkeel_shared::command::{Record, StoredRecord};
use evenkeel_shared::ids::{ClusterId, Epoch, History, KeyspaceId, ShardId};
use evenkeel_shared::key::{Slot, SlotRange};
use evenkeel_shared::version::{Hlc, Version};
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::env::fs::{Create, Disk, RealDisk};

const ID: &str = "20261123T224501Z-ab12";

fn archive(place: &TempDir) -> Archive {
    Archive::open(&format!("file://{}", place.path().join("archive").display())).unwrap()
}

fn records(pairs: impl IntoIterator<Item = (Vec<u8>, Vec<u8>)>) -> Vec<StoredRecord> {
    let mut records: Vec<_> = pairs
        .into_iter()
        .enumerate()
        .map(|(index, (key, value))| {
            let index = index as u64;
            let version = Version { shard: ShardId(3), epoch: Epoch(1), term: 2, index };
            let expires = index.is_multiple_of(3).then_some(Hlc(index));
            let hlc = Hlc(index << 16);
            let record = Record { value: value.into(), version, hlc, expires };
            StoredRecord { slot: Slot::of(&key), key: key.into(), record }
        })
        .collect();
    records.sort_by(|a, b| (a.slot, &a.key).cmp(&(b.slot, &b.key)));
    records.dedup_by(|a, b| a.key == b.key);
    records
}

async fn image(archive: &Archive, records: &[StoredRecord]) -> ShardImage {
    let mut writer = ImageWriter::new(archive);
    for record in records {
        writer.add(record).await.unwrap();
    }
    let ImageParts { chunks, records, content_hash } = writer.finish().await.unwrap();
    ShardImage {
        shard: ShardId(3),
        keyspace: KeyspaceId(1),
        history: History { number: 1, salt: u64::MAX },
        slots: vec![SlotRange::ALL],
        index: 9,
        records,
        content_hash,
        chunks,
    }
}

async fn back_up(archive: &Archive, records: &[StoredRecord]) -> Manifest {
    let manifest = Manifest {
        format: ARCHIVE_FORMAT,
        id: ID.to_owned(),
        kind: BackupKind::Full,
        cluster: ClusterId(u128::MAX),
        cut: Hlc(77 << 16),
        finished_unix_ms: 1,
        shards: vec![image(archive, records).await],
        configuration: archive.put_chunk(Bytes::from_static(b"facts")).await.unwrap(),
        written_by: "test".to_owned(),
    };
    archive.write_manifest(&manifest).await.unwrap();
    manifest
}

async fn read_back(archive: &Archive, image: ShardImage) -> Vec<StoredRecord> {
    let mut reader = ImageReader::new(archive, image);
    let mut all = Vec::new();
    while let Some(batch) = reader.next().await.unwrap() {
        let bytes: usize = batch.iter().map(|r| r.key.len() + r.record.value.len()).sum();
        assert!(batch.len() == 1 || bytes <= image::BATCH_BYTES);
        all.extend(batch);
    }
    all
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for name in RealDisk.list(folder).unwrap() {
        let path = folder.join(name);
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

fn flip(path: &Path, bit: u64) {
    let file = RealDisk.open(path, Create::Never).unwrap();
    let (at, mut byte) = (bit / 8 % file.len().unwrap(), [0]);
    file.read_exact_at(&mut byte, at).unwrap();
    byte[0] ^= 1 << (bit % 8);
    file.write_all_at(&byte, at).unwrap();
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(future)
}

fn some_records() -> Vec<StoredRecord> {
    records((0..50_u8).map(|n| (vec![n], vec![n; usize::from(n)])))
}

type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

fn pairs() -> impl Strategy<Value = Pairs> {
    let bytes = |length| prop::collection::vec(any::<u8>(), 0..length);
    prop::collection::vec((bytes(20), bytes(200)), 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_was_backed_up_comes_back(pairs in pairs()) {
        let place = tempfile::tempdir().unwrap();
        let records = records(pairs);
        block_on(async {
            let archive = archive(&place);
            let written = back_up(&archive, &records).await;
            let read = archive.manifest(ID).await.unwrap();
            assert_eq!(read, written);
            assert_eq!(read_back(&archive, read.shards[0].clone()).await, records);
            let found = archive.verify(ID).await.unwrap();
            assert!(found.is_whole(), "{found:?}");
            assert_eq!((found.shards_whole, found.records), (1, records.len() as u64));
        });
    }

    #[test]
    fn a_flipped_bit_in_any_file_is_found(
        file in any::<prop::sample::Index>(),
        bit in any::<u64>(),
    ) {
        let place = tempfile::tempdir().unwrap();
        block_on(async {
            let archive = archive(&place);
            back_up(&archive, &some_records()).await;
            let all = files(place.path());
            flip(&all[file.index(all.len())], bit);
            match archive.verify(ID).await {
                Ok(found) => assert!(!found.is_whole()),
                Err(error) => assert!(matches!(error, ArchiveError::Manifest { .. }), "{error}"),
            }
        });
    }

    #[test]
    fn chunks_of_any_bytes_are_read_or_refused_and_never_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..100),
        count in 0_u32..4,
    ) {
        let mut whole = b"EVKIMAGE\x01\0\0\0".to_vec();
        whole.extend_from_slice(&count.to_le_bytes());
        whole.extend_from_slice(&bytes);
        for bytes in [whole, bytes] {
            if let Ok(mut records) = chunk::ChunkRecords::open("x", bytes.into()) {
                while let Ok(Some(_)) = records.next("x") {}
            }
        }
    }
}

#[tokio::test]
async fn a_large_image_is_cut_into_chunks_and_small_batches() {
    let place = tempfile::tempdir().unwrap();
    let archive = archive(&place);
    let records = records((0..9_u8).map(|n| (vec![n], vec![n; 1 << 20])));
    let image = image(&archive, &records).await;
    assert_eq!(image.chunks.len(), 3);
    assert!(image.chunks.iter().all(|chunk| chunk.bytes <= CHUNK_BYTES_MAX));
    assert_eq!(read_back(&archive, image).await, records);
}

#[tokio::test]
async fn a_backup_without_its_manifest_is_invisible() {
    let place = tempfile::tempdir().unwrap();
    let archive = archive(&place);
    image(&archive, &some_records()).await;
    assert!(archive.list().await.unwrap().is_empty());
    assert!(matches!(archive.manifest(ID).await, Err(ArchiveError::NoBackup { .. })));
    assert!(matches!(archive.verify(ID).await, Err(ArchiveError::NoBackup { .. })));
}

#[tokio::test]
async fn a_manifest_names_only_what_is_there_and_is_written_once() {
    let place = tempfile::tempdir().unwrap();
    let archive = archive(&place);
    let manifest = back_up(&archive, &some_records()).await;
    assert!(matches!(archive.write_manifest(&manifest).await, Err(ArchiveError::Exists { .. })));
    let absent = Chunk { hash: "0".repeat(64), bytes: 5 };
    let other = Manifest { id: "other".to_owned(), configuration: absent, ..manifest };
    assert!(matches!(archive.write_manifest(&other).await, Err(ArchiveError::Misuse { .. })));
    assert_eq!(archive.list().await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_list_names_damaged_backups_beside_whole_ones() {
    let place = tempfile::tempdir().unwrap();
    let archive = archive(&place);
    let first = back_up(&archive, &some_records()).await;
    let second = Manifest { id: "20261124T000000Z-cd34".to_owned(), ..first };
    archive.write_manifest(&second).await.unwrap();
    flip(&place.path().join(format!("archive/manifests/{ID}.json")), 900);
    let listed = archive.list().await.unwrap();
    let [Listed::Damaged { id, .. }, Listed::Whole(summary)] = &listed[..] else {
        panic!("{listed:?}")
    };
    assert_eq!((id.as_str(), &summary.manifest.id), (ID, &second.id));
    assert_eq!(summary.records, 50);
}

#[tokio::test]
async fn the_same_chunk_is_kept_once_and_mended_when_it_has_rotted() {
    let place = tempfile::tempdir().unwrap();
    let archive = archive(&place);
    let bytes = Bytes::from_static(b"the same");
    let chunk = archive.put_chunk(bytes.clone()).await.unwrap();
    let [file] = &files(place.path())[..] else { panic!("one file") };
    assert!(file.ends_with(format!("chunks/{}/{}", &chunk.hash[..2], chunk.hash)));
    flip(file, 3);
    assert!(matches!(archive.get_chunk(&chunk).await, Err(ArchiveError::Damaged { .. })));
    assert_eq!(archive.put_chunk(bytes.clone()).await.unwrap(), chunk);
    assert_eq!(archive.get_chunk(&chunk).await.unwrap(), bytes);
    assert_eq!(files(place.path()).len(), 1);
}

#[tokio::test]
async fn records_out_of_order_or_of_foreign_slots_are_refused() {
    let place = tempfile::tempdir().unwrap();
    let archive = archive(&place);
    let records = some_records();
    let mut writer = ImageWriter::new(&archive);
    writer.add(&records[1]).await.unwrap();
    for wrong in &records[..2] {
        assert!(matches!(writer.add(wrong).await, Err(ArchiveError::Misuse { .. })));
    }
    let mut image = image(&archive, &records).await;
    image.slots = vec![SlotRange(0, records[0].slot.0)];
    let error = ImageReader::new(&archive, image).next().await.expect_err("foreign slots");
    assert!(error.to_string().contains("which is not its own"), "{error}");
}

#[tokio::test]
async fn a_manifest_that_counts_otherwise_is_found_out() {
    let place = tempfile::tempdir().unwrap();
    let archive = archive(&place);
    let mut manifest = back_up(&archive, &some_records()).await;
    manifest.shards[0].records += 1;
    manifest.id = "more".to_owned();
    archive.write_manifest(&manifest).await.unwrap();
    let found = archive.verify("more").await.unwrap();
    assert_eq!(found.problems, ["s3: image of s3 is damaged: it holds 50 records instead of 51"]);
}

#[tokio::test]
async fn ids_and_formats_from_elsewhere_are_refused() {
    let place = tempfile::tempdir().unwrap();
    let archive = archive(&place);
    for id in ["", "../x", "a/b", "a.json", &"x".repeat(65)] {
        assert!(matches!(archive.manifest(id).await, Err(ArchiveError::Id { .. })), "{id}");
    }
    let mut manifest = back_up(&archive, &some_records()).await;
    manifest.id = "later".to_owned();
    manifest.format = ARCHIVE_FORMAT + 1;
    archive.write_manifest(&manifest).await.unwrap();
    assert!(matches!(archive.manifest("later").await, Err(ArchiveError::Newer { .. })));
    let stranger = Chunk { hash: "../../etc/passwd".to_owned(), bytes: 1 };
    assert!(matches!(archive.get_chunk(&stranger).await, Err(ArchiveError::Damaged { .. })));
}
