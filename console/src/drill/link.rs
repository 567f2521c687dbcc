//! How a drill reaches the cluster: through any agent that it has not taken away itself.
//!
//! An agent that says nothing is passed over after a moment: it may be the very one that is frozen.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use evenkeel_shared::client::{Pool, StoreClientConfig, StoreHandle};
use evenkeel_shared::error::{AdminError, with_causes};
use evenkeel_shared::event::Event;
use evenkeel_shared::ids::{ClientId, KeyspaceId, NodeId};
use evenkeel_shared::limits::DEADLINE_DEFAULT;
use evenkeel_shared::preflight::{Action, Harm, Outcome, Preflight};
use evenkeel_shared::service::admin::AdminClient;
use evenkeel_shared::view::ClusterView;
use evenkeel_shared::wire::deadline::Deadline;

use super::error::DrillError;

/// The keyspace that every cluster has from its first day.
const DEFAULT_KEYSPACE: KeyspaceId = KeyspaceId(1);
/// How long a connection may take to open.
const DIAL_MAX: Duration = Duration::from_secs(1);
/// How long one agent may take to answer a question.
const ANSWER_MAX: Duration = Duration::from_secs(3);
/// How long an act may take.
const ACT_MAX: Duration = Duration::from_secs(60);
/// A pre-flight grows stale when the cluster moves: how often to compute it anew.
const STALE_MAX: u32 = 10;

/// The way to the cluster. Cloning shares what is known of it.
#[derive(Clone)]
pub(crate) struct Link {
    pool: Pool,
    seeds: Vec<String>,
    known: Arc<Mutex<Known>>,
}

#[derive(Default)]
struct Known {
    addresses: BTreeMap<NodeId, String>,
    away: BTreeSet<NodeId>,
}

/// How an act came out that may outlive its request.
pub(crate) enum Acted {
    /// Done.
    Done(Outcome),
    /// Not answered in time: it may be under way.
    Unanswered(String),
}

impl Link {
    /// A way through these agents, and through others once they are known.
    pub(crate) fn new(pool: Pool, seeds: Vec<String>) -> Self {
        Self { pool, seeds, known: Arc::default() }
    }

    /// Reads and writes, as a client of its own.
    pub(crate) fn store(&self) -> StoreHandle {
        let config = StoreClientConfig {
            seeds: self.seeds.clone(),
            client: ClientId(crate::random::bits()),
            keyspace: DEFAULT_KEYSPACE,
            sync: None,
            timeout: DEADLINE_DEFAULT,
            unix_ms: Arc::new(crate::clock::unix_ms),
        };
        StoreHandle::new(self.pool.clone(), config)
    }

    /// These nodes are not asked, until [`Self::back`].
    pub(crate) fn away(&self, nodes: &[NodeId]) {
        self.known().away.extend(nodes);
    }

    /// All nodes are asked again.
    pub(crate) fn back(&self) {
        self.known().away.clear();
    }

    /// The cluster, as some agent sees it.
    pub(crate) async fn view(&self) -> Result<ClusterView, DrillError> {
        let ask = |client: AdminClient, deadline: Deadline| async move {
            client.view(deadline.context()).await
        };
        let view = self.ask(ANSWER_MAX, ask).await?;
        let addresses = view.nodes.iter().map(|node| (node.id, node.addresses.rpc.clone()));
        self.known().addresses = addresses.collect();
        Ok(view)
    }

    /// Journal lines above this number, oldest first.
    pub(crate) async fn events(&self, after: u64) -> Result<Vec<Event>, DrillError> {
        let ask = |client: AdminClient, deadline: Deadline| async move {
            client.events(deadline.context(), after).await
        };
        self.ask(ANSWER_MAX, ask).await
    }

    /// What an act would do.
    pub(crate) async fn preflight(&self, action: &Action) -> Result<Preflight, DrillError> {
        let ask = |client: AdminClient, deadline: Deadline| {
            let action = action.clone();
            async move { client.preflight(deadline.context(), action).await }
        };
        // A refusal that may pass is waited out for three seconds by the agent.
        Ok(self.ask(ANSWER_MAX * 2, ask).await??)
    }

