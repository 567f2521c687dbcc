//! Who this agent is on the wire; unknown until it has joined.

use std::sync::OnceLock;

use evenkeel_shared::ids::{ClusterId, Incarnation, NodeId};
use evenkeel_shared::wire::hello::{Caller, Hello, Service, Welcome};

/// Who this agent is.
pub struct Identity {
    name: String,
    incarnation: Incarnation,
    joined: OnceLock<(ClusterId, NodeId)>,
}

impl Identity {
    /// An agent that has not joined yet.
    pub fn new(name: String, incarnation: Incarnation) -> Self {
        Self { name, incarnation, joined: OnceLock::new() }
    }

    /// From now on it belongs to a cluster.
    pub fn join(&self, cluster: ClusterId, node: NodeId) {
        let joined = *self.joined.get_or_init(|| (cluster, node));
        assert_eq!(joined, (cluster, node), "an agent joins one cluster, once a start");
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Count of its starts.
    pub fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    /// Its cluster and number, once it has joined.
    pub fn joined(&self) -> Option<(ClusterId, NodeId)> {
        self.joined.get().copied()
    }

    /// How it presents itself.
    pub fn caller(&self) -> Caller {
        Caller::Node {
            id: self.joined().map(|(_, node)| node),
            name: self.name.clone(),
            incarnation: self.incarnation,
        }
    }

    /// What it says first, for a service.
    pub fn hello(&self, service: Service) -> Hello {
        Hello { cluster: self.joined().map(|(cluster, _)| cluster), caller: self.caller(), service }
    }

    /// What it answers to somebody else's Hello.
    pub fn judge(&self, hello: &Hello) -> Result<Welcome, String> {
        let Some((cluster, node)) = self.joined() else {
            return Err(format!("{} has not joined a cluster yet", self.name));
        };
        match hello.cluster {
            Some(other) if other != cluster => {
                Err(format!("{} belongs to cluster {cluster}, not to {other}", self.name))
            }
            _ => Ok(Welcome {
                cluster: Some(cluster),
                node: Some(node),
                name: self.name.clone(),
                incarnation: self.incarnation,
            }),
        }
    }
}
