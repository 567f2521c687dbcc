//! Files of any size: whole or not at all, whoever dies, whoever else writes.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use evenkeel_shared::limits::FILE_CHUNK_BYTES;
use evenkeel_tests::{Cluster, FileKeys, Running, executable, wait_for};
use serde_json::Value;

const CHUNK: usize = FILE_CHUNK_BYTES as usize;
const SOON: Duration = Duration::from_secs(60);

/// Bytes that don't repeat within a file, and differ from seed to seed.
fn bytes(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

#[expect(clippy::disallowed_methods, reason = "an operator's own file")]
fn local(cluster: &Cluster, name: &str, bytes: &[u8]) -> (PathBuf, String) {
    let path = cluster.folder().join(name);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("the folder is writable");
    std::fs::write(&path, bytes).expect("the folder is writable");
    let text = path.display().to_string();
    (path, text)
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).expect("it is there")
}

/// Starts a command that the test goes on beside.
fn start(cluster: &Cluster, words: &[&str], name: &str) -> Running {
    let addresses = cluster.addresses().join(",");
    Running::start(&[&["--connect", &addresses], words].concat(), cluster.folder(), name)
}

fn ends(mut running: Running, code: i32) -> String {
    wait_for("the command ends", 2 * SOON, || (!running.is_running()).then_some(()));
    assert_eq!(running.code(), Some(code), "{}{}", running.said(), running.complained());
    running.said()
}

#[test]
fn files_of_all_sizes_come_back_as_they_were() {
    let cluster = Cluster::start(3);
    cluster.run(&["file", "get", "nothing"]).expect(1);
    assert_eq!(cluster.ask(&["file", "ls"]), Value::Array(Vec::new()));
    let sizes = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 5 * CHUNK + 7];
    let back = cluster.folder().join("back");
    let back_text = back.display().to_string();
    for (at, size) in sizes.into_iter().enumerate() {
        let sent = bytes(size, at as u64);
        let (_, from) = local(&cluster, "sent", &sent);
        let name = format!("sizes/{size}");
        let put = cluster.run_at(at % 3, &["file", "put", &from, &name, "--json"]);
        let put = put.expect(0).json();
        assert_eq!(put["chunks"], size.div_ceil(CHUNK), "{put}");
        let get = ["file", "get", &name, &back_text, "--json"];
        let got = cluster.run_at((at + 1) % 3, &get).expect(0).json();
        assert_eq!((&got["blake3"], &got["version"]), (&put["blake3"], &put["version"]));
        assert!(read(&back) == sent, "{size}");
        let stat = cluster.ask(&["file", "stat", &name]);
        assert_eq!((&stat["bytes"], &stat["uploads"]), (&size.into(), &Value::Array(Vec::new())));
    }
    let listed = cluster.ask(&["file", "ls", "sizes/1"]);
    let names: Vec<_> = listed.as_array().unwrap().iter().map(|it| it["name"].clone()).collect();
    let mut expected = [1, CHUNK, CHUNK + 1, CHUNK - 1].map(|size| format!("sizes/{size}"));
    expected.sort_unstable();
    assert_eq!(
        names,
        expected.into_iter().filter(|it| it.starts_with("sizes/1")).collect::<Vec<_>>()
    );
    // Chunks are nobody's keys.
    assert_eq!(cluster.run(&["kv", "scan", "", "--keyspace", "files"]).expect(0).stdout, "");
    cluster.run(&["file", "delete", "sizes/1"]).expect(0);
    cluster.run(&["file", "delete", "sizes/1"]).expect(1);
    cluster.run(&["file", "stat", "sizes/1"]).expect(1);
}

#[test]
fn what_can_not_be_sent_or_fetched_is_told_in_a_sentence() {
    let cluster = Cluster::start(3);
    let (_, small) = local(&cluster, "small", b"text");
    let folder = cluster.folder().display().to_string();
    let long = "n".repeat(2_000);
    for (words, code, told) in [
        (["put", "/nowhere/at-all", "a"], 1, "No such file"),
        (["put", &folder, "a"], 1, "file sync"),
        (["put", "/dev/null", "a"], 1, "no regular file"),
        (["put", &small, ""], 2, "at least one character"),
        (["put", &small, &long], 2, "at most 1024 bytes"),
        (["put", &small, "a\nb"], 2, "control characters"),
        (["get", "nothing", "-"], 1, "no file nothing"),
        (["get", "a/..", "/nowhere/at-all"], 1, "no file a/.."),
    ] {
        let output = cluster.run(&[&["file"], &words[..]].concat()).expect(code);
        assert!(output.stderr.contains(told), "{words:?}: {}", output.stderr);
    }
    cluster.run(&["file", "put", &small, "a/small"]).expect(0);
    let no_folder = cluster.run(&["file", "get", "a/small", "/nowhere/at-all"]).expect(1);
    assert!(no_folder.stderr.contains("can't write"), "{}", no_folder.stderr);
    // Through pipes, and into a folder.
    let addresses = cluster.addresses().join(",");
    let mut piped = Command::new(executable());
    piped.args(["--connect", &addresses, "file", "put", "-", "a/piped"]);
    piped.stdin(std::fs::OpenOptions::new().read(true).open(&small).unwrap()).stdout(Stdio::null());
    assert!(piped.status().unwrap().success());
    assert_eq!(cluster.run(&["file", "get", "a/piped", "-"]).expect(0).stdout, "text");
    cluster.run(&["file", "get", "a/piped", &folder]).expect(0);
    assert_eq!(read(&cluster.folder().join("piped")), b"text");
}

