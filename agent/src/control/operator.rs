//! What operators ask for: looked at first, re-checked against the facts when it is done, and
//! written down before (law 8).

use std::sync::Arc;

use evenkeel_shared::error::AdminError;
use evenkeel_shared::ids::ShardId;
use evenkeel_shared::preflight::{Action, Outcome, Preflight};
use evenkeel_shared::service::peer::ContentHash;
use evenkeel_shared::wire::deadline::Deadline;

use super::journal::Journal;
use super::observer::Observer;
use super::system::System;
use crate::config::Config;
use crate::env::Env;

/// Carries out what operators ask for.
pub struct Operator {
    /// The world.
    pub env: Env,
    /// How this node was started.
    pub config: Config,
    /// The cluster's facts, and orders.
    pub system: Arc<System>,
    /// Where it is written down.
    pub journal: Arc<Journal>,
    /// What is seen.
    pub observer: Arc<Observer>,
}

impl Operator {
    /// What an act would do.
    pub async fn preflight(&self, _action: &Action) -> Result<Preflight, AdminError> {
        Err(AdminError::Refused { why: "x".into() })
    }

    /// Does it.
    pub async fn act(
        &self,
        _action: Action,
        _revision: u64,
        _actor: &str,
        _by: Deadline,
    ) -> Result<Outcome, AdminError> {
        Err(AdminError::Refused { why: "x".into() })
    }

    /// Every replica's content hash.
    pub async fn content_hashes(
        &self,
        _shard: ShardId,
        _by: Deadline,
    ) -> Result<Vec<ContentHash>, AdminError> {
        Ok(vec![])
    }

    /// Ends this process.
    pub fn die(&self, _down_secs: Option<u32>, _actor: &str) -> Result<(), AdminError> {
        Ok(())
    }
}
