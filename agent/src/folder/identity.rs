//! The identity file `node.json`: its contents and its format. Pure.
//!
//! Format 1 begins here. A field is only ever appended, with a default; a file of a later format is
//! refused, for it may say something that this code would have to obey.

use std::collections::BTreeSet;
use std::fmt;

use evenkeel_shared::ids::{ClusterId, History, Incarnation, NodeId, ReplicaId, ShardId};
use evenkeel_shared::view::{Admission, NodeAddresses};
use serde::{Deserialize, Serialize};

use crate::envelope::{self, EnvelopeError};

const FORMAT: u32 = 1;

/// Who a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its name.
    pub name: String,
    /// Random bits of this folder: a node that comes back empty has others.
    pub folder: u64,
    /// Counts its starts.
    pub incarnation: Incarnation,
    /// Its place in a cluster, once admitted.
    pub membership: Option<Membership>,
    /// Where the others were last known to be.
    pub peers: Vec<KnownPeer>,
    /// Every replica that was opened here and not removed since.
    pub opened: BTreeSet<OpenedReplica>,
}

/// A replica that was opened here: if its files are gone, they are lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OpenedReplica {
    /// The shard.
    pub shard: ShardId,
    /// Which life of it.
    pub history: History,
    /// The replica.
    pub replica: ReplicaId,
}

/// A node's place in its cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Membership {
    /// The cluster.
    pub cluster: ClusterId,
    /// Its number there.
    pub node: NodeId,
    /// Its replica of the system shard.
    pub system_replica: ReplicaId,
    /// The system shard's history.
    pub system_history: History,
}

/// Another node and where it is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownPeer {
    /// Its number.
    pub node: NodeId,
    /// Its listeners.
    pub addresses: NodeAddresses,
}

/// Why the bytes are no identity.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The file has rotted, or was edited.
    #[error("node.json is damaged")]
    Damaged(#[from] EnvelopeError),
    /// A newer agent wrote it.
    #[error("node.json has format {0}, and this agent knows none above {FORMAT}")]
    Newer(u32),
    /// A number is not in hexadecimal.
    #[error("node.json names no {0}")]
    Number(&'static str),
}

/// Numbers of more than 53 bits are text: other people's JSON would round them.
#[derive(Serialize, Deserialize)]
struct IdentityFile {
    format: u32,
    name: String,
    folder: String,
    incarnation: u64,
    #[serde(default)]
    membership: Option<MembershipFile>,
    #[serde(default)]
    peers: Vec<KnownPeer>,
    /// Shard, history (number and salt) and replica, each in hexadecimal.
    #[serde(default)]
    opened: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct MembershipFile {
    cluster: String,
    node: NodeId,
    system_replica_number: u32,
    system_history_number: u64,
    system_history_salt: String,
}

/// Only what every format begins with.
#[derive(Deserialize)]
struct AnyFormat {
    format: u32,
}

impl Identity {
    /// Reads the file's bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, IdentityError> {
        let AnyFormat { format } = envelope::unseal(bytes)?;
        if format > FORMAT {
            return Err(IdentityError::Newer(format));
        }
        let file: IdentityFile = envelope::unseal(bytes)?;
        Ok(Self {
            name: file.name,
            folder: number(&file.folder, "folder")?,
            incarnation: Incarnation(file.incarnation),
            membership: file.membership.map(Membership::try_from).transpose()?,
            peers: file.peers,
            opened: file.opened.iter().map(|line| opened(line)).collect::<Result<_, _>>()?,
        })
    }

    /// The file's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        envelope::seal(&IdentityFile {
            format: FORMAT,
            name: self.name.clone(),
            folder: format!("{:016x}", self.folder),
            incarnation: self.incarnation.0,
            membership: self.membership.map(MembershipFile::from),
            peers: self.peers.clone(),
            opened: self.opened.iter().map(ToString::to_string).collect(),
        })
    }
}

impl TryFrom<MembershipFile> for Membership {
    type Error = IdentityError;

    fn try_from(file: MembershipFile) -> Result<Self, IdentityError> {
        let salt = number(&file.system_history_salt, "history")?;
        Ok(Self {
            cluster: file.cluster.parse().map_err(|_| IdentityError::Number("cluster"))?,
            node: file.node,
            system_replica: ReplicaId::new(file.node, file.system_replica_number),
            system_history: History { number: file.system_history_number, salt },
        })
    }
}

impl From<Membership> for MembershipFile {
    fn from(membership: Membership) -> Self {
        Self {
            cluster: membership.cluster.to_string(),
            node: membership.node,
            system_replica_number: membership.system_replica.number(),
            system_history_number: membership.system_history.number,
            system_history_salt: format!("{:016x}", membership.system_history.salt),
        }
    }
}

impl From<&Admission> for Membership {
    fn from(admission: &Admission) -> Self {
        Self {
            cluster: admission.cluster,
            node: admission.node,
            system_replica: admission.system_replica,
            system_history: admission.system_history,
        }
    }
}

impl fmt::Display for Membership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cluster, node, system_replica, system_history } = self;
        write!(f, "{node} of cluster {cluster} ({system_replica}, {system_history})")
    }
}

impl fmt::Display for OpenedReplica {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { shard, history, replica } = self;
        write!(f, "{:x} {:x} {:x} {:x}", shard.0, history.number, history.salt, replica.0)
    }
}

fn opened(line: &str) -> Result<OpenedReplica, IdentityError> {
    let parts: Vec<u64> =
        line.split(' ').map(|part| number(part, "replica")).collect::<Result<_, _>>()?;
    let [shard, number, salt, replica] = parts[..] else {
        return Err(IdentityError::Number("replica"));
    };
    let shard = u32::try_from(shard).map_err(|_| IdentityError::Number("replica"))?;
    let history = History { number, salt };
    Ok(OpenedReplica { shard: ShardId(shard), history, replica: ReplicaId(replica) })
}

fn number(text: &str, what: &'static str) -> Result<u64, IdentityError> {
    u64::from_str_radix(text, 16).map_err(|_| IdentityError::Number(what))
}