#[test]
fn two_first_files_at_once_are_both_kept() {
    let cluster = Cluster::start(3);
    let (_, from) = local(&cluster, "sent", b"first");
    let words = |name| ["file", "put", from.as_str(), name];
    let both = ["one", "two"].map(|name| start(&cluster, &words(name), name));
    for running in both {
        ends(running, 0);
    }
    for name in ["one", "two"] {
        assert_eq!(cluster.run(&["file", "get", name, "-"]).expect(0).stdout, "first");
    }
}

#[test]
fn a_file_is_sent_and_fetched_while_leaders_are_killed() {
    let mut cluster = Cluster::start(3);
    let sent = bytes(48 * CHUNK + 5, 1);
    let (_, from) = local(&cluster, "sent", &sent);
    local(&cluster, "tiny", b"the keyspace is there");
    let tiny = cluster.folder().join("tiny").display().to_string();
    cluster.run(&["file", "put", &tiny, "tiny"]).expect(0);
    let putting = start(&cluster, &["file", "put", &from, "big"], "put");
    wait_for("the upload has begun", SOON, || {
        let stat = cluster.run(&["file", "stat", "big", "--json"]);
        (stat.code == Some(1) && !stat.json()["uploads"].as_array()?.is_empty()).then_some(())
    });
    let victim = cluster.busiest();
    cluster.agents[victim].kill();
    ends(putting, 0);
    cluster.agents[victim].start();
    cluster.wait_healthy();

    let back = cluster.folder().join("back");
    let getting = start(&cluster, &["file", "get", "big", &back.display().to_string()], "get");
    wait_for("the first bytes have come", SOON, || {
        back.with_file_name("back.partial").exists().then_some(())
    });
    let victim = cluster.busiest();
    cluster.agents[victim].kill();
    ends(getting, 0);
    assert!(read(&back) == sent);
    assert!(!back.with_file_name("back.partial").exists());
}

#[test]
fn of_two_writers_of_one_name_one_wins_whole() {
    let cluster = Cluster::start(3);
    let files = ["one", "two"].map(|name| {
        let content = bytes(3 * CHUNK, name.len() as u64 + u64::from(name == "two"));
        (local(&cluster, name, &content).1, content)
    });
    cluster.run(&["file", "put", &files[0].0, "name"]).expect(0);
    let is_one_or_the_other = |path: &Path| {
        let read = read(path);
        files.iter().any(|(_, content)| *content == read)
    };
    std::thread::scope(|scope| {
        let writers = files.each_ref().map(|(from, _)| {
            let cluster = &cluster;
            scope.spawn(move || {
                for _ in 0..6 {
                    cluster.run(&["file", "put", from, "name"]).expect(0);
                }
            })
        });
        let mut reads = 0;
        while reads < 3 || !writers.iter().all(std::thread::ScopedJoinHandle::is_finished) {
            let back = cluster.folder().join(format!("back-{reads}"));
            cluster.run(&["file", "get", "name", &back.display().to_string()]).expect(0);
            assert!(is_one_or_the_other(&back), "a mixture");
            reads += 1;
        }
    });
    let stat = cluster.ask(&["file", "stat", "name"]);
    assert_eq!(stat["uploads"], Value::Array(Vec::new()), "{stat}");
}

