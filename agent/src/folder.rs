//! The data folder: who may use it, and which node of which cluster it is.
//!
//! One process at a time, one node for ever: the identity is on disk before anything else is, and
//! each start has a higher incarnation than all before, synced before anybody hears of it.

mod identity;
mod lock;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use evenkeel_shared::ids::{ClusterId, Incarnation};

pub use identity::{Identity, IdentityError, KnownPeer, Membership, OpenedReplica};
pub use lock::FolderLock;

use crate::env::fs::{self, Disk};

const IDENTITY_FILE: &str = "node.json";
const LOCK_FILE: &str = "LOCK";
/// What may lie in a folder that has no identity yet.
const HARMLESS: [&str; 8] = [
    LOCK_FILE,
    "node.new",
    "down-for",
    "down-for.new",
    "lost+found",
    "agent.toml",
    "agent.pid",
    "agent.new",
];

/// A data folder that belongs to this process, and the node that it is.
pub struct Folder {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    identity: Identity,
}

/// Why a folder can't be used, sorted by what the operator can do.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Use another folder, or end the other process.
    #[error(
        "folder {path} is in use by {holder}; end that one first, or give --data another folder"
    )]
    InUse {
        /// The folder.
        path: PathBuf,
        /// `process 123`, or what is known.
        holder: String,
    },
    /// Use the folder under its own name.
    #[error(
        "folder {path} belongs to node {theirs}, not to {ours}; \
         start it as --name {theirs}, or give --data another folder"
    )]
    OtherName {
        /// The folder.
        path: PathBuf,
        /// The name in the folder.
        theirs: String,
        /// The name that was given.
        ours: String,
    },
    /// Use a folder of this cluster, or an empty one.
    #[error(
        "folder {path} belongs to cluster {theirs}, not to {ours}; \
         join that cluster, or give --data an empty folder"
    )]
    OtherCluster {
        /// The folder.
        path: PathBuf,
        /// The cluster in the folder.
        theirs: ClusterId,
        /// The cluster that was found.
        ours: ClusterId,
    },
    /// Leave `--join` out, name seeds of this cluster, or use an empty folder.
    #[error(
        "folder {path} belongs to cluster {ours}, but seed {seed} to {theirs}; \
         name seeds of {ours} with --join, or give --data an empty folder"
    )]
    SeedOfOtherCluster {
        /// The folder.
        path: PathBuf,
        /// The cluster in the folder.
        ours: ClusterId,
        /// The seed that was named.
        seed: String,
        /// The cluster of the seed.
        theirs: ClusterId,
    },
    /// Nothing but a bug or a copied folder leads here.
    #[error("folder {path} is {known} already and can't become {offered}")]
    OtherNode {
        /// The folder.
        path: PathBuf,
        /// Who it is.
        known: String,
        /// Who it was told to be.
        offered: String,
    },
    /// Restore the folder as a whole, or begin with an empty one.
    #[error(
        "folder {path} holds {found} but no node.json, so nobody knows whose data that is; \
         give --data an empty folder"
    )]
    Nameless {
        /// The folder.
        path: PathBuf,
        /// One of the names in it.
        found: String,
    },
    /// Name another folder.
    #[error("folder {path} is no agent's: it has no node.json; name what was given as --data")]
    Nobodys {
        /// The folder.
        path: PathBuf,
    },
    /// The node can't return as itself.
    #[error(
        "identity {path} can't be trusted; move the folder away and bring the node back with \
         `evenkeel node reinit`"
    )]
    Damaged {
        /// The identity file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: IdentityError,
    },
    /// Look at the disk.
    #[error("can't {verb} {path}")]
    Io {
        /// What was tried.
        verb: &'static str,
        /// With what.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
}

/// Who opens a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opener {
    /// The node's name.
    pub name: String,
    /// Random bits for a folder that is new.
    pub fresh_bits: u64,
}

impl Folder {
    /// Opens the folder, made when absent, and begins a new incarnation. Blocks.
    pub fn open(disk: Arc<dyn Disk>, path: &Path, opener: Opener) -> Result<Self, FolderError> {
        disk.create_dir_all(path).map_err(failed("make folder", path))?;
        let names = disk.list(path).map_err(failed("list folder", path))?;
        let identity = if names.iter().any(|name| name == IDENTITY_FILE) {
            known(disk.as_ref(), path, opener)?
        } else {
            fresh(path, &names, opener)?
        };
        let folder = Self { disk, path: path.to_owned(), identity };
        folder.save(&folder.identity)?;
        Ok(folder)
    }

