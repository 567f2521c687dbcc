//! Why nothing can be rescued, each a sentence that says what to try.

use std::path::PathBuf;

use evenkeel_shared::error::StoreError;
use evenkeel_shared::ids::{ClusterId, ShardId};

use crate::backup::ArchiveError;
use crate::folder::FolderError;
use crate::node::NodeError;

/// Why nothing can be rescued, by what the operator can do.
#[derive(Debug, thiserror::Error)]
pub enum RescueError {
    /// Name other folders, or stop the agents.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// Look at the disk.
    #[error("folder {folder} can't be read")]
    Open {
        /// The folder.
        folder: PathBuf,
        /// The cause.
        #[source]
        source: Box<NodeError>,
    },
    /// Leave it out.
    #[error("folder {0} belongs to an agent that never joined a cluster; leave it out")]
    NeverJoined(PathBuf),
    /// Rescue one cluster at a time.
    #[error("folder {folder} is of cluster {theirs}, the first one of {ours}: name folders of one")]
    Others {
        /// The folder.
        folder: PathBuf,
        /// Its cluster.
        theirs: ClusterId,
        /// The first folder's cluster.
        ours: ClusterId,
    },
    /// Name each once.
    #[error("folders {0} and {1} are of one node: name the newer one alone")]
    Twice(PathBuf, PathBuf),
    /// Name more folders.
    #[error(
        "none of these folders has a copy of the system shard that can be read, so nobody knows \
         what the cluster held; name more folders, or restore a backup"
    )]
    NoFacts,
    /// Look at the archive.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// Mend what is named, name more folders, or give the shard up.
    #[error(
        "{shard} can't be written, and so nothing was: {}; mend that, name more folders, or leave \
         it empty with --empty {shard}", causes.join("; ")
    )]
    Shard {
        /// The shard.
        shard: ShardId,
        /// Of each copy, why not.
        causes: Vec<String>,
    },
    /// The end of the backup can't be written.
    #[error(transparent)]
    Seal(#[from] StoreError),
}