    /// Does it at the revision of a pre-flight that harms no more than allowed.
    pub(crate) async fn act(
        &self,
        action: &Action,
        allowed: Harm,
        actor: &str,
    ) -> Result<String, DrillError> {
        match self.begin(action, allowed, actor).await? {
            Acted::Done(outcome) => Ok(outcome.what),
            Acted::Unanswered(why) => Err(DrillError::unreachable(why)),
        }
    }

    /// The same, for an act that may go on when its request is not answered in time.
    pub(crate) async fn begin(
        &self,
        action: &Action,
        allowed: Harm,
        actor: &str,
    ) -> Result<Acted, DrillError> {
        let mut stale = 0;
        loop {
            let (client, address) = self.agent().await?;
            let context = Deadline::after(ANSWER_MAX * 2).context();
            let answer = client.preflight(context, action.clone()).await;
            let flight = answer
                .map_err(|error| DrillError::unreachable(format!("{address}: {error}")))??;
            check(&flight, allowed)?;
            let context = Deadline::after(ACT_MAX).context();
            let acted = client.act(context, action.clone(), flight.revision, actor.to_owned());
            match acted.await {
                Ok(Ok(outcome)) => return Ok(Acted::Done(outcome)),
                Ok(Err(AdminError::Stale { .. })) if stale < STALE_MAX => stale += 1,
                Ok(Err(AdminError::Unavailable { why })) => return Ok(Acted::Unanswered(why)),
                Ok(Err(error)) => return Err(error.into()),
                Err(error) => return Ok(Acted::Unanswered(format!("{address}: {error}"))),
            }
        }
    }

    /// An agent that answers. Its revision and its plans belong together.
    async fn agent(&self) -> Result<(AdminClient, String), DrillError> {
        let mut reasons = Vec::new();
        for address in self.addresses() {
            let Some(client) = self.dial(&address, &mut reasons).await else { continue };
            // One that is frozen has an open connection, too.
            match client.view(Deadline::after(ANSWER_MAX).context()).await {
                Ok(_) => return Ok((client, address)),
                Err(error) => reasons.push(format!("{address}: {error}")),
            }
        }
        Err(nobody(&reasons))
    }

    async fn ask<T, E: std::error::Error, F: Future<Output = Result<T, E>>>(
        &self,
        most: Duration,
        call: impl Fn(AdminClient, Deadline) -> F,
    ) -> Result<T, DrillError> {
        let mut reasons = Vec::new();
        for address in self.addresses() {
            let Some(client) = self.dial(&address, &mut reasons).await else { continue };
            match call(client, Deadline::after(most)).await {
                Ok(answer) => return Ok(answer),
                Err(error) => reasons.push(format!("{address}: {error}")),
            }
        }
        Err(nobody(&reasons))
    }

    async fn dial(&self, address: &str, reasons: &mut Vec<String>) -> Option<AdminClient> {
        match tokio::time::timeout(DIAL_MAX, self.pool.admin(address)).await {
            Ok(Ok(client)) => Some(client),
            Ok(Err(error)) => {
                reasons.push(with_causes(&error));
                None
            }
            Err(_) => {
                reasons.push(format!("{address} does not answer"));
                None
            }
        }
    }

    /// Where agents are, those that were named first; those that the drill has taken away are left
    /// out.
    fn addresses(&self) -> Vec<String> {
        let known = self.known();
        let away: Vec<&String> =
            known.away.iter().filter_map(|node| known.addresses.get(node)).collect();
        let mut all: Vec<String> = Vec::new();
        for address in self.seeds.iter().chain(known.addresses.values()) {
            if !away.contains(&address) && !all.contains(address) {
                all.push(address.clone());
            }
        }
        all
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().expect("no holder of this lock panics")
    }
}

/// Whether a pre-flight allows its act.
fn check(flight: &Preflight, allowed: Harm) -> Result<(), DrillError> {
    if let Some(why) = &flight.refused {
        let safer = flight.safer.clone().unwrap_or_default();
        return Err(DrillError::refused(format!("{}: {why}", flight.title), safer));
    }
    if flight.harm > allowed {
        return Err(DrillError::refused(
            format!("{} would break something by now", flight.title),
            "`evenkeel status`: the cluster must be whole",
        ));
    }
    Ok(())
}

fn nobody(reasons: &[String]) -> DrillError {
    DrillError::unreachable(format!("no agent answers ({})", reasons.join("; ")))
}
