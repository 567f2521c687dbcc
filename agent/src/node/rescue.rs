//! What is left of a cluster in the folders of its stopped agents, for the day that the system
//! shard's majority is gone for good, and with it everything that mends by itself.
//!
//! Invariant: of each shard the replica with the best log that can be read is taken, with all of
//! its log; what is left out is named. A folder changes no more than at any start of its agent.

mod error;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use evenkeel_shared::ids::{ClusterId, NodeId, ReplicaId, ShardId};
use evenkeel_shared::service::peer::Survivor;
use evenkeel_shared::view::{ClusterFacts, ShardFacts, ShardPhase};
use tokio_util::sync::CancellationToken;

use super::NodeError;
use super::files::{open_data_as_it_is, open_log};
use super::ledger::FolderLedger;
use super::ports::LatePulse;
use crate::decide::elector::is_majority;
use crate::decide::facts::name;
use crate::env::Env;
use crate::folder::{Folder, FolderLock, Membership, Opener};
use crate::rpc::identity::Identity;
use crate::rpc::links::Links;
use crate::store::group::{Group, GroupPorts, Queued};
use crate::store::replicas::Replicas;
use crate::store::wal::{ReplicaKey, WalConfig};

pub use error::RescueError;
pub use write::Rescued;

/// How long a replica may take to know its members.
const READY_MAX: Duration = Duration::from_secs(5);
/// Shards that one sentence names.
const NAMED_MAX: usize = 10;

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
    /// Its keyspace, by name; the system shard has none.
    pub keyspace: String,
    /// The copies in the folders that are not empty, the best log first.
    pub copies: Vec<Copy>,
    /// Voters that are not among them.
    pub missing: Vec<String>,
    /// Whether a majority of its voters is: then every write that a quorum acknowledged is, too.
    pub whole: bool,
}

/// Stopped agents' folders, opened.
pub struct Rescue {
    env: Env,
    facts: Arc<ClusterFacts>,
    opened: BTreeMap<NodeId, Opened>,
    /// Copies that could not be opened, each with the reason.
    unopened: BTreeMap<ShardId, Vec<String>>,
    /// What was found damaged or is left out, a sentence each.
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
        let mut unopened: BTreeMap<ShardId, Vec<String>> = BTreeMap::new();
        for (node, one) in &opened {
            let called = name(&facts, *node);
            for (key, error) in one.replicas.open_survivors(*node, &facts).await {
                troubles.push(format!("{} of {called}: {error}", key.shard));
                let why = format!("the copy of {called}: {error}");
                unopened.entry(key.shard).or_default().push(why);
            }
            let unknown = one.replicas.unknown_to(&facts);
            if !unknown.is_empty() {
                let shards: Vec<_> =
                    unknown.iter().take(NAMED_MAX).map(|key| key.shard.to_string()).collect();
                let more = unknown.len().saturating_sub(NAMED_MAX);
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                troubles.push(format!(
                    "{}{more} of {called}: the system shard's copies here don't know them",
                    shards.join(", ")
                ));
            }
            one.ready().await;
        }
        Ok(Self { env, facts, opened, unopened, troubles })
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

    /// The same of the system shard: what was created or moved after its end is not known.
    pub fn facts_left(&self) -> Option<Left> {
        self.facts.shards.get(&ShardId::SYSTEM).map(|shard| self.left_of(shard))
    }

    fn serving(&self) -> impl Iterator<Item = &ShardFacts> {
        let data = self.facts.shards.values().filter(|shard| !shard.id.is_system());
        data.filter(|shard| shard.phase == ShardPhase::Serving)
    }

    fn left_of(&self, shard: &ShardFacts) -> Left {
        let held = self.opened.values().filter_map(|one| one.replicas.get(shard.id));
        let mut held: Vec<_> = held.map(|group| (group.survivor(), group)).collect();
        held.retain(|(survivor, _)| survivor.last > (0, 0));
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
                .map_or_else(|| "-".to_owned(), |keyspace| keyspace.name.clone()),
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

    /// Closes the folders again.
    pub async fn close(self) {
        futures::future::join_all(self.opened.values().map(|one| one.replicas.close())).await;
    }
}

impl Opened {
    /// Waits until each replica that has a log knows its members: its core says so a moment later.
    async fn ready(&self) {
        let knows = |group: &Arc<Group>| {
            group.survivor().last == (0, 0) || !group.status().members.voters.is_empty()
        };
        let all = async {
            while !self.replicas.all().iter().all(knows) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        // Without members a shard counts as not whole, which errs on the safe side.
        let _ = tokio::time::timeout(READY_MAX, all).await;
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
    let engine = open_data_as_it_is(env, path).await.map_err(failed)?;
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
