//! The write lock: closed at the start, so that no stray key harms a cluster.

use crate::tui::ConsoleOptions;

/// How long `W` opens the lock.
pub(crate) const UNLOCKED_MS: u64 = 10 * 60 * 1_000;

/// Whether harmful acts are let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lock {
    /// Never, in this session.
    ReadOnly,
    /// Not now.
    Closed,
    /// Until then.
    OpenUntil(u64),
    /// For the whole session.
    Open,
}

impl Lock {
    /// The lock that the command line asks for; read-only outweighs.
    pub(crate) fn new(options: &ConsoleOptions) -> Self {
        match (options.read_only, options.unlocked) {
            (true, _) => Self::ReadOnly,
            (false, true) => Self::Open,
            (false, false) => Self::Closed,
        }
    }

    /// Why a harmful act is refused now, if it is.
    pub(crate) fn refusal(self) -> Option<&'static str> {
        match self {
            Self::ReadOnly => Some("read-only: the console was started with --read-only"),
            Self::Closed => Some("locked: press W to unlock for 10 minutes"),
            Self::OpenUntil(_) | Self::Open => None,
        }
    }

    /// Opens a closed lock and closes an open one.
    #[must_use]
    pub(crate) fn turned(self, now: u64) -> Self {
        match self {
            Self::ReadOnly => Self::ReadOnly,
            Self::Closed => Self::OpenUntil(now.saturating_add(UNLOCKED_MS)),
            Self::OpenUntil(_) | Self::Open => Self::Closed,
        }
    }

    /// Closes a lock whose time is over.
    #[must_use]
    pub(crate) fn at(self, now: u64) -> Self {
        match self {
            Self::OpenUntil(until) if until <= now => Self::Closed,
            lock => lock,
        }
    }
}