    /// The name of the node that a folder belongs to. Blocks.
    pub fn whose(disk: &dyn Disk, path: &Path) -> Result<String, FolderError> {
        let file = path.join(IDENTITY_FILE);
        let bytes = fs::read(disk, &file).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => FolderError::Nobodys { path: path.to_owned() },
            _ => failed("read identity", &file)(source),
        })?;
        let identity = Identity::from_bytes(&bytes);
        identity
            .map(|identity| identity.name)
            .map_err(|source| FolderError::Damaged { path: file, source })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Who this node is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Keeps what the cluster said at admission. A node is admitted to one cluster, as one node.
    pub fn admit(&mut self, membership: Membership) -> Result<(), FolderError> {
        if let Some(known) = &self.identity.membership {
            self.check_cluster(membership.cluster)?;
            if *known == membership {
                return Ok(());
            }
            return Err(FolderError::OtherNode {
                path: self.path.clone(),
                known: known.to_string(),
                offered: membership.to_string(),
            });
        }
        self.change(|identity| identity.membership = Some(membership))
    }

    /// Keeps the new copy of the system shard that the cluster has given for a damaged one.
    pub fn replace_system_replica(&mut self, membership: Membership) -> Result<(), FolderError> {
        self.check_cluster(membership.cluster)?;
        self.change(|identity| identity.membership = Some(membership))
    }

    /// Whether the folder may be used with that cluster.
    pub fn check_cluster(&self, ours: ClusterId) -> Result<(), FolderError> {
        match &self.identity.membership {
            Some(known) if known.cluster != ours => Err(FolderError::OtherCluster {
                path: self.path.clone(),
                theirs: known.cluster,
                ours,
            }),
            _ => Ok(()),
        }
    }

    /// Keeps where the others are, for a start at which nobody else answers. Blocks.
    pub fn remember_peers(&mut self, peers: Vec<KnownPeer>) -> Result<(), FolderError> {
        if self.identity.peers == peers {
            return Ok(());
        }
        self.change(|identity| identity.peers = peers)
    }

    /// Notes which replicas are opened here, and which are not any more. Blocks.
    pub fn note_replicas(
        &mut self,
        opened: &[OpenedReplica],
        removed: &[OpenedReplica],
    ) -> Result<(), FolderError> {
        self.change(|identity| {
            identity.opened.extend(opened);
            identity.opened.retain(|replica| !removed.contains(replica));
        })
    }

    /// The change counts only once it is on disk.
    fn change(&mut self, change: impl FnOnce(&mut Identity)) -> Result<(), FolderError> {
        let mut changed = self.identity.clone();
        change(&mut changed);
        self.save(&changed)?;
        self.identity = changed;
        Ok(())
    }

    fn save(&self, identity: &Identity) -> Result<(), FolderError> {
        let file = self.path.join(IDENTITY_FILE);
        let bytes = identity.to_bytes();
        fs::replace(self.disk.as_ref(), &file, &bytes).map_err(failed("write identity", &file))
    }
}

fn known(disk: &dyn Disk, path: &Path, opener: Opener) -> Result<Identity, FolderError> {
    let file = path.join(IDENTITY_FILE);
    let bytes = fs::read(disk, &file).map_err(failed("read identity", &file))?;
    let mut identity = Identity::from_bytes(&bytes)
        .map_err(|source| FolderError::Damaged { path: file, source })?;
    if identity.name != opener.name {
        let (theirs, ours) = (identity.name, opener.name);
        return Err(FolderError::OtherName { path: path.to_owned(), theirs, ours });
    }
    identity.incarnation = Incarnation(identity.incarnation.0 + 1);
    Ok(identity)
}

fn fresh(path: &Path, names: &[String], opener: Opener) -> Result<Identity, FolderError> {
    let is_log = |name: &str| Path::new(name).extension().is_some_and(|end| end == "log");
    let strange = |name: &&String| !HARMLESS.contains(&name.as_str()) && !is_log(name);
    if let Some(found) = names.iter().find(strange) {
        return Err(FolderError::Nameless { path: path.to_owned(), found: found.clone() });
    }
    Ok(Identity {
        name: opener.name,
        folder: opener.fresh_bits,
        incarnation: Incarnation(1),
        membership: None,
        peers: Vec::new(),
        opened: std::collections::BTreeSet::new(),
    })
}

fn failed(verb: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FolderError {
    let path = path.to_owned();
    move |source| FolderError::Io { verb, path, source }
}
