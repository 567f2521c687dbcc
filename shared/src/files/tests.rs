//! Files over keys in memory: round trips, resumption, damage, lost answers, collection.

mod memory;
mod races;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;

use super::{
    CollectSettings, FileError, FileName, Files, Hash, Put, Sink, Source, SourceId, Swept, keys,
};
use crate::limits::{FILE_CHUNK_BYTES, FILE_PAGE_CHUNKS};
use memory::Memory;

const CHUNK: usize = FILE_CHUNK_BYTES as usize;
/// Everything at once.
const AT_ONCE: CollectSettings = CollectSettings { grace: Duration::ZERO, lease: Duration::ZERO };

fn files(memory: &Memory) -> Files<Memory> {
    let next = Arc::new(AtomicU64::new(1));
    Files::new(memory.clone(), Arc::new(move || u128::from(next.fetch_add(1, Ordering::Relaxed))))
}

fn name() -> FileName {
    "a/{file}".parse().unwrap()
}

/// Bytes that differ from chunk to chunk.
fn bytes(length: usize, seed: u8) -> Bytes {
    let byte = |at: usize| u8::try_from((at / 7 + at / CHUNK) % 251).unwrap() ^ seed;
    (0..length).map(byte).collect()
}

/// A local file in memory.
struct Local {
    bytes: Bytes,
    at: usize,
    id: Option<SourceId>,
    /// It can't be read beyond: the process dies there.
    dies_at: usize,
    changed: bool,
}

impl Local {
    fn new(bytes: &Bytes) -> Self {
        let id = SourceId { bytes: bytes.len() as u64, modified_ns: 7 };
        let bytes = bytes.clone();
        Self { bytes, at: 0, id: Some(id), dies_at: usize::MAX, changed: false }
    }
}

impl Source for Local {
    fn id(&self) -> Option<SourceId> {
        self.id
    }

    fn read(&mut self, bytes: usize) -> io::Result<Bytes> {
        let end = (self.at + bytes).min(self.bytes.len());
        if end > self.dies_at {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let read = self.bytes.slice(self.at..end);
        self.at = end;
        Ok(read)
    }

    fn seek(&mut self, at: u64) -> io::Result<()> {
        self.at = usize::try_from(at).unwrap();
        Ok(())
    }

    fn is_unchanged(&mut self) -> io::Result<bool> {
        Ok(!self.changed)
    }
}

/// A target in memory.
#[derive(Default)]
struct Target(Vec<u8>);

impl Sink for Target {
    fn held(&mut self, at: u64, bytes: usize) -> io::Result<Option<Bytes>> {
        let at = usize::try_from(at).unwrap();
        Ok(self.0.get(at..at + bytes).map(Bytes::copy_from_slice))
    }

    fn write(&mut self, at: u64, bytes: &Bytes) -> io::Result<()> {
        let at = usize::try_from(at).unwrap();
        self.0.resize(self.0.len().max(at + bytes.len()), 0);
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }
}

async fn put(files: &Files<Memory>, bytes: &Bytes) -> Result<Put, FileError> {
    files.put(&name(), &mut Local::new(bytes), |_| {}).await
}

async fn get(files: &Files<Memory>) -> Result<Vec<u8>, FileError> {
    let mut target = Target::default();
    files.get(&name(), &mut target, |_| {}).await?;
    Ok(target.0)
}

#[tokio::test]
async fn files_of_any_size_come_back_as_they_were() {
    let memory = Memory::default();
    let files = files(&memory);
    for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 5] {
        let sent = bytes(length, 0);
        let put = put(&files, &sent).await.unwrap();
        assert_eq!((put.bytes, put.hash), (length as u64, Hash::of(&sent)));
        assert!(get(&files).await.unwrap() == sent, "{length}");
        assert_eq!(files.list("").await.unwrap().len(), 1);
        assert_eq!(files.list("a/{").await.unwrap()[0].manifest.layout.bytes, length as u64);
        assert_eq!(files.list("b").await.unwrap(), []);
    }
    files.delete(&name()).await.unwrap();
    assert!(matches!(get(&files).await, Err(FileError::NotFound { .. })));
    assert!(matches!(files.delete(&name()).await, Err(FileError::NotFound { .. })));
    files.collect(&name(), AT_ONCE).await.unwrap();
    assert_eq!(memory.keys(), Vec::<Bytes>::new(), "nothing is left");
}

