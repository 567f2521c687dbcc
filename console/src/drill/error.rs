//! Why a drill did not begin, or did not go on.

use evenkeel_shared::client::ClientError;
use evenkeel_shared::error::AdminError;

use super::script::ScriptError;

/// Why, by what the caller can do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DrillError {
    /// Correct the script.
    #[error(transparent)]
    Script(#[from] ScriptError),
    /// Remove what stands in the way.
    #[error("{what}")]
    Refused {
        /// What stands in the way.
        what: String,
        /// What to try.
        hint: String,
    },
    /// Reach another agent, or wait longer.
    #[error("{what}")]
    Unreachable {
        /// Who did not answer.
        what: String,
    },
    /// The operator wants no more of it.
    #[error("stopped by the operator")]
    Stopped,
}

impl DrillError {
    /// Not done.
    pub(crate) fn refused(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Refused { what: what.into(), hint: hint.into() }
    }

    /// Nobody answered.
    pub(crate) fn unreachable(what: impl Into<String>) -> Self {
        Self::Unreachable { what: what.into() }
    }

    /// What to try.
    pub(crate) fn hint(&self) -> &str {
        match self {
            Self::Script(error) => &error.hint,
            Self::Refused { hint, .. } => hint,
            Self::Unreachable { .. } => "`evenkeel status`",
            Self::Stopped => "",
        }
    }
}

impl From<AdminError> for DrillError {
    fn from(error: AdminError) -> Self {
        match error {
            AdminError::Unavailable { why } => Self::unreachable(why),
            other => Self::refused(other.to_string(), "`evenkeel status`, then the drill again"),
        }
    }
}

impl From<ClientError> for DrillError {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Refused(why) => Self::refused(why.to_string(), ""),
            other => Self::unreachable(other.to_string()),
        }
    }
}
