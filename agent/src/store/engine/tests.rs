//! Both engines keep the same promises.

use std::path::Path;

use tempfile::TempDir;

use super::fjall::{FjallEngine, FjallLimits};
use super::memory::MemoryEngine;
use super::*;

fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

fn set(rows: &[(&str, &str)]) -> Changes {
    rows.iter().map(|(key, value)| (bytes(key), Some(bytes(value)))).collect()
}

fn read(view: &dyn View, range: RowRange) -> Vec<String> {
    let row = |row: Result<(Bytes, Bytes), EngineError>| {
        let (key, value) = row.unwrap();
        format!("{}={}", String::from_utf8_lossy(&key), String::from_utf8_lossy(&value))
    };
    view.range(range).map(row).collect()
}

fn disk(folder: &Path) -> FjallEngine {
    FjallEngine::open(folder, FjallLimits::default()).unwrap()
}

fn check(each: impl Fn(&dyn Engine)) {
    each(&MemoryEngine::new());
    let folder = TempDir::new().unwrap();
    each(&disk(folder.path()));
}

#[test]
fn a_commit_sets_and_removes_rows_at_once() {
    check(|engine| {
        let tree = engine.open("t").unwrap();
        tree.commit(set(&[("a", "1"), ("b", "2"), ("c", "3")])).unwrap();
        let mut changes = set(&[("a", "4")]);
        changes.insert(bytes("b"), None);
        tree.commit(changes).unwrap();
        assert_eq!(tree.get(b"a").unwrap(), Some(bytes("4")));
        assert_eq!(tree.get(b"b").unwrap(), None);
        assert_eq!(read(&*tree.view(), RowRange::all()), ["a=4", "c=3"]);
    });
}

#[test]
fn a_view_never_changes_and_outlives_its_tree() {
    check(|engine| {
        let tree = engine.open("t").unwrap();
        tree.commit(set(&[("a", "1"), ("b", "2")])).unwrap();
        let view = tree.view();
        let mut rows = view.range(RowRange::all());
        tree.commit(set(&[("a", "9"), ("aa", "9")])).unwrap();
        drop(tree);
        engine.delete("t").unwrap();
        assert_eq!(rows.next().unwrap().unwrap().1, bytes("1"));
        assert_eq!(rows.next().unwrap().unwrap().0, bytes("b"));
        assert!(rows.next().is_none());
        assert_eq!(view.get(b"aa").unwrap(), None);
    });
}

#[test]
fn ranges_keep_to_their_bounds() {
    check(|engine| {
        let tree = engine.open("t").unwrap();
        tree.commit(set(&[("a", ""), ("ba", ""), ("bb", ""), ("c", "")])).unwrap();
        let view = tree.view();
        assert_eq!(read(&*view, RowRange::prefix(b"b")), ["ba=", "bb="]);
        let after = |key| RowRange::prefix_from(b"b", Bound::Excluded(bytes(key)));
        assert_eq!(read(&*view, after("ba")), ["bb="]);
        assert!(read(&*view, after("z")).is_empty());
        assert!(read(&*view, RowRange::prefix(&[0xff, 0xff])).is_empty());
    });
}

#[test]
fn a_deleted_tree_comes_back_empty_and_others_stay() {
    check(|engine| {
        engine.open("a").unwrap().commit(set(&[("k", "1")])).unwrap();
        engine.open("b").unwrap().commit(set(&[("k", "2")])).unwrap();
        engine.delete("a").unwrap();
        engine.delete("never").unwrap();
        assert_eq!(engine.list().unwrap(), ["b"]);
        assert_eq!(engine.open("a").unwrap().get(b"k").unwrap(), None);
        assert_eq!(engine.open("b").unwrap().get(b"k").unwrap(), Some(bytes("2")));
        assert_eq!(engine.list().unwrap(), ["a", "b"]);
    });
}

#[test]
fn what_was_not_synced_vanishes_from_memory_with_the_power() {
    let engine = MemoryEngine::new();
    engine.open("t").unwrap().commit(set(&[("a", "1")])).unwrap();
    engine.sync().unwrap();
    engine.open("t").unwrap().commit(set(&[("a", "2")])).unwrap();
    engine.open("u").unwrap();
    engine.lose_unsynced();
    assert_eq!(engine.list().unwrap(), ["t"]);
    assert_eq!(engine.open("t").unwrap().get(b"a").unwrap(), Some(bytes("1")));
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn a_killed_process_has_every_commit_and_no_deleted_tree() {
    let folder = TempDir::new().unwrap();
    let killed = folder.path().join("killed");
    let engine = disk(&folder.path().join("alive"));
    let tree = engine.open("t").unwrap();
    for number in 0..100 {
        tree.commit(set(&[("last", &number.to_string())])).unwrap();
    }
    engine.open("gone").unwrap().commit(set(&[("k", "1")])).unwrap();
    engine.delete("gone").unwrap();
    // What the operating system holds of a process that is killed now.
    copy(&folder.path().join("alive"), &killed);
    let engine = disk(&killed);
    assert_eq!(engine.list().unwrap(), ["t"]);
    assert_eq!(engine.open("t").unwrap().get(b"last").unwrap(), Some(bytes("99")));
}

#[test]
fn write_buffers_of_all_trees_together_stay_below_their_cap() {
    let folder = TempDir::new().unwrap();
    let limits = FjallLimits { write_buffers_bytes: 256 << 10, ..FjallLimits::default() };
    let engine = FjallEngine::open(folder.path(), limits).unwrap();
    let trees: Vec<_> = (0..4).map(|tree| engine.open(&format!("t{tree}")).unwrap()).collect();
    let value = Bytes::from(vec![7; 16 << 10]);
    for number in 0..200_u32 {
        for tree in &trees {
            let key = Bytes::copy_from_slice(&number.to_be_bytes());
            tree.commit(Changes::from([(key, Some(value.clone()))])).unwrap();
            assert!(engine.write_buffers_bytes() <= limits.write_buffers_bytes + (64 << 10));
        }
    }
    for tree in &trees {
        assert_eq!(tree.view().range(RowRange::all()).count(), 200);
        assert_eq!(tree.get(&199_u32.to_be_bytes()).unwrap(), Some(value.clone()));
    }
}