#[tokio::test]
async fn an_upload_that_broke_off_is_gone_on_with() {
    let memory = Memory::default();
    let files = files(&memory);
    let page = usize::try_from(FILE_PAGE_CHUNKS).unwrap();
    let sent = bytes((2 * page + 3) * CHUNK, 0);
    let mut dying = Local { dies_at: (2 * page + 1) * CHUNK, ..Local::new(&sent) };
    let broke = files.put(&name(), &mut dying, |_| {}).await;
    assert!(matches!(broke, Err(FileError::Local(_))), "{broke:?}");
    assert!(matches!(get(&files).await, Err(FileError::NotFound { .. })), "nobody sees it");
    // Chunks that are not in whole pages are sent again.
    let writes = memory.writes();
    let put = put(&files, &sent).await.unwrap();
    assert!(put.resumed >= (page * CHUNK) as u64, "{put:?}");
    let again = memory.writes() - writes;
    assert!(again < (page + 16) as u64, "{again} writes");
    assert!(get(&files).await.unwrap() == sent);
    assert_eq!(files.stat(&name()).await.unwrap().record.uploads, []);
    // Of the part before, what the new one has sent again is nobody's any more.
    files.delete(&name()).await.unwrap();
    files.collect(&name(), AT_ONCE).await.unwrap();
    assert_eq!(memory.keys(), Vec::<Bytes>::new());
}

#[tokio::test]
async fn a_stream_that_broke_off_leaves_nothing() {
    let memory = Memory::default();
    let files = files(&memory);
    let sent = bytes(20 * CHUNK, 0);
    let mut dying = Local { id: None, dies_at: 18 * CHUNK, ..Local::new(&sent) };
    files.put(&name(), &mut dying, |_| {}).await.unwrap_err();
    files.collect(&name(), CollectSettings::default()).await.unwrap();
    assert_eq!(memory.keys(), Vec::<Bytes>::new());
    let mut stream = Local { id: None, ..Local::new(&sent) };
    files.put(&name(), &mut stream, |_| {}).await.unwrap();
    assert!(get(&files).await.unwrap() == sent);
}

#[tokio::test]
async fn what_is_another_file_is_not_gone_on_with() {
    let memory = Memory::default();
    let files = files(&memory);
    let page = usize::try_from(FILE_PAGE_CHUNKS).unwrap();
    let sent = bytes((page + 3) * CHUNK, 0);
    let mut dying = Local { dies_at: (page + 2) * CHUNK, ..Local::new(&sent) };
    files.put(&name(), &mut dying, |_| {}).await.unwrap_err();
    // The same length and time, other bytes.
    let other = bytes(sent.len(), 9);
    assert_eq!(put(&files, &other).await.unwrap().resumed, 0);
    assert!(get(&files).await.unwrap() == other);
}

#[tokio::test]
async fn a_local_file_that_changes_is_not_committed() {
    let memory = Memory::default();
    let files = files(&memory);
    let old = bytes(5, 0);
    put(&files, &old).await.unwrap();
    let mut changing = Local { changed: true, ..Local::new(&bytes(CHUNK, 1)) };
    let sent = files.put(&name(), &mut changing, |_| {}).await;
    assert!(matches!(sent, Err(FileError::Changed { .. })), "{sent:?}");
    assert!(get(&files).await.unwrap() == old);
}

#[tokio::test]
async fn damage_is_told_by_chunk_and_file() {
    let memory = Memory::default();
    let files = files(&memory);
    put(&files, &bytes(3 * CHUNK, 0)).await.unwrap();
    let manifest = files.manifest(&name()).await.unwrap();
    let key = manifest.layout.chunk_key(&name(), 1).unwrap();
    let value = memory.value(&key);
    memory.set(&key, Bytes::from_static(b"rot"));
    let error = get(&files).await.unwrap_err().to_string();
    assert!(error.contains("chunk 1 is not what was written") && error.contains("a/{file}"));
    memory.remove(&key);
    let error = get(&files).await.unwrap_err().to_string();
    assert!(error.contains("chunk 1 is not there"), "{error}");
    memory.set(&key, value);
    get(&files).await.unwrap();
    memory.set(&manifest.layout.page_key(&name(), 0).unwrap(), Bytes::from_static(b"rot"));
    assert!(get(&files).await.unwrap_err().to_string().contains("page 0"));
}

