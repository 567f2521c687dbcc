//! Audit lines that the system shard has not taken yet, on this node's own disk (law 8): an act
//! without a quorum is on record before it is done, whatever becomes of this process.
//!
//! Invariant: the file holds what was handed over last, as a whole; without lines there is none.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use evenkeel_shared::event::Event;
use tokio::sync::Mutex;

use crate::env::fs::{self, Disk};
use crate::env::work::Work;
use crate::{env::Env, envelope};

/// The file, beside the folder's other ones.
const FILE: &str = "audit.json";

/// The lines on disk.
pub struct Unmerged {
    disk: Arc<dyn Disk>,
    work: Arc<dyn Work>,
    path: PathBuf,
    /// The lines that the file holds; locked while it is written.
    held: Mutex<Vec<Event>>,
}

impl Unmerged {
    /// The lines of a node with this data folder.
    pub fn new(env: &Env, folder: &Path) -> Self {
        let path = folder.join(FILE);
        Self { disk: env.disk.clone(), work: env.work.clone(), path, held: Mutex::default() }
    }

    /// What an earlier process of this node left.
    pub async fn recall(&self) -> Vec<Event> {
        let mut held = self.held.lock().await;
        let (disk, path) = (self.disk.clone(), self.path.clone());
        let bytes = match self.work.run(move || fs::read(disk.as_ref(), &path)).await {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
            Err(error) => {
                tracing::error!(file = %self.path.display(), %error, "can't read audit lines");
                return Vec::new();
            }
        };
        match envelope::unseal::<Vec<Event>>(&bytes) {
            Ok(lines) => {
                held.clone_from(&lines);
                lines
            }
            Err(error) => {
                // Kept for whoever looks into it; the next line that is held takes its place.
                tracing::error!(file = %self.path.display(), %error, "audit lines are damaged");
                Vec::new()
            }
        }
    }

    /// Makes these lines, and no others, durable. Says so in the log if the disk does not take
    /// them: an emergency never waits for the patient.
    pub async fn hold(&self, lines: Vec<Event>) {
        let mut held = self.held.lock().await;
        // While there is no quorum, the same lines come again and again.
        if lines == *held {
            return;
        }
        let kept = lines.clone();
        let (disk, path) = (self.disk.clone(), self.path.clone());
        let written = self.work.run(move || {
            if !lines.is_empty() {
                return fs::replace(disk.as_ref(), &path, &envelope::seal(&lines));
            }
            disk.remove(&path)?;
            disk.sync_dir(path.parent().unwrap_or(Path::new(".")))
        });
        match written.await {
            Ok(()) => *held = kept,
            Err(error) => {
                tracing::error!(file = %self.path.display(), %error, "can't keep audit lines");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use evenkeel_shared::event::{EventKind, Severity};
    use evenkeel_shared::ids::NodeId;

    use super::*;
    use crate::env::fs::sim::SimDisk;

    fn line(what: &str) -> Event {
        Event {
            id: 0,
            unix_ms: 7,
            reporter: NodeId(1),
            kind: EventKind::Audit,
            severity: Severity::Warn,
            node: None,
            shard: None,
            what: what.to_owned(),
            why: "asked by a test".to_owned(),
            took_us: None,
        }
    }

    fn lines_of(disk: &SimDisk) -> Unmerged {
        let env = Env { disk: Arc::new(disk.mount()), ..Env::real() };
        Unmerged::new(&env, Path::new("/data"))
    }

    #[tokio::test]
    async fn held_lines_survive_a_power_cut_and_leave_when_they_are_merged() {
        let disk = SimDisk::new();
        disk.create_dir_all(Path::new("/data")).unwrap();
        disk.sync_dir(Path::new("/")).unwrap();
        for seed in 0..20 {
            let first = lines_of(&disk);
            first.hold(vec![line("asked: kill n1")]).await;
            first.hold(vec![line("asked: kill n1"), line("done: n1 killed")]).await;
            let syncs = disk.syncs();
            first.hold(vec![line("asked: kill n1"), line("done: n1 killed")]).await;
            assert_eq!(disk.syncs(), syncs, "what is held is not written again");
            disk.crash(seed);
            let second = lines_of(&disk);
            let found = second.recall().await;
            assert_eq!(found, [line("asked: kill n1"), line("done: n1 killed")], "seed {seed}");
            second.hold(Vec::new()).await;
            disk.crash(seed);
            assert_eq!(lines_of(&disk).recall().await, [], "seed {seed}");
        }
    }
}
