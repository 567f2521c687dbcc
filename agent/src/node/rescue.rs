//! What is left of a cluster in the folders of its stopped agents, for the day that the system
//! shard's majority is gone for good, and with it everything that mends by itself.
//!
//! Invariant: of each shard the replica with the best log that can be read is taken, with all of
//! its log; a folder changes no more than at any start of its agent.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use evenkeel_shared::backup::{BackupKind, Manifest, ShardImage};
use evenkeel_shared::error::StoreError;
use evenkeel_shared::ids::{ClusterId, NodeId, ReplicaId, ShardId};
use evenkeel_shared::service::peer::Survivor;
use evenkeel_shared::version::Hlc;
use evenkeel_shared::view::{ClusterFacts, ShardFacts, ShardPhase};
use tokio_util::sync::CancellationToken;

use super::NodeError;
use super::files::{open_data, open_log};
use super::ledger::FolderLedger;
use super::ports::LatePulse;
use crate::backup::{Archive, ArchiveError, ImageWriter};
use crate::control::leader::put_image;
use crate::control::seal;
use crate::decide::elector::is_majority;
use crate::decide::facts::name;
use crate::env::Env;
use crate::folder::{Folder, FolderError, FolderLock, Membership, Opener};
use crate::rpc::identity::Identity;
use crate::rpc::links::Links;
use crate::store::group::{GroupPorts, Queued};
use crate::store::replicas::Replicas;
use crate::store::wal::{ReplicaKey, WalConfig};

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
    /// A shard can't be read or written.
    #[error(transparent)]
    Shard(#[from] StoreError),
}

/// One copy of a shard, and how far it goes.
#[derive(Clone, Debug)]
pub struct Copy {
    /// Whose.
    pub node: String,
    /// The replica.
    pub replica: ReplicaId,
    /// The last entry of its log, as (term, index).
    pub last: (u64, u64),
    /// The last entry that it knew to be committed.
    pub applied: u64,
}

/// What is left of one shard.
#[derive(Clone, Debug)]
pub struct Left {
    /// The shard.
    pub shard: ShardId,
    /// Its keyspace, by name.
    pub keyspace: String,
    /// The copies in the folders, the best log first.
    pub copies: Vec<Copy>,
    /// Voters that are not among them.
    pub missing: Vec<String>,
    /// Whether a majority of its voters is: then every write that a quorum acknowledged is, too.
    pub whole: bool,
}

/// The backup that was made of it.
#[derive(Clone, Debug)]
pub struct Rescued {
    /// Its id.
    pub id: String,
    /// Shards in it.
    pub shards: usize,
    /// Records in them.
    pub records: u64,
    /// Bytes of them all.
    pub bytes: u64,
}

impl Rescued {
    fn of(manifest: Manifest) -> Self {
        let images = &manifest.shards;
        Self {
            shards: images.len(),
            records: images.iter().map(|image| image.records).sum(),
            bytes: images.iter().flat_map(|image| &image.chunks).map(|chunk| chunk.bytes).sum(),
            id: manifest.id,
        }
    }
}

/// Stopped agents' folders, opened.
pub struct Rescue {
    env: Env,
    facts: Arc<ClusterFacts>,
    opened: BTreeMap<NodeId, Opened>,
    /// What was found damaged, a sentence each.
    pub troubles: Vec<String>,
}

struct Opened {
    path: PathBuf,
    replicas: Arc<Replicas>,
    _lock: FolderLock,
}

