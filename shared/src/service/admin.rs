//! Admin: what operators and scripts ask.

use crate::dossier::Dossier;
use crate::error::AdminError;
use crate::event::Event;
use crate::explain::Explanation;
use crate::fault::Drill;
use crate::ids::{NodeId, ShardId};
use crate::plan::PlanView;
use crate::preflight::{Action, Outcome, Preflight};
use crate::service::peer::ContentHash;
use crate::view::{ClusterView, Recovery};
use crate::what_if::{Change, WhatIf};

/// The operators' service.
#[tarpc::service]
pub trait Admin {
    /// The cluster as this node sees it.
    async fn view() -> ClusterView;
    /// Journal lines with an id above `after`, oldest first.
    async fn events(after: u64) -> Vec<Event>;
    /// What an act would do, at this node's revision.
    async fn preflight(action: Action) -> Result<Preflight, AdminError>;
    /// Does it; refused when the facts have moved on since `revision` in a way that matters.
    async fn act(action: Action, revision: u64, actor: String) -> Result<Outcome, AdminError>;
    /// Who would lead a shard next and why, and how its last failover went.
    async fn explain(shard: ShardId) -> Result<Explanation, AdminError>;
    /// All that this node can say of a node.
    async fn dossier(node: NodeId) -> Result<Dossier, AdminError>;
    /// What the controller would do now.
    async fn plan() -> PlanView;
    /// What would come of several changes together.
    async fn what_if(changes: Vec<Change>) -> Result<WhatIf, AdminError>;
    /// What operators have declared of recovery.
    async fn recovery() -> Recovery;
    /// Every replica's content hash of one shard.
    async fn content_hashes(shard: ShardId) -> Result<Vec<ContentHash>, AdminError>;
    /// Does this to this very process (only with `--drills`); says what it did, in words.
    async fn drill(drill: Drill, actor: String) -> Result<String, AdminError>;
}
