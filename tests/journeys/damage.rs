//! Data that rots or is lost: the node takes its copies out of service, says so, and they are rebuilt
//! from the others without anybody's help. Only a node that has lost its whole folder needs a word
//! of an operator. Clients write and read on all the while.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use evenkeel_tests::{Client, Cluster, ClusterPlan, Writers, wait_for};

/// How long copies may take to be rebuilt on a busy machine.
const REBUILT_MAX: Duration = Duration::from_secs(120);

/// Takes the last agent down, does something to its folder, and starts it again.
fn harm(cluster: &mut Cluster, harm: impl FnOnce(&Path)) {
    let victim = cluster.agents.len() - 1;
    cluster.agents[victim].kill();
    harm(&cluster.agents[victim].plan.data());
    cluster.agents[victim].start();
}

/// Waits until the journal has a line with these words.
fn wait_told(cluster: &Cluster, words: &str) {
    wait_for(&format!("the journal says {words:?}"), REBUILT_MAX, || {
        let events = cluster.run(&["events", "--limit", "500"]);
        events.stdout.contains(words).then_some(())
    });
}

/// Nothing is lost, nothing differs, and writes went on.
fn assert_whole(cluster: &Cluster, writers: Writers) {
    cluster.run(&["wait", "--until", "healthy", "--nodes", "3", "--timeout", "120s"]).expect(0);
    writers.wait_for_more(200);
    writers.finish().assert_kept(cluster.addresses());
    for shard in 1..=4 {
        cluster.assert_hashes_agree(shard);
    }
}

fn begin() -> (Cluster, Writers) {
    let cluster = Cluster::start(3);
    let writers = Writers::start(cluster.addresses(), "damage", 4);
    writers.wait_for_more(500);
    (cluster, writers)
}

/// Flips one bit of a byte; false when there is no such byte (any more).
fn flip(file: &Path, at: u64) -> bool {
    let Ok(file) = fs::OpenOptions::new().read(true).write(true).open(file) else { return false };
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).is_ok() && file.write_all_at(&[byte[0] ^ 4], at).is_ok()
}

/// Blocks of the log that are looked at.
const BLOCKS: u64 = 200;

/// The log's files, and where each holds anything: others are prepared for later.
fn written_blocks(data: &Path) -> Vec<(std::path::PathBuf, Vec<u64>)> {
    let listed = fs::read_dir(data.join("wal")).expect("there is a log");
    let names = listed.map(|entry| entry.expect("it can be listed").path());
    let segments = names.filter(|path| path.metadata().is_ok_and(|file| file.len() > 1 << 20));
    segments
        .map(|path| {
            let opened = fs::OpenOptions::new().read(true).open(&path);
            let file = opened.expect("a file of the log");
            let written = |block: &u64| {
                let mut begins = [0; 256];
                file.read_exact_at(&mut begins, block * 4_096).expect("the file is that long");
                begins.iter().filter(|byte| **byte != 0).count() > 20
            };
            let blocks = (2..BLOCKS).filter(written).collect();
            (path, blocks)
        })
        .collect()
}

#[test]
fn a_log_that_has_rotted_is_rebuilt_from_the_others() {
    let (mut cluster, writers) = begin();
    harm(&mut cluster, |data| {
        let written = written_blocks(data);
        let (segment, blocks) = written.iter().max_by_key(|(_, blocks)| blocks.len()).unwrap();
        // In the first batches, which were confirmed long ago; the last one may be torn.
        for block in &blocks[..blocks.len() / 2] {
            assert!(flip(segment, block * 4_096 + 100), "block {block} of {segment:?}");
        }
    });
    wait_told(&cluster, "is given up and rebuilt");
    assert_whole(&cluster, writers);
}

#[test]
fn a_lost_log_is_no_empty_log() {
    let (mut cluster, writers) = begin();
    harm(&mut cluster, |data| fs::remove_dir_all(data.join("wal")).expect("it can be removed"));
    wait_told(&cluster, "its log is gone");
    assert_whole(&cluster, writers);
}

#[test]
fn data_that_can_not_be_opened_is_put_aside_and_rebuilt() {
    let (mut cluster, writers) = begin();
    let mut kept = None;
    harm(&mut cluster, |data| {
        // What the engine must read before it opens anything.
        let trees = fs::read_dir(data.join("state/keyspaces")).expect("the engine has trees");
        for tree in trees {
            let files = fs::read_dir(tree.expect("it can be listed").path()).expect("a folder");
            for file in files.map(|file| file.expect("it can be listed").path()) {
                if file.is_file() {
                    let opened = fs::OpenOptions::new().write(true).open(file);
                    opened.and_then(|file| file.set_len(0)).expect("it can be cut");
                }
            }
        }
        kept = Some(data.join("state.damaged-1"));
    });
    wait_for("it is put aside", REBUILT_MAX, || kept.as_ref()?.exists().then_some(()));
    assert_whole(&cluster, writers);
    assert!(cluster.agents[2].log().contains("damage in the data of all replicas"));
}

