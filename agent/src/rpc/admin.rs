//! The Admin service: what operators and scripts ask, handed to the control plane.

use std::sync::Arc;

use evenkeel_shared::dossier::Dossier;
use evenkeel_shared::error::AdminError;
use evenkeel_shared::event::Event;
use evenkeel_shared::explain::Explanation;
use evenkeel_shared::fault::Drill;
use evenkeel_shared::ids::{NodeId, ShardId};
use evenkeel_shared::plan::PlanView;
use evenkeel_shared::preflight::{Action, Outcome, Preflight};
use evenkeel_shared::service::admin::Admin;
use evenkeel_shared::service::peer::ContentHash;
use evenkeel_shared::view::{ClusterView, Recovery};
use evenkeel_shared::what_if::{Change, WhatIf};
use evenkeel_shared::wire::deadline::Deadline;
use tarpc::context::Context;

use crate::control::operator::Operator;

/// Serves one operator's connection.
#[derive(Clone)]
pub struct AdminService {
    /// Carries out what is asked.
    pub operator: Arc<Operator>,
}

impl Admin for AdminService {
    async fn view(self, _: Context) -> ClusterView {
        self.operator.observer.view()
    }

    async fn events(self, _: Context, after: u64) -> Vec<Event> {
        self.operator.observer.events_after(after)
    }

    async fn preflight(self, _: Context, action: Action) -> Result<Preflight, AdminError> {
        self.operator.preflight(&action).await
    }

    async fn act(
        self,
        context: Context,
        action: Action,
        revision: u64,
        actor: String,
    ) -> Result<Outcome, AdminError> {
        let (operator, by) = (self.operator, Deadline::of(&context));
        // What has begun must end, whatever becomes of the caller.
        tokio::spawn(async move { operator.act(action, revision, &actor, by).await })
            .await
            .unwrap_or_else(|error| Err(AdminError::Unavailable { why: error.to_string() }))
    }

    async fn explain(self, _: Context, shard: ShardId) -> Result<Explanation, AdminError> {
        self.operator.explain(shard)
    }

    async fn dossier(self, _: Context, node: NodeId) -> Result<Dossier, AdminError> {
        let known = self.operator.observer.dossier(node);
        known.ok_or_else(|| AdminError::NotFound { what: node.to_string() })
    }

    async fn plan(self, _: Context) -> PlanView {
        self.operator.plan()
    }

    async fn what_if(self, by: Context, changes: Vec<Change>) -> Result<WhatIf, AdminError> {
        self.operator.what_if(&changes, Deadline::of(&by)).await
    }

    async fn recovery(self, _: Context) -> Recovery {
        self.operator.system.facts().recovery.clone()
    }

    async fn content_hashes(
        self,
        context: Context,
        shard: ShardId,
    ) -> Result<Vec<ContentHash>, AdminError> {
        self.operator.content_hashes(shard, Deadline::of(&context)).await
    }

    async fn drill(self, _: Context, drill: Drill, actor: String) -> Result<String, AdminError> {
        self.operator.drill(drill, &actor).map_err(|why| AdminError::Refused { why })
    }
}