impl Rescue {
    /// Opens the folders and finds out what the cluster was.
    pub async fn open(env: Env, folders: &[PathBuf]) -> Result<Self, RescueError> {
        let mut opened: BTreeMap<NodeId, Opened> = BTreeMap::new();
        let mut troubles = Vec::new();
        let mut facts: Option<(Survivor, Arc<ClusterFacts>)> = None;
        let mut first = None;
        for path in folders {
            let (one, membership) = open_one(&env, path).await?;
            let ours = *first.get_or_insert(membership.cluster);
            if membership.cluster != ours {
                let (folder, theirs) = (path.clone(), membership.cluster);
                return Err(RescueError::Others { folder, theirs, ours });
            }
            match read_facts(&one.replicas, membership).await {
                Ok((survivor, read)) => {
                    let rank = |of: &Survivor| (of.last, of.applied);
                    if facts.as_ref().is_none_or(|(best, _)| rank(&survivor) > rank(best)) {
                        facts = Some((survivor, read));
                    }
                }
                Err(why) => troubles.push(format!("system shard in {}: {why}", path.display())),
            }
            let other = opened.insert(membership.node, one);
            if let Some(other) = other {
                return Err(RescueError::Twice(other.path, path.clone()));
            }
        }
        let Some((_, facts)) = facts else { return Err(RescueError::NoFacts) };
        for (node, one) in &opened {
            for (key, error) in one.replicas.open_survivors(*node, &facts).await {
                troubles.push(format!("{} of {}: {error}", key.shard, name(&facts, *node)));
            }
        }
        Ok(Self { env, facts, opened, troubles })
    }

    /// Whose data it is.
    pub fn cluster(&self) -> ClusterId {
        self.facts.cluster
    }

    /// Nodes of the cluster whose folders are here, and those whose folders are not.
    pub fn nodes(&self) -> (Vec<String>, Vec<String>) {
        let (here, gone): (Vec<_>, Vec<_>) =
            self.facts.nodes.values().partition(|node| self.opened.contains_key(&node.id));
        let names = |nodes: Vec<&evenkeel_shared::view::NodeFacts>| {
            nodes.into_iter().map(|node| node.name.clone()).collect()
        };
        (names(here), names(gone))
    }

    /// What is left of each shard that served.
    pub fn left(&self) -> Vec<Left> {
        self.serving().map(|shard| self.left_of(shard)).collect()
    }

    fn serving(&self) -> impl Iterator<Item = &ShardFacts> {
        let data = self.facts.shards.values().filter(|shard| !shard.id.is_system());
        data.filter(|shard| shard.phase == ShardPhase::Serving)
    }

    fn left_of(&self, shard: &ShardFacts) -> Left {
        let held = self.opened.values().filter_map(|one| one.replicas.get(shard.id));
        let mut held: Vec<_> = held.map(|group| (group.survivor(), group)).collect();
        held.sort_by_key(|(survivor, _)| std::cmp::Reverse((survivor.last, survivor.applied)));
        let named = |replica: ReplicaId| name(&self.facts, replica.node());
        let members = held.first().map(|(_, best)| best.status().members);
        let here: BTreeSet<ReplicaId> = held.iter().map(|(survivor, _)| survivor.replica).collect();
        let voters = members.as_ref().map_or_else(
            || shard.replicas.keys().copied().collect(),
            |members| members.voters.clone(),
        );
        Left {
            shard: shard.id,
            keyspace: self
                .facts
                .keyspaces
                .get(&shard.keyspace)
                .map_or_else(|| shard.keyspace.to_string(), |keyspace| keyspace.name.clone()),
            copies: held
                .iter()
                .map(|(survivor, _)| Copy {
                    node: named(survivor.replica),
                    replica: survivor.replica,
                    last: survivor.last,
                    applied: survivor.applied,
                })
                .collect(),
            missing: voters.into_iter().filter(|it| !here.contains(it)).map(named).collect(),
            whole: members.is_some_and(|members| is_majority(&members.effective, &here)),
        }
    }

    /// Writes the best copy of every shard into an archive, and nothing in the place of those of
    /// which nothing is left; `told` hears of each shard that is written.
    pub async fn write(
        &mut self,
        archive: &str,
        mut told: impl FnMut(&ShardImage),
    ) -> Result<Rescued, RescueError> {
        let store = Archive::open(archive)?;
        let (mut images, mut cut) = (Vec::new(), Hlc::default());
        let mut troubles = Vec::new();
        for shard in self.serving() {
            let mut image = None;
            for copy in self.left_of(shard).copies {
                match self.write_copy(&store, shard.id, copy.replica).await {
                    Ok((written, until)) => {
                        cut = cut.max(until);
                        image = Some(written);
                        break;
                    }
                    Err(error) => troubles.push(format!("{} of {}: {error}", shard.id, copy.node)),
                }
            }
            let image = match image {
                Some(image) => image,
                None => nothing(&store, shard).await?,
            };
            told(&image);
            images.push(image);
        }
        let manifest =
            seal(&self.env, &store, &self.facts, (BackupKind::Rescued, images), cut).await?;
        self.troubles.extend(troubles);
        Ok(Rescued::of(manifest))
    }