/// Some rot ends the process by an assertion of the engine's, over and over, whoever restarts it.
#[test]
#[expect(clippy::disallowed_methods, reason = "what three starts have left that ended so")]
fn data_that_has_ended_three_starts_is_put_aside() {
    let (mut cluster, writers) = begin();
    harm(&mut cluster, |data| {
        assert!(!data.join("state.opening").exists(), "nothing is left of a start that went well");
        fs::write(data.join("state.opening"), [3]).expect("the folder is writable");
    });
    let aside = cluster.agents[2].plan.data().join("state.damaged-1");
    wait_for("it is put aside", REBUILT_MAX, || aside.exists().then_some(()));
    assert_whole(&cluster, writers);
    assert!(cluster.agents[2].log().contains("3 starts in a row have ended while they opened it"));
    assert!(!cluster.agents[2].plan.data().join("state.opening").exists());
}

#[test]
fn a_wiped_node_rejoins_by_one_command() {
    let (mut cluster, writers) = begin();
    harm(&mut cluster, |data| fs::remove_dir_all(data).expect("it can be removed"));
    assert_eq!(cluster.agents[2].ends_by_itself(), Some(1));
    assert!(cluster.agents[2].log().contains("evenkeel node reinit n3"));
    cluster.agents[2].kill();

    wait_for("n3 is held dead by all, and given up", REBUILT_MAX, || {
        let given_up = cluster.run(&["node", "reinit", "n3", "--yes", "--override", "n3"]);
        (given_up.code == Some(0)).then_some(())
    });
    cluster.agents[2].start();
    assert_whole(&cluster, writers);
    // What was given up stays so: the same act has nothing left to do.
    cluster.run(&["node", "reinit", "n3", "--yes", "--override", "n3"]).expect(1);
}

/// The largest file of the state, if there is one that was written for good.
fn largest_table(folder: &Path) -> Option<std::path::PathBuf> {
    let mut found: Vec<(u64, std::path::PathBuf)> = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).ok()?.flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.parent().is_some_and(|parent| parent.ends_with("tables")) {
                found.push((entry.metadata().ok()?.len(), path));
            }
        }
    }
    found.into_iter().max().filter(|(length, _)| *length > 1 << 20).map(|(_, path)| path)
}

#[test]
fn a_flipped_bit_of_the_data_is_found_by_the_scrub() {
    let log = "info,evenkeel_agent::control::scrub=debug";
    let flags = ["--scrub", "1s", "--log", log].map(str::to_owned).to_vec();
    let cluster = Cluster::start_with(&ClusterPlan { shards: 1, flags, ..ClusterPlan::default() });
    // Enough for the engine to write tables; what waits in memory can't rot.
    let value = |number: u64| Bytes::from(vec![u8::try_from(number).unwrap(); 500 << 10]);
    let record = |number: u64| (format!("scrub/{number}"), value(number));
    let client = Client::new(cluster.addresses());
    client.put_all((0..20).map(record));
    let victim = &cluster.agents[1];
    let state = victim.plan.data().join("state");
    let table = wait_for("a table is written", REBUILT_MAX, || largest_table(&state));
    wait_for("sound copies are alike", REBUILT_MAX, || {
        cluster.agents.iter().any(|agent| agent.log().contains("copies are alike")).then_some(())
    });
    let mut flipped = table;
    assert!(flip(&flipped, (1 << 20) + 77));
    wait_for("the scrub has found it", REBUILT_MAX, || {
        // A table may be merged into another one before it is looked at: then that one rots.
        if !flipped.exists()
            && let Some(next) = largest_table(&state)
            && flip(&next, (1 << 20) + 77)
        {
            flipped = next;
        }
        let events = cluster.run(&["events", "--limit", "500"]);
        events.stdout.contains("is not as it was written").then_some(())
    });
    assert_eq!(
        client.wrong((0..20).map(record).collect()),
        Vec::<String>::new(),
        "clients read on"
    );
    cluster.wait_healthy();
    cluster.assert_hashes_agree(1);
    assert_eq!(client.wrong((0..20).map(record).collect()), Vec::<String>::new());
}
