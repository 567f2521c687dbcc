//! What a command needs to reach the cluster: seeds, one pool of connections, one deadline.
//!
//! It keeps no state of the cluster: every command asks anew.

use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use evenkeel_shared::client::{Pool, PoolConfig, StoreClientConfig, StoreHandle};
use evenkeel_shared::error::with_causes;
use evenkeel_shared::ids::{ClientId, KeyspaceId, NodeId};
use evenkeel_shared::limits::DEADLINE_DEFAULT;
use evenkeel_shared::service::admin::AdminClient;
use evenkeel_shared::view::{ClusterView, NodeView, Recovery};
use evenkeel_shared::wire::deadline::Deadline;
use evenkeel_shared::wire::hello::Caller;
use evenkeel_shared::wire::tcp::Tcp;
use futures::StreamExt;
use futures::stream::FuturesUnordered;

use super::CliError;
use super::arguments::Global;
use crate::drill::Link;

/// The keyspace that every cluster has from its first day.
const DEFAULT_KEYSPACE: KeyspaceId = KeyspaceId(1);

/// One run of a command.
#[derive(Clone)]
pub(crate) struct Session {
    pool: Pool,
    global: Global,
}

/// An agent that answers operators. Its revision and its plans belong together.
#[derive(Clone)]
pub(crate) struct Operator {
    /// The connection.
    pub(crate) client: AdminClient,
    /// Where it is.
    pub(crate) address: String,
}

impl Session {
    /// A session with these flags.
    pub(crate) fn new(global: &Global) -> Self {
        let config = PoolConfig {
            dial: Arc::new(Tcp),
            caller: Caller::Client("evenkeel command line".into()),
            cluster: None,
        };
        Self { pool: Pool::new(config), global: global.clone() }
    }

    /// A session with the agents of a demo.
    pub(crate) fn with_seeds(seeds: Vec<String>) -> Self {
        Self::new(&Global { connect: seeds, json: false, timeout: None, yes: false })
    }

    /// The same session, which also asks the nodes of this view: one that was named may die.
    pub(crate) fn with_nodes_of(&self, view: &ClusterView) -> Self {
        let mut wider = self.clone();
        for node in &view.nodes {
            if !wider.global.connect.contains(&node.addresses.rpc) {
                wider.global.connect.push(node.addresses.rpc.clone());
            }
        }
        wider
    }

    /// Agents to begin with.
    pub(crate) fn seeds(&self) -> &[String] {
        &self.global.connect
    }

    /// Whether answers are JSON.
    pub(crate) fn json(&self) -> bool {
        self.global.json
    }

    /// Whether the operator has agreed beforehand.
    pub(crate) fn agreed(&self) -> bool {
        self.global.yes
    }

    /// How long to go on trying, when nothing else was said.
    pub(crate) fn timeout_or(&self, default: Duration) -> Duration {
        self.global.timeout.unwrap_or(default)
    }

