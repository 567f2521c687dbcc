//! Coming into a cluster: back into the one that the folder names, into one that a seed names, or
//! into a new one.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use evenkeel_shared::error::{StoreError, WireError};
use evenkeel_shared::ids::{ClusterId, History, NodeId, ReplicaId};
use evenkeel_shared::service::peer::{PeerClient, PeerRequest, PeerResponse};
use evenkeel_shared::view::{Admission, JoinRequest};
use evenkeel_shared::wire::connection;
use evenkeel_shared::wire::deadline::Deadline;
use evenkeel_shared::wire::hello::{self, Hello, Lane, Service};

use super::NodeError;
use crate::config::{Address, Config, Entry};
use crate::env::Env;
use crate::folder::{Folder, FolderError, KnownPeer, Membership};
use crate::rpc::identity::Identity;

/// Between two rounds of asking all seeds.
const ASK_AGAIN: Duration = Duration::from_millis(200);
/// How long one seed may take to admit us: it may wait for an election itself.
const ADMIT_MAX: Duration = Duration::from_secs(5);
/// How long a node that comes back waits to hear which cluster its seeds belong to.
const SEEDS_MAX: Duration = Duration::from_millis(500);
/// Rounds after which silence is said aloud.
const ROUNDS_QUIET: u32 = 25;
/// Rounds that a node which may also found a cluster waits for a seed to answer.
const ROUNDS_BEFORE_FOUNDING: u32 = 5;

/// What is needed to come in.
pub(super) struct Entrance<'a> {
    pub(super) env: &'a Env,
    pub(super) config: &'a Config,
    pub(super) identity: &'a Arc<Identity>,
    pub(super) request: JoinRequest,
}

/// What one seed said.
enum Said {
    Admitted(Box<Admission>),
    /// It answers, and belongs to no cluster yet.
    NoClusterYet,
    /// It does not answer, or can't say yet.
    Nothing(String),
    /// It said no, and will again.
    No(String),
}

