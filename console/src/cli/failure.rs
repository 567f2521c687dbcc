//! How a command ends: an exit code, and for a failure one sentence and what to try.
//!
//! The exit codes are a contract; nothing else in this package chooses a number.

use std::io::{self, Write};
use std::process::ExitCode;

use evenkeel_shared::client::ClientError;
use evenkeel_shared::error::{AdminError, StoreError};
use serde::Serialize;

use crate::drill::DrillError;

/// How a command that ran to its end came out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Exit {
    /// Done, and what was asked about is well.
    Done,
    /// Degraded, different, refused, or not found.
    Degraded,
    /// The words on the command line can't be followed.
    Usage,
    /// Nobody answered, or not in time.
    Unreachable,
    /// Another main function's own code.
    Code(ExitCode),
}

impl Exit {
    /// The number for the shell.
    pub(crate) fn code(self) -> ExitCode {
        match self {
            Self::Done => ExitCode::SUCCESS,
            Self::Degraded => ExitCode::from(1),
            Self::Usage => ExitCode::from(2),
            Self::Unreachable => ExitCode::from(3),
            Self::Code(code) => code,
        }
    }
}

/// Why a command did not do what it was asked, by what the caller can do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// Correct the command line.
    #[error("{what}")]
    Usage {
        /// What is wrong.
        what: String,
        /// What to try.
        hint: String,
    },
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
        /// What to try.
        hint: String,
    },
    /// Look before asking again: a write may or may not have taken effect (law 2).
    #[error("{what}")]
    Unknown {
        /// Why it is not known.
        what: String,
        /// What to try.
        hint: String,
    },
    /// Nothing: whoever read our output has gone, or the disk is full.
    #[error("can't write the output")]
    Output(#[source] io::Error),
}

/// What a command that failed prints with `--json`, unless its own answer says so.
#[derive(Debug, Serialize)]
struct ErrorRow<'a> {
    error: String,
    r#try: &'a str,
    exit: u8,
}

impl CliError {
    /// The command line can't be followed.
    pub(crate) fn usage(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Usage { what: what.into(), hint: hint.into() }
    }

    /// Not done.
    pub(crate) fn refused(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Refused { what: what.into(), hint: hint.into() }
    }

    /// Nobody answered.
    pub(crate) fn unreachable(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Unreachable { what: what.into(), hint: hint.into() }
    }

    /// This machine stands in the way: a file, a port, a process.
    pub(crate) fn local(verb_object: &str, error: &dyn std::error::Error) -> Self {
        Self::refused(format!("can't {verb_object}: {error}"), "")
    }

    /// How it ends.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Usage { .. } => Exit::Usage,
            Self::Unreachable { .. } | Self::Unknown { .. } => Exit::Unreachable,
            // A pager that was closed has seen enough.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
            Self::Refused { .. } | Self::Output(_) => Exit::Degraded,
        }
    }

    fn hint(&self) -> &str {
        match self {
            Self::Usage { hint, .. }
            | Self::Refused { hint, .. }
            | Self::Unreachable { hint, .. }
            | Self::Unknown { hint, .. } => hint,
            Self::Output(_) => "",
        }
    }

    /// Writes the same as one JSON value to standard output, where a script looks for an answer.
    pub(crate) fn report_json(&self) {
        let row = ErrorRow { error: self.to_string(), r#try: self.hint(), exit: self.number() };
        // Where standard output is closed, standard error and the exit code are left.
        let _ = super::json(&row);
    }

    fn number(&self) -> u8 {
        match self.exit() {
            Exit::Usage => 2,
            Exit::Unreachable => 3,
            _ => 1,
        }
    }

    /// Writes the sentence and what to try to standard error.
    pub(crate) fn report(&self) {
        if self.exit() == Exit::Done {
            return;
        }
        let mut stderr = io::stderr().lock();
        // Where even standard error is closed, the exit code is all that is left to say.
        let _ = writeln!(stderr, "evenkeel: {self}");
        if !self.hint().is_empty() {
            let _ = writeln!(stderr, "  try: {}", self.hint());
        }
    }
}

impl From<DrillError> for CliError {
    fn from(error: DrillError) -> Self {
        let (what, hint) = (error.to_string(), error.hint().to_owned());
        match error {
            DrillError::Script(_) => Self::usage(what, hint),
            DrillError::Refused { .. } | DrillError::Stopped => Self::refused(what, hint),
            DrillError::Unreachable { .. } => Self::unreachable(what, hint),
        }
    }
}

impl From<AdminError> for CliError {
    fn from(error: AdminError) -> Self {
        let what = error.to_string();
        match error {
            AdminError::Stale { .. } => {
                Self::refused(what, "the same command again: it computes the effects anew")
            }
            AdminError::Refused { .. } => Self::refused(what, ""),
            AdminError::NotFound { .. } => {
                Self::refused(what, "`evenkeel nodes`, `evenkeel shards` or `evenkeel backup list`")
            }
            AdminError::Unavailable { .. } => Self::unreachable(what, "`evenkeel status`"),
        }
    }
}

impl From<ClientError> for CliError {
    fn from(error: ClientError) -> Self {
        let what = error.to_string();
        match error {
            ClientError::Unknown { .. } => Self::Unknown {
                what: format!("the write may or may not have taken effect: {what}"),
                hint: "`evenkeel kv get` to see which, before writing again".into(),
            },
            ClientError::Unavailable { .. } => {
                Self::unreachable(what, "`evenkeel status`, or a longer --timeout")
            }
            ClientError::Refused(StoreError::SessionBroken { .. }) => {
                Self::refused(what, "a new session: remove its file, and read what matters again")
            }
            ClientError::Refused(_) => Self::refused(what, ""),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_outcome_is_never_reported_as_failed() {
        let error = CliError::from(ClientError::Unknown {
            attempts: 2,
            last: "closed".into(),
            persisted_by: None,
        });
        assert!(error.to_string().contains("may or may not"));
        assert_eq!(error.exit(), Exit::Unreachable);
    }

    #[test]
    fn a_closed_pager_is_no_failure() {
        let closed = CliError::Output(io::ErrorKind::BrokenPipe.into());
        assert_eq!(closed.exit(), Exit::Done);
    }

    #[test]
    fn each_kind_of_refusal_has_its_exit_code() {
        assert_eq!(CliError::usage("a", "b").exit(), Exit::Usage);
        assert_eq!(CliError::refused("a", "b").exit(), Exit::Degraded);
        let gone = AdminError::Unavailable { why: "n1".into() };
        assert_eq!(CliError::from(gone).exit(), Exit::Unreachable);
        let stale = AdminError::Stale { why: "revision 7".into() };
        assert_eq!(CliError::from(stale).exit(), Exit::Degraded);
    }
}
