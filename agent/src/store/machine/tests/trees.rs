//! One flipped bit in the files of the trees, as a killed process has left them.
//!
//! The files are fjall's: what a flip does to them is measured and shown here, not promised. A
//! replica that has been rolled back as a whole is no loss, for its log gives the rest again; if
//! the log has purged that already, the replica is not opened (`Replicas::open`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Stdio};

use tempfile::TempDir;

use super::flips::fill;
use super::*;
use crate::env::fs::{self, Create, Disk, RealDisk};
use crate::flips::{Dice, Verdict, row};
use crate::store::engine::fjall::{FjallEngine, FjallLimits};
use crate::store::engine::{RowRange, View};

const SHARDS: [ShardId; 3] = [ShardId(3), ShardId(4), ShardId(5)];
/// The logs of all replicas are purged up to here.
const PURGED: u64 = 120;
/// Names the folder that a process of its own is to read.
const FOLDER: &str = "EVENKEEL_FLIPPED_FOLDER";
const READER: &str =
    "store::machine::tests::trees::a_flipped_folder_is_read_by_a_process_of_its_own";
/// Stands before what that process found.
const FOUND: &str = "found: ";
const FOUNDS: [Verdict; 4] =
    [Verdict::Detected, Verdict::Harmless, Verdict::RolledBack, Verdict::Silent];

/// Applied index and a hash over all rows, for every moment of a replica.
type History = BTreeMap<ShardId, BTreeMap<Option<u64>, [u8; 32]>>;

fn rows_hash(view: &dyn View) -> Result<[u8; 32], EngineError> {
    let mut hasher = blake3::Hasher::new();
    for row in view.range(RowRange::all()) {
        let (key, value) = row?;
        hasher.update(&(key.len() as u64).to_le_bytes()).update(&key);
        hasher.update(&(value.len() as u64).to_le_bytes()).update(&value);
    }
    Ok(*hasher.finalize().as_bytes())
}

/// Small write buffers: a part of the rows is in tables, the rest in the journal alone.
fn engine(folder: &Path) -> Result<Arc<dyn Engine>, EngineError> {
    let limits = FjallLimits { write_buffer_bytes: 96 << 10, ..FjallLimits::default() };
    Ok(Arc::new(FjallEngine::open(folder, limits)?))
}

fn applied(machine: &Machine) -> Option<u64> {
    machine.status().applied.map(|(_, index)| index)
}

/// Moves a replica into another tree, as a snapshot does: its pointer is a row then.
async fn move_house(machine: &Machine) {
    let (mut staging, mut hasher) = (machine.stage(1).await.unwrap(), blake3::Hasher::new());
    let mut pieces = 0;
    for piece in machine.outgoing().chunks() {
        let piece = piece.unwrap();
        hasher.update(&piece);
        staging.add(pieces, piece).await.unwrap();
        pieces += 1;
    }
    match staging.finish(pieces, *hasher.finalize().as_bytes()).await.unwrap() {
        SnapshotData::Incoming(staged) => machine.inner.install(*staged).unwrap(),
        SnapshotData::Outgoing(_) => unreachable!("what was staged came in"),
    }
}

/// Three replicas' trees in one folder, and all that they have been.
struct Written {
    folder: TempDir,
    files: Vec<PathBuf>,
    history: History,
}