impl Entrance<'_> {
    /// Comes in, waiting as long as it takes, and keeps what the cluster said in the folder.
    pub(super) async fn enter(&self, folder: &mut Folder) -> Result<Membership, NodeError> {
        let known = folder.identity().membership;
        match self.config.entry(known.is_some())? {
            Entry::Return => {
                let known = known.expect("entry returns only where a membership is known");
                self.check_seeds_are_of(folder, known.cluster).await?;
                Ok(known)
            }
            Entry::Found(_) => self.found(folder),
            Entry::Join(seeds) => {
                let admission = self.ask(&seeds, None, u32::MAX).await?;
                let admission = admission.expect("the rounds don't run out");
                keep(folder, &admission)
            }
            Entry::JoinOrFound(seeds, _) => {
                match self.ask(&seeds, None, ROUNDS_BEFORE_FOUNDING).await? {
                    Some(admission) => keep(folder, &admission),
                    None => self.found(folder),
                }
            }
        }
    }

    /// Founds a cluster: this is its first node, and the first voter of its system shard.
    fn found(&self, folder: &mut Folder) -> Result<Membership, NodeError> {
        let rng = &self.env.rng;
        let high = u128::from(rng.next_u64()) << 64;
        let membership = Membership {
            cluster: ClusterId(high | u128::from(rng.next_u64())),
            node: NodeId(1),
            system_replica: ReplicaId::new(NodeId(1), 1),
            system_history: History { number: 1, salt: rng.next_u64() },
        };
        folder.admit(membership)?;
        tracing::info!(cluster = %membership.cluster, "founded a cluster");
        Ok(membership)
    }

    /// Comes back in with a new copy of the system shard, since the old one is damaged; waits until
    /// the others can agree to that.
    pub(super) async fn readmit(
        &self,
        folder: &Mutex<Folder>,
        membership: Membership,
    ) -> Result<Membership, NodeError> {
        let mut seeds = self.config.join.clone();
        {
            let folder = folder.lock().expect("no holder of this lock panics");
            let peers = &folder.identity().peers;
            seeds.extend(peers.iter().filter_map(|peer| peer.addresses.rpc.parse().ok()));
        }
        let request = JoinRequest {
            known_as: Some((membership.cluster, membership.node)),
            ..self.request.clone()
        };
        let entrance = Entrance { request, ..*self };
        let lost = membership.system_replica;
        let admission = entrance.ask(&seeds, Some(lost), u32::MAX).await?;
        let admission = admission.expect("the rounds don't run out");
        let replaced = Membership::from(&admission);
        let mut folder = folder.lock().expect("no holder of this lock panics");
        folder.replace_system_replica(replaced)?;
        Ok(replaced)
    }

    /// Asks the seeds in turn, round after round.
    async fn ask(
        &self,
        seeds: &[Address],
        lost: Option<ReplicaId>,
        rounds: u32,
    ) -> Result<Option<Admission>, NodeError> {
        for round in 1..=rounds {
            let mut last = String::new();
            for seed in seeds {
                match self.ask_one(&seed.to_string(), lost).await {
                    Said::Admitted(admission) => {
                        self.check_one_cluster(seeds, admission.cluster).await?;
                        return Ok(Some(*admission));
                    }
                    Said::No(why) => return Err(NodeError::TurnedAway { why }),
                    Said::NoClusterYet => last = format!("{seed} belongs to no cluster yet"),
                    Said::Nothing(why) => last = why,
                }
            }
            if round % ROUNDS_QUIET == 0 {
                tracing::warn!(last, "no seed has let us in yet: still asking");
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
        Ok(None)
    }

    async fn ask_one(&self, seed: &str, lost: Option<ReplicaId>) -> Said {
        let hello = Hello {
            cluster: None,
            caller: self.identity.caller(),
            service: Service::Peer(Lane::Bulk),
        };
        let (_, frames) = match hello::call(self.env.net.as_ref(), seed, hello).await {
            Ok(answered) => answered,
            Err(WireError::TurnedAway { why, .. }) if why.contains("has not joined") => {
                return Said::NoClusterYet;
            }
            Err(error) => return Said::Nothing(error.to_string()),
        };
        let (channel, connection) = connection::open::<PeerRequest, PeerResponse>(frames);
        tokio::spawn(connection.run());
        let client = PeerClient::from(channel);
        let context = Deadline::after(ADMIT_MAX).context();
        let answer = match lost {
            None => client.join(context, self.request.clone()).await,
            Some(lost) => client.readmit(context, self.request.clone(), lost).await,
        };
        match answer {
            Ok(Ok(admission)) => Said::Admitted(Box::new(admission)),
            Ok(Err(StoreError::Refused { why })) => Said::No(why),
            Ok(Err(error)) => Said::Nothing(format!("{seed}: {error}")),
            Err(error) => Said::Nothing(format!("{seed}: {error}")),
        }
    }

    /// Seeds of different clusters are a mistake that must not be decided by who answers first.
    async fn check_one_cluster(&self, seeds: &[Address], ours: ClusterId) -> Result<(), NodeError> {
        for (seed, theirs) in self.clusters_of(seeds).await {
            if theirs != ours {
                let why = format!(
                    "the seeds belong to different clusters: {seed} to {theirs}, another to \
                     {ours}; name seeds of one cluster"
                );
                return Err(NodeError::TurnedAway { why });
            }
        }
        Ok(())
    }

    /// Whoever says `--join` means that cluster: a folder of another one must not serve quietly. A
    /// seed that does not answer says nothing, and holds nobody up.
    async fn check_seeds_are_of(&self, folder: &Folder, ours: ClusterId) -> Result<(), NodeError> {
        let asked = self.clusters_of(&self.config.join);
        let answers = tokio::time::timeout(SEEDS_MAX, asked).await.unwrap_or_default();
        match answers.into_iter().find(|(_, theirs)| *theirs != ours) {
            None => Ok(()),
            Some((seed, theirs)) => Err(FolderError::SeedOfOtherCluster {
                path: folder.path().to_owned(),
                ours,
                seed: seed.to_string(),
                theirs,
            }
            .into()),
        }
    }

    /// Which cluster each seed belongs to, of those that answer and belong to one.
    async fn clusters_of<'s>(&self, seeds: &'s [Address]) -> Vec<(&'s Address, ClusterId)> {
        let asked = seeds.iter().map(|seed| async move {
            let hello =
                Hello { cluster: None, caller: self.identity.caller(), service: Service::Store };
            let called = hello::call(self.env.net.as_ref(), &seed.to_string(), hello).await;
            called.ok().and_then(|(welcome, _)| Some((seed, welcome.cluster?)))
        });
        futures::future::join_all(asked).await.into_iter().flatten().collect()
    }
}

fn keep(folder: &mut Folder, admission: &Admission) -> Result<Membership, NodeError> {
    let membership = Membership::from(admission);
    folder.admit(membership)?;
    let peers = admission
        .peers
        .iter()
        .map(|(node, addresses)| KnownPeer { node: *node, addresses: addresses.clone() });
    folder.remember_peers(peers.collect())?;
    Ok(membership)
}