    async fn write_copy(
        &self,
        store: &Archive,
        shard: ShardId,
        replica: ReplicaId,
    ) -> Result<(ShardImage, Hlc), StoreError> {
        let one = self.opened.get(&replica.node());
        let group = one.and_then(|one| one.replicas.get(shard));
        let gone = || StoreError::Unavailable { why: format!("{replica} is closed") };
        let group = group.ok_or_else(gone)?;
        let salvage = group.salvage().await?;
        let image =
            salvage.image().map_err(|error| StoreError::Unavailable { why: error.to_string() })?;
        Ok((put_image(&self.env, store, group.key(), &image).await?, image.hlc()))
    }

    /// Closes the folders again.
    pub async fn close(self) {
        futures::future::join_all(self.opened.values().map(|one| one.replicas.close())).await;
    }
}

/// Opens one folder, as its agent would, but for the network.
async fn open_one(env: &Env, path: &Path) -> Result<(Opened, Membership), RescueError> {
    let (disk, data) = (env.disk.clone(), path.to_owned());
    let known = env.work.run(move || Folder::whose(disk.as_ref(), &data)).await?;
    let lock = FolderLock::acquire(path)?;
    let (disk, data) = (env.disk.clone(), path.to_owned());
    let opener = Opener { name: known, fresh_bits: 0 };
    let folder = env.work.run(move || Folder::open(disk, &data, opener)).await?;
    let identity = folder.identity().clone();
    let membership =
        identity.membership.ok_or_else(|| RescueError::NeverJoined(path.to_owned()))?;
    let failed =
        |source: NodeError| RescueError::Open { folder: path.to_owned(), source: Box::new(source) };
    let wal = open_log(env, path, WalConfig::default()).await.map_err(failed)?;
    let engine = open_data(env, path, None).await.map_err(failed)?;
    let caller = Arc::new(Identity::new(identity.name, identity.incarnation));
    // It dials nobody: no address is ever told to it.
    let (links, _) = Links::new(env.clone(), caller, CancellationToken::new());
    let ports = GroupPorts {
        env: env.clone(),
        wal,
        link: Arc::new(links),
        lease: Arc::new(LatePulse::default()),
        queued: Queued::default(),
    };
    let ledger = FolderLedger { folder: Arc::new(Mutex::new(folder)), work: env.work.clone() };
    let replicas = Arc::new(Replicas::new(ports, engine, Arc::new(ledger)));
    Ok((Opened { path: path.to_owned(), replicas, _lock: lock }, membership))
}

/// What the folder's copy of the system shard says, all of its log included.
async fn read_facts(
    replicas: &Replicas,
    membership: Membership,
) -> Result<(Survivor, Arc<ClusterFacts>), String> {
    let (history, replica) = (membership.system_history, membership.system_replica);
    let key = ReplicaKey { shard: ShardId::SYSTEM, history, replica };
    let group = replicas.open(key).await.map_err(|error| error.to_string())?;
    let salvage = group.salvage().await.map_err(|error| error.to_string())?;
    let facts = salvage.facts().ok_or("it holds nothing yet")?;
    Ok((group.survivor(), facts))
}

/// An empty image, for a shard of which nothing is left: its keys can be written again.
async fn nothing(store: &Archive, shard: &ShardFacts) -> Result<ShardImage, ArchiveError> {
    let part = ImageWriter::new(store).finish().await?;
    Ok(ShardImage {
        shard: shard.id,
        keyspace: shard.keyspace,
        history: shard.history,
        slots: shard.slots.clone(),
        index: 0,
        records: part.records,
        content_hash: part.content_hash,
        chunks: part.chunks,
    })
}
