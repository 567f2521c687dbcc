//! Histories of clients' operations, and whether they are linearizable: pure functions, for the
//! simulation and for tests over real processes alike.
//!
//! Two judges that share no code: `versions` goes by the version in each reply, fast and with a
//! reason in words; `search` trusts no version and looks for an order that explains every reply.
//! A write of unknown outcome stays in the history: it takes effect at any later time, or never.

mod operation;
mod search;
#[cfg(test)]
mod tests;
mod versions;

pub use operation::{Action, Call, Condition, History, Operation, Outcome, Ticket};
pub use search::{Unexplained, check as search};
pub use versions::{Broken, Violation, check as versions};

/// What both judges say against a history.
#[derive(Debug, thiserror::Error)]
pub enum Verdict {
    /// The versions contradict each other or the order in time.
    #[error("by versions: {0}")]
    Versions(#[from] Violation),
    /// No order explains the replies.
    #[error("by search: {0}")]
    Search(#[from] Unexplained),
}

/// Asks both judges.
pub fn check(history: &History) -> Result<(), Verdict> {
    versions(history)?;
    search(history)?;
    Ok(())
}