#[tokio::test]
async fn a_get_that_broke_off_reads_only_what_is_missing() {
    let memory = Memory::default();
    let files = files(&memory);
    let sent = bytes(5 * CHUNK + 1, 0);
    put(&files, &sent).await.unwrap();
    let mut target = Target(sent[..3 * CHUNK].to_vec());
    target.0[CHUNK] ^= 1;
    let got = files.get(&name(), &mut target, |_| {}).await.unwrap();
    assert_eq!(got.resumed, 2 * CHUNK as u64);
    assert!(target.0 == sent);
}

#[tokio::test]
async fn a_version_is_kept_for_its_readers_and_then_collected() {
    let memory = Memory::default();
    let files = files(&memory);
    put(&files, &bytes(2 * CHUNK, 0)).await.unwrap();
    let old = files.manifest(&name()).await.unwrap();
    let new = bytes(CHUNK, 1);
    put(&files, &new).await.unwrap();
    let settings = CollectSettings::default();
    assert!(files.collect(&name(), settings).await.unwrap().is_nothing(), "within its grace");
    memory.pass(settings.grace);
    let stat = files.stat(&name()).await.unwrap();
    let foretold = Files::<Memory>::collectable(&stat.record, stat.now_ms, settings);
    assert_eq!((foretold.versions, foretold.uploads), (1, 0));
    let collected = files.collect(&name(), settings).await.unwrap();
    assert_eq!((collected.versions, collected.keys), (1, 3), "two chunks and a page");
    assert!(!memory.has(&old.layout.chunk_key(&name(), 0).unwrap()));
    assert!(get(&files).await.unwrap() == new);
}

#[tokio::test]
async fn an_upload_that_was_collected_can_not_be_committed() {
    let memory = Memory::default();
    let files = files(&memory);
    let collector = files.clone();
    let (mut sent, total) = (0, 12);
    let mut source = Local::new(&bytes(total * CHUNK, 0));
    // Somebody collects everything while it is being sent.
    let name = name();
    let put = files.put(&name, &mut source, |_| {
        sent += 1;
        if sent == 5 {
            futures::executor::block_on(collector.collect(&name, AT_ONCE)).unwrap();
        }
    });
    let error = put.await.unwrap_err();
    assert!(matches!(error, FileError::GivenUp { .. }), "{error}");
    assert!(matches!(get(&files).await, Err(FileError::NotFound { .. })));
    // What it has sent afterwards is found by the sweep, and nothing else is touched.
    let other = bytes(2 * CHUNK, 1);
    self::put(&files, &other).await.unwrap();
    let mut swept = Swept::default();
    while !swept.is_over() {
        files.sweep(&mut swept, 3, true).await.unwrap();
    }
    assert!(swept.stray > 0, "{swept:?}");
    assert!(get(&files).await.unwrap() == other);
    let left = memory.keys();
    assert_eq!(left.iter().filter(|key| keys::owner(key).is_some()).count(), 3, "{left:?}");
}

#[tokio::test]
async fn a_lost_answer_to_a_commit_is_looked_up() {
    for loses in [1, 2] {
        let memory = Memory::default();
        let files = files(&memory);
        let sent = bytes(10, 0);
        put(&files, &bytes(1, 1)).await.unwrap();
        // The answer to the record's second change, and to the question what it did.
        memory.lose_answers(2, loses);
        put(&files, &sent).await.unwrap();
        assert!(get(&files).await.unwrap() == sent);
    }
    // A commit that has not come through, and may yet: nobody knows.
    let memory = Memory::default();
    let files = files(&memory);
    memory.lose_requests(2, 2);
    let error = put(&files, &bytes(10, 0)).await.unwrap_err();
    assert!(matches!(error, FileError::Unknown { .. }), "{error}");
}

#[tokio::test]
async fn many_versions_of_one_name_make_room_for_each_other() {
    let memory = Memory::default();
    let files = files(&memory);
    for number in 0..200 {
        put(&files, &bytes(3, number)).await.unwrap();
    }
    let record = files.stat(&name()).await.unwrap().record;
    assert!(record.dropped.len() <= crate::limits::FILE_DROPPED_MAX);
    assert!(memory.keys().len() < 200);
    assert!(get(&files).await.unwrap() == bytes(3, 199));
}
