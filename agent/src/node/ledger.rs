//! The store's ledger of replicas, kept in the data folder's identity file.

use std::sync::{Arc, Mutex};

use futures::future::BoxFuture;

use crate::env::work::Work;
use crate::folder::{Folder, OpenedReplica};
use crate::store::ledger::Ledger;
use crate::store::wal::ReplicaKey;

/// The folder, as the store's ledger.
pub(super) struct FolderLedger {
    pub(super) folder: Arc<Mutex<Folder>>,
    pub(super) work: Arc<dyn Work>,
}

fn line(key: ReplicaKey) -> OpenedReplica {
    OpenedReplica { shard: key.shard, history: key.history, replica: key.replica }
}

impl FolderLedger {
    fn note(
        &self,
        opened: Vec<OpenedReplica>,
        removed: Vec<OpenedReplica>,
    ) -> BoxFuture<'static, Result<(), String>> {
        let (folder, work) = (self.folder.clone(), self.work.clone());
        Box::pin(async move {
            let note = move || {
                let mut folder = folder.lock().expect("no holder of this lock panics");
                folder.note_replicas(&opened, &removed).map_err(|error| error.to_string())
            };
            work.run(note).await
        })
    }
}

impl Ledger for FolderLedger {
    fn has(&self, key: &ReplicaKey) -> bool {
        let folder = self.folder.lock().expect("no holder of this lock panics");
        folder.identity().opened.contains(&line(*key))
    }

    fn all(&self) -> Vec<ReplicaKey> {
        let folder = self.folder.lock().expect("no holder of this lock panics");
        let key = |line: &OpenedReplica| {
            let OpenedReplica { shard, history, replica } = *line;
            ReplicaKey { shard, history, replica }
        };
        folder.identity().opened.iter().map(key).collect()
    }

    fn enter(&self, keys: Vec<ReplicaKey>) -> BoxFuture<'static, Result<(), String>> {
        self.note(keys.into_iter().map(line).collect(), Vec::new())
    }

    fn strike(&self, key: ReplicaKey) -> BoxFuture<'static, Result<(), String>> {
        self.note(Vec::new(), vec![line(key)])
    }
}
