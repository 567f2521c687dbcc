//! The same agent for operators: it says that all is well, and does as it is told.

use evenkeel_shared::dossier::Dossier;
use evenkeel_shared::error::AdminError;
use evenkeel_shared::event::Event;
use evenkeel_shared::explain::{Explanation, Phases};
use evenkeel_shared::fault::Drill;
use evenkeel_shared::ids::{NodeId, ShardId};
use evenkeel_shared::plan::PlanView;
use evenkeel_shared::preflight::{Action, Harm, Outcome, Preflight};
use evenkeel_shared::service::admin::Admin;
use evenkeel_shared::service::peer::ContentHash;
use evenkeel_shared::view::{ClusterView, FailoverMode, Recovery, RecoveryPolicy};
use evenkeel_shared::what_if::{Change, WhatIf};
use tarpc::context::Context;

use super::{Fake, sample_view};

impl Admin for Fake {
    async fn view(self, _: Context) -> ClusterView {
        sample_view()
    }

    async fn events(self, _: Context, after: u64) -> Vec<Event> {
        let state = self.state.lock().unwrap();
        state.events.iter().filter(|event| event.id > after).cloned().collect()
    }

    async fn preflight(self, _: Context, action: Action) -> Result<Preflight, AdminError> {
        let harm = match &action {
            Action::Kill { node: NodeId(3), .. } => Harm::Break,
            _ => Harm::Risk,
        };
        let refused = matches!(action, Action::Evict { .. }).then(|| "it is up".to_owned());
        Ok(Preflight { revision: 41, title: "act".into(), harm, refused, ..Preflight::default() })
    }

    async fn act(
        self,
        _: Context,
        action: Action,
        revision: u64,
        _actor: String,
    ) -> Result<Outcome, AdminError> {
        self.state.lock().unwrap().acts.push((action, revision));
        Ok(Outcome { what: "done".into(), took_us: 1, backup: None })
    }

    async fn explain(self, _: Context, shard: ShardId) -> Result<Explanation, AdminError> {
        Ok(Explanation {
            shard,
            leader: Some(NodeId(1)),
            term: 1,
            mode: FailoverMode::Automatic,
            candidates: Vec::new(),
            heir: None,
            loss: Some(0),
            loss_why: "a test loses nothing".into(),
            samples: 0,
            expected: Phases::default(),
            last: None,
        })
    }

    async fn dossier(self, _: Context, node: NodeId) -> Result<Dossier, AdminError> {
        Err(AdminError::NotFound { what: node.to_string() })
    }

    async fn plan(self, _: Context) -> PlanView {
        PlanView {
            revision: 7,
            controller: Some(NodeId(1)),
            version: 0,
            policy: RecoveryPolicy::default(),
            steps: Vec::new(),
            ended: Vec::new(),
            declined: Vec::new(),
            scheduled: Vec::new(),
        }
    }

    async fn what_if(self, _: Context, changes: Vec<Change>) -> Result<WhatIf, AdminError> {
        let quorum_lost = match changes.as_slice() {
            [Change::Lose(_), ..] => vec![ShardId(2)],
            _ => Vec::new(),
        };
        Ok(WhatIf { revision: 7, settles: true, quorum_lost, ..WhatIf::default() })
    }

    async fn recovery(self, _: Context) -> Recovery {
        Recovery::default()
    }

    async fn content_hashes(
        self,
        _: Context,
        shard: ShardId,
    ) -> Result<Vec<ContentHash>, AdminError> {
        let hash = |node: u32| ContentHash {
            node: NodeId(node),
            index: 7,
            records: 1,
            // Shard 2 is the one that has come apart.
            hash: if shard == ShardId(2) { node.to_string() } else { "same".into() },
        };
        Ok((1..=3).map(hash).collect())
    }

    async fn drill(self, _: Context, _: Drill, _: String) -> Result<String, AdminError> {
        Err(AdminError::Refused { why: "this is a test".into() })
    }
}