#[test]
fn a_put_that_was_killed_is_gone_on_with_and_one_that_is_given_up_is_collected() {
    let cluster = Cluster::start(3);
    // Long enough that it is under way when somebody has looked.
    let sent = bytes(160 * CHUNK, 2);
    let (_, from) = local(&cluster, "sent", &sent);
    let break_off = |name: &str| {
        let mut putting = start(&cluster, &["file", "put", &from, name], name);
        let there = wait_for("a page of hashes is there", SOON, || {
            let keys = FileKeys::open(cluster.addresses())?;
            let pages = keys.pages().len();
            (pages > 0).then_some(keys)
        });
        putting.kill();
        there
    };
    let keys = break_off("big");
    cluster.run(&["file", "get", "big"]).expect(1);
    let put = cluster.run(&["file", "put", &from, "big", "--json"]).expect(0);
    let resumed = put.json()["resumed_bytes"].as_u64().unwrap();
    assert!(resumed >= 16 << 20, "{}", put.stdout);
    assert!(put.stderr.contains("resumed at"), "{}", put.stderr);
    let back = cluster.folder().join("back");
    cluster.run(&["file", "get", "big", &back.display().to_string()]).expect(0);
    assert!(read(&back) == sent);
    cluster.run(&["file", "delete", "big"]).expect(0);
    let collect = |more: &[&str]| {
        let words = ["file", "collect", "--grace", "0s", "--lease", "0s"];
        cluster.ask(&[&words[..], more].concat())
    };
    let foretold = collect(&["--dry-run"]);
    assert_eq!((&foretold["versions"], &foretold["keys"]), (&1.into(), &Value::Null));
    assert_eq!(collect(&[])["versions"], 1);
    assert_eq!((keys.chunks().len(), keys.pages().len()), (0, 0), "nothing is left");

    break_off("other");
    let collected = collect(&[]);
    assert_eq!((&collected["uploads"], &collected["versions"]), (&1.into(), &0.into()));
    // Whoever goes on with what is gone begins anew; a chunk of nobody is found.
    let (_, small) = local(&cluster, "small", b"small");
    cluster.run(&["file", "put", &small, "small"]).expect(0);
    let stray = String::from_utf8(keys.chunks()[0].to_vec()).unwrap().replace("small", "smaller");
    keys.set(&stray.into(), bytes::Bytes::from_static(b"stray"));
    let swept = collect(&["--sweep"]);
    assert!(swept["stray"].as_u64() > Some(0), "{swept}");
    assert_eq!(keys.chunks().len(), 1);
    assert_eq!(cluster.run(&["file", "get", "small", "-"]).expect(0).stdout, "small");
}

#[test]
fn damage_is_told_and_a_get_goes_on_where_it_stopped() {
    let cluster = Cluster::start(3);
    let sent = bytes(12 * CHUNK, 3);
    let (_, from) = local(&cluster, "sent", &sent);
    cluster.run(&["file", "put", &from, "a/file"]).expect(0);
    let keys = FileKeys::open(cluster.addresses()).expect("it is there");
    let chunk = keys.chunks().pop().expect("it has chunks");
    let good = keys.get(&chunk);
    let mut bad = good.to_vec();
    bad[1_000] ^= 1;
    keys.set(&chunk, bad.into());
    let back = cluster.folder().join("back");
    let get = ["file", "get", "a/file", &back.display().to_string(), "--json"];
    let output = cluster.run(&get).expect(1);
    assert!(output.stderr.contains("a/file is damaged: chunk 11 is not"), "{}", output.stderr);
    assert!(!back.exists(), "what is not whole has not its name");
    keys.set(&chunk, good);
    let got = cluster.run(&get).expect(0).json();
    assert_eq!(got["resumed_bytes"], 11 * CHUNK, "{got}");
    assert!(read(&back) == sent);
}

#[test]
fn a_second_sync_sends_nothing() {
    let cluster = Cluster::start(3);
    for (name, size) in [("dir/a", 10), ("dir/b/c", CHUNK + 1), ("dir/b/{d}", 0)] {
        local(&cluster, name, &bytes(size, 4));
    }
    let dir = cluster.folder().join("dir");
    std::os::unix::fs::symlink("a", dir.join("link")).unwrap();
    let dir = dir.display().to_string();
    let sync = |more: &[&str]| cluster.ask(&[&["file", "sync", &dir, "kept"], more].concat());
    let figures = |row: &Value| {
        ["sent", "same", "deleted", "skipped", "failed"].map(|field| row[field].as_u64().unwrap())
    };
    assert_eq!(figures(&sync(&["--dry-run"])), [3, 0, 0, 1, 0]);
    assert_eq!(figures(&sync(&[])), [3, 0, 0, 1, 0]);
    let second = sync(&["--delete"]);
    assert_eq!((figures(&second), &second["bytes_sent"]), ([0, 3, 0, 1, 0], &0.into()));
    assert!(second["named"][0]["path"].as_str().unwrap().ends_with("link"), "{second}");
    // The same length, another content; and one that is gone.
    local(&cluster, "dir/a", &bytes(10, 5));
    std::fs::remove_file(cluster.folder().join("dir/b/c")).unwrap();
    assert_eq!(figures(&sync(&[])), [1, 1, 0, 1, 0]);
    assert_eq!(figures(&sync(&["--delete"])), [0, 2, 1, 1, 0]);
    let listed = cluster.ask(&["file", "ls", "kept/"]);
    assert_eq!(listed.as_array().map(Vec::len), Some(2), "{listed}");
}
