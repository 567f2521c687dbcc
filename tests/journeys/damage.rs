//! Data that rots or is lost: the node takes its copies out of service, says so, and they are rebuilt
//! from the others without anybody's help. Only a node that has lost its whole folder needs a word
//! of an operator. Clients write and read on all the while.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use evenkeel_tests::{Cluster, Writers, wait_for};

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

/// Flips one bit of a byte.
fn flip(file: &Path, at: u64) {
    let file = fs::OpenOptions::new().read(true).write(true).open(file).expect("a file of the log");
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).expect("the file is that long");
    file.write_all_at(&[byte[0] ^ 4], at).expect("the byte is written");
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
        blocks[..blocks.len() / 2].iter().for_each(|block| flip(segment, block * 4_096 + 100));
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
fn a_wiped_node_rejoins_by_one_command() {
    let (mut cluster, writers) = begin();
    harm(&mut cluster, |data| fs::remove_dir_all(data).expect("it can be removed"));
    assert_eq!(cluster.agents[2].ends_by_itself(), Some(1));
    assert!(cluster.agents[2].log().contains("evenkeel node reinit n3"));
    cluster.agents[2].kill();

    cluster.wait_state("n3", "DOWN");
    cluster.run(&["node", "reinit", "n3", "--yes", "--override", "n3"]).expect(0);
    cluster.agents[2].start();
    assert_whole(&cluster, writers);
    // What was given up stays so: the same act has nothing left to do.
    cluster.run(&["node", "reinit", "n3", "--yes", "--override", "n3"]).expect(1);
}
