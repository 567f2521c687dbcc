//! Bugs planted on purpose, so that a run of the simulation can show that it catches them.
//!
//! Without the feature `planted-bugs` no bug can be planted, and asking for one is a constant.

/// What can be planted, one in a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// The log says that a batch is synced without syncing it.
    SkipFsync,
    /// A put is acknowledged once the leader has it in its own log.
    AckBeforeQuorum,
    /// A linearizable read is served from local state without asking a quorum.
    StaleRead,
    /// A vote is given and not written down.
    ForgetVote,
    /// A retry under a known request id is applied again.
    ApplyTwice,
}

#[cfg(not(feature = "planted-bugs"))]
mod chosen {
    /// Whether this bug is planted: never.
    pub const fn has(_: super::Bug) -> bool {
        false
    }
}

#[cfg(feature = "planted-bugs")]
mod chosen {
    use std::sync::OnceLock;

    use super::Bug;

    /// Names one for processes that nobody tells otherwise.
    const VARIABLE: &str = "EVENKEEL_PLANTED";

    static PLANTED: OnceLock<Option<Bug>> = OnceLock::new();

    impl Bug {
        /// All of them.
        pub const ALL: [Self; 5] = [
            Self::SkipFsync,
            Self::AckBeforeQuorum,
            Self::StaleRead,
            Self::ForgetVote,
            Self::ApplyTwice,
        ];

        /// As it is asked for.
        pub fn name(self) -> &'static str {
            match self {
                Self::SkipFsync => "skip-fsync",
                Self::AckBeforeQuorum => "ack-before-quorum",
                Self::StaleRead => "stale-read",
                Self::ForgetVote => "forget-vote",
                Self::ApplyTwice => "apply-twice",
            }
        }
    }

    impl std::str::FromStr for Bug {
        type Err = String;

        fn from_str(name: &str) -> Result<Self, String> {
            let named = Self::ALL.into_iter().find(|bug| bug.name() == name);
            named.ok_or_else(|| {
                format!("no such bug; there are {}", Self::ALL.map(Self::name).join(", "))
            })
        }
    }

    /// Plants a bug in this process, before anything has asked for one.
    pub fn plant(bug: Bug) {
        assert_eq!(*PLANTED.get_or_init(|| Some(bug)), Some(bug), "another bug is planted");
    }

    /// Whether this bug is planted.
    pub fn has(bug: Bug) -> bool {
        let by_variable = || {
            let name = std::env::var(VARIABLE).ok()?;
            Some(name.parse().unwrap_or_else(|error: String| panic!("{VARIABLE}: {error}")))
        };
        *PLANTED.get_or_init(by_variable) == Some(bug)
    }
}

pub use chosen::*;
