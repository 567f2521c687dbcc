//! What a machine has found wrong, for whoever takes it out of service or ends the process.
//!
//! The first trouble stays: what comes after it may follow from it.

use std::sync::PoisonError;

use evenkeel_shared::error::with_causes;

use super::{Inner, Machine, MachineError};
use crate::store::engine::EngineError;

/// Why a machine can't go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The replica's rows can't be read: it is rebuilt from its peers.
    Damaged(String),
    /// The disk has failed: nothing that is written can be trusted any more.
    Failed(String),
}

impl MachineError {
    /// What it says of the replica, if it says anything.
    pub fn trouble(&self) -> Option<Trouble> {
        match self {
            Self::Engine(error @ EngineError::Damaged { .. }) => {
                Some(Trouble::Damaged(with_causes(error)))
            }
            Self::Engine(error @ EngineError::Failed { .. }) => {
                Some(Trouble::Failed(with_causes(error)))
            }
            Self::Malformed { .. } | Self::Missing { .. } => {
                Some(Trouble::Damaged(with_causes(self)))
            }
            Self::PastCut { .. } | Self::BadSnapshot { .. } | Self::Stopped(_) => None,
        }
    }
}

impl Machine {
    /// What was found wrong since it was opened.
    pub fn trouble(&self) -> Option<Trouble> {
        self.inner.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes the replica for damaged, for a reason that was found outside of it.
    pub fn condemn(&self, why: String) {
        self.inner.keep(Trouble::Damaged(why));
    }
}

impl Inner {
    /// Passes an outcome on, and remembers the trouble that it tells of.
    pub(super) fn noted<T>(&self, outcome: Result<T, MachineError>) -> Result<T, MachineError> {
        if let Err(error) = &outcome
            && let Some(trouble) = error.trouble()
        {
            self.keep(trouble);
        }
        outcome
    }

    fn keep(&self, trouble: Trouble) {
        let mut known = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        if known.is_none() {
            tracing::error!(shard = %self.id.shard, ?trouble, "the replica can't go on");
            *known = Some(trouble);
        }
    }
}