impl Written {
    async fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let mut history = History::new();
        let engine = engine(place.path()).unwrap();
        for shard in SHARDS {
            let env = Env::real();
            let machine = Machine::open(machine_id(shard), &env, Arc::clone(&engine)).await;
            let machine = machine.unwrap();
            let mut note = |machine: &Machine| {
                let hash = rows_hash(&*machine.inner.tree().view()).unwrap();
                history.entry(shard).or_default().insert(applied(machine), hash);
            };
            note(&machine);
            let mut rig = Rig { engine: Arc::new(MemoryEngine::new()), machine, next: 0, term: 1 };
            rig.command(own(true));
            note(&rig.machine);
            for number in 1..=200 {
                if number == 140 && shard == SHARDS[2] {
                    move_house(&rig.machine).await;
                }
                fill(&mut rig, number);
                note(&rig.machine);
            }
        }
        engine.sync().unwrap();
        // As they lie there while the process lives: it is killed at this moment.
        let folder = tempfile::tempdir().unwrap();
        copy_folder(place.path(), folder.path());
        let files = files(folder.path());
        Self { folder, files, history }
    }

    fn copy(&self) -> TempDir {
        let copy = tempfile::tempdir().unwrap();
        copy_folder(self.folder.path(), copy.path());
        copy
    }

    /// Flips a bit in one of the files whose path has this part.
    fn flip(&self, part: &str, dice: &mut Dice) -> (Verdict, String) {
        let copy = self.copy();
        let files = self.files.iter().filter(|file| file.to_string_lossy().contains(part));
        let files: Vec<_> = files.collect();
        let file = files[dice.below(files.len())];
        let name = file.strip_prefix(self.folder.path()).unwrap();
        let path = copy.path().join(name);
        let bytes = fs::read(&RealDisk, &path).unwrap();
        // fjall makes its journal long ahead: what counts is what was written.
        let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        if used == 0 {
            return (Verdict::Harmless, format!("{} is empty", name.display()));
        }
        let (at, bit) = (dice.below(used), dice.below(8));
        let file = RealDisk.open(&path, Create::Never).unwrap();
        file.write_all_at(&[bytes[at] ^ 1 << bit], at as u64).unwrap();
        (self.read_apart(copy.path()), format!("{} at {at}, bit {bit}", name.display()))
    }

    /// A panic while fjall opens a folder ends the process: each is read by one of its own.
    fn read_apart(&self, folder: &Path) -> Verdict {
        let history = RealDisk.open(&folder.join(HISTORY), Create::New).unwrap();
        history.write_all_at(&rows::encode(&self.history), 0).unwrap();
        let mut reader = Process::new(std::env::current_exe().unwrap());
        reader.args(["--exact", READER, "--nocapture"]).env(FOLDER, folder);
        let output = reader.stderr(Stdio::null()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let found = said.split_once(FOUND).and_then(|(_, found)| found.lines().next());
        let number = found.and_then(|number| number.parse::<usize>().ok());
        number.map_or(Verdict::Panicked, |number| FOUNDS[number])
    }
}

/// Beside the trees, for the process that reads them.
const HISTORY: &str = "history";

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for name in RealDisk.list(folder).unwrap() {
        let path = folder.join(name);
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// Copies what is there; fjall may remove a file meanwhile that it needs no more.
fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for name in RealDisk.list(from).unwrap() {
        let (from, to) = (from.join(&name), to.join(&name));
        if from.is_dir() {
            copy_folder(&from, &to);
        } else {
            let _ = std::fs::copy(from, to);
        }
    }
}

/// Opens every replica and reads all of its rows.
async fn read(folder: &Path, history: &History) -> Verdict {
    let Ok(engine) = engine(folder) else { return Verdict::Detected };
    let mut worst = Verdict::Harmless;
    for (shard, history) in history {
        let opened = Machine::open(machine_id(*shard), &Env::real(), Arc::clone(&engine)).await;
        let verdict = match opened.map(|machine| (applied(&machine), machine)) {
            Err(_) => Verdict::Detected,
            Ok((now, _)) if now < Some(PURGED) => Verdict::Detected,
            Ok((now, machine)) => match rows_hash(&*machine.inner.tree().view()) {
                Err(_) => Verdict::Detected,
                Ok(hash) if history.get(&now) != Some(&hash) => Verdict::Silent,
                Ok(_) if history.keys().next_back() == Some(&now) => Verdict::Harmless,
                Ok(_) => Verdict::RolledBack,
            },
        };
        worst = match (worst, verdict) {
            (Verdict::Harmless, other) => other,
            (one, Verdict::Harmless) => one,
            (one, other) => one.max(other),
        };
    }
    worst
}

/// What [`Written::read_apart`] starts; among the other tests it has nothing to read.
#[tokio::test]
async fn a_flipped_folder_is_read_by_a_process_of_its_own() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    let history = fs::read(&RealDisk, &folder.join(HISTORY)).unwrap();
    let history = rows::decode("the history", &history).unwrap();
    let verdict = read(&folder, &history).await;
    let number = FOUNDS.iter().position(|found| *found == verdict).unwrap();
    println!("\n{FOUND}{number}");
}

#[tokio::test]
async fn flipped_bits_in_the_trees_files() {
    let written = Written::new().await;
    let has = |part: &str| written.files.iter().any(|f| f.to_string_lossy().contains(part));
    assert!(has("tables") && has(".jnl"), "{:?}", written.files);
    assert_eq!(written.read_apart(written.copy().path()), Verdict::Harmless);
    let flips = [
        ("state: any file of the trees", "", 12),
        ("state: the trees' tables", "tables", 6),
        ("state: the trees' journal", ".jnl", 12),
    ];
    for (part, files, flips) in flips {
        let row = row(part, flips, async |dice: &mut Dice| written.flip(files, dice)).await;
        // What fjall lets pass is the scrub's to find: a measure, with no promise in it.
        assert!(row.count(Verdict::Detected) > 0);
    }
}
