//! Loads over the real wire into a small in-memory agent.

use std::time::Duration;

use super::super::verify::{Comparison, compare};
use super::*;
use crate::cli::fake::{Fake, Trouble};

fn write(path: &Path, bytes: &[u8]) {
    let mut file = std::fs::OpenOptions::new().create(true).truncate(true).write(true).open(path);
    file.as_mut().unwrap().write_all(bytes).unwrap();
}

fn folder(files: usize) -> (tempfile::TempDir, Root) {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..files {
        write(&folder.path().join(format!("file-{number}")), &vec![b'x'; number]);
    }
    let root = Root::new(folder.path().to_path_buf(), Some("load/".into()));
    (folder, root)
}

fn plan(root: &Root) -> Plan {
    let timeout = Duration::from_secs(20);
    Plan { root: root.clone(), max_bytes: 1 << 20, clients: 8, limit: None, timeout }
}

fn comparison(root: &Root) -> Comparison {
    Comparison { root: root.clone(), max_bytes: 1 << 20, clients: 8, limit: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_loaded_is_acknowledged_and_reads_back_equal() {
    let fake = Fake::start(Trouble::None).await;
    let store = fake.session().store();
    let (_folder, root) = folder(100);
    let report = load(&plan(&root), &store, |_, _| Ok(())).await.unwrap();
    assert_eq!((report.files, report.acknowledged, report.bytes), (100, 100, 4_950));
    assert_eq!((report.unknown, report.failed, report.unresolved), (0, 0, 0));
    let verified = compare(&comparison(&root), &store, |_| {}).await.unwrap();
    assert_eq!((verified.equal, verified.keys), (100, 100));
    assert!(verified.is_equal());
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_whose_answer_was_lost_are_resolved_and_applied_once() {
    let fake = Fake::start(Trouble::AnswersLost { every: 3 }).await;
    let store = fake.session().store();
    let (_folder, root) = folder(60);
    let report = load(&plan(&root), &store, |_, _| Ok(())).await.unwrap();
    assert_eq!((report.acknowledged, report.failed, report.unresolved), (60, 0, 0));
    assert_eq!(fake.applied(), 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_write_is_failed_and_not_unknown() {
    let fake = Fake::start(Trouble::Refuses).await;
    let (_folder, root) = folder(3);
    let report = load(&plan(&root), &fake.session().store(), |_, _| Ok(())).await.unwrap();
    assert_eq!((report.failed, report.unknown, report.acknowledged), (3, 0, 0));
    assert_eq!(report.exit(), Exit::Degraded);
}

#[tokio::test(flavor = "multi_thread")]
async fn too_large_files_are_skipped_and_counted() {
    let fake = Fake::start(Trouble::None).await;
    let (_folder, root) = folder(10);
    let plan = Plan { max_bytes: 4, ..plan(&root) };
    let report = load(&plan, &fake.session().store(), |_, _| Ok(())).await.unwrap();
    assert_eq!((report.files, report.skipped), (5, 5));
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_tells_missing_different_and_extra_apart() {
    let fake = Fake::start(Trouble::None).await;
    let store = fake.session().store();
    let (folder, root) = folder(10);
    load(&plan(&root), &store, |_, _| Ok(())).await.unwrap();
    store.delete("load/file-1".into()).await.unwrap();
    store.put("load/file-2".into(), "zz".into()).await.unwrap();
    store.put("load/other".into(), "".into()).await.unwrap();
    std::fs::remove_file(folder.path().join("file-3")).unwrap();
    let report = compare(&comparison(&root), &store, |_| {}).await.unwrap();
    assert_eq!((report.missing, report.different, report.extra), (1, 1, 2));
    assert_eq!((report.equal, report.files), (7, 9));
    assert!(!report.is_equal());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_journal_has_one_line_a_file() {
    let fake = Fake::start(Trouble::None).await;
    let (folder, root) = folder(5);
    let path = tempfile::tempdir().unwrap();
    let path = path.path().join("journal");
    let journal = Mutex::new(Some(open_journal(&path).unwrap()));
    load(&plan(&root), &fake.session().store(), |story, _| write_journal(&journal, story))
        .await
        .unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().count(), 5);
    for line in text.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["result"], "ok");
        assert!(line["version"]["index"].as_u64().unwrap() > 0);
    }
    drop(folder);
}