    /// How long one request may take.
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout_or(DEADLINE_DEFAULT)
    }

    /// Reads and writes, as a client of its own.
    pub(crate) fn store(&self) -> StoreHandle {
        let config = StoreClientConfig {
            seeds: self.global.connect.clone(),
            client: ClientId(crate::random::bits()),
            keyspace: DEFAULT_KEYSPACE,
            sync: None,
            timeout: self.timeout(),
            unix_ms: Arc::new(crate::clock::unix_ms),
        };
        StoreHandle::new(self.pool.clone(), config)
    }

    /// The way for a drill.
    pub(crate) fn link(&self) -> Link {
        Link::new(self.pool.clone(), self.global.connect.clone())
    }

    /// The first agent that answers.
    pub(crate) async fn operator(&self) -> Result<Operator, CliError> {
        self.operator_but(&[], self.timeout()).await
    }

    /// The first agent that answers, those left out that have not.
    async fn operator_but(
        &self,
        silent: &[String],
        timeout: Duration,
    ) -> Result<Operator, CliError> {
        let asked = self.global.connect.iter().filter(|address| !silent.contains(address));
        let mut dials: FuturesUnordered<_> =
            asked.map(|address| async move { (address, self.pool.admin(address).await) }).collect();
        let mut reasons = Vec::new();
        let race = async {
            while let Some((address, dialled)) = dials.next().await {
                match dialled {
                    Ok(client) => return Some(Operator { client, address: address.clone() }),
                    Err(error) => reasons.push(with_causes(&error)),
                }
            }
            None
        };
        match tokio::time::timeout(timeout, race).await {
            Ok(Some(operator)) => Ok(operator),
            Ok(None) => Err(nobody(&reasons.join("; "))),
            Err(_) => Err(nobody(&format!("no answer within {}", super::format::span(timeout)))),
        }
    }

    /// The agent at this address.
    pub(crate) async fn operator_at(&self, address: &str) -> Result<Operator, CliError> {
        let dialled = tokio::time::timeout(self.timeout(), self.pool.admin(address)).await;
        match dialled {
            Ok(Ok(client)) => Ok(Operator { client, address: address.to_owned() }),
            Ok(Err(error)) => Err(nobody(&with_causes(&error))),
            Err(_) => Err(nobody(&format!("{address} does not answer"))),
        }
    }

    /// The cluster, as the first agent that answers sees it. One that dies before it has answered, or
    /// stands still, is not the last that can be asked.
    pub(crate) async fn view(&self) -> Result<ClusterView, CliError> {
        let by = Deadline::after(self.timeout());
        let mut operator = self.operator().await?;
        let mut silent = Vec::new();
        loop {
            silent.push(operator.address.clone());
            let others = self.global.connect.iter().any(|address| !silent.contains(address));
            // Whoever is asked next must have time to answer.
            let wait = if others { by.remaining() / 2 } else { by.remaining() };
            let answer = operator.view(wait).await;
            if answer.is_ok() || !others || by.is_over() {
                return answer;
            }
            operator = match self.operator_but(&silent, by.remaining()).await {
                Ok(another) => another,
                // It was slow, perhaps, and is all that there is.
                Err(_) => return operator.view(by.remaining()).await,
            };
        }
    }
}

impl Operator {
    /// The cluster as this agent sees it.
    pub(crate) async fn view(&self, timeout: Duration) -> Result<ClusterView, CliError> {
        let answer = self.client.view(Deadline::after(timeout).context()).await;
        answer.map_err(|error| self.silent(&error))
    }

    /// What operators have declared of recovery.
    pub(crate) async fn recovery(&self, timeout: Duration) -> Result<Recovery, CliError> {
        let answer = self.client.recovery(Deadline::after(timeout).context()).await;
        answer.map_err(|error| self.silent(&error))
    }

    /// A request that was not answered.
    pub(crate) fn silent(&self, error: &dyn std::error::Error) -> CliError {
        CliError::unreachable(
            format!("{} did not answer: {error}", self.address),
            "another agent with --connect, or a longer --timeout",
        )
    }
}

fn nobody(why: &str) -> CliError {
    CliError::unreachable(
        format!("no agent answers ({why})"),
        "`evenkeel demo` to start a cluster, or --connect HOST:PORT to name one of its agents",
    )
}

/// The node of that name or number.
pub(crate) fn node_named<'a>(view: &'a ClusterView, name: &str) -> Result<&'a NodeView, CliError> {
    let number = name.parse().ok().map(NodeId);
    let named = view.nodes.iter().find(|node| node.name == name);
    named.or_else(|| view.nodes.iter().find(|node| Some(node.id) == number)).ok_or_else(|| {
        let names = view.nodes.iter().map(|node| &node.name);
        CliError::refused(
            format!("no node is named {name}"),
            format!("one of {}", super::format::list(names)),
        )
    })
}

/// A node's name; its number when the view doesn't know it.
pub(crate) fn node_name(view: &ClusterView, id: NodeId) -> String {
    let known = view.nodes.iter().find(|node| node.id == id);
    known.map_or_else(|| id.0.to_string(), |node| node.name.clone())
}

/// Whether somebody sits at both ends: a question can be asked and answered.
pub(crate) fn is_interactive() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}
