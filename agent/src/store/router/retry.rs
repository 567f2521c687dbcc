//! What is remembered between the attempts of one request. An outcome that may be is never
//! forgotten for a later refusal.

use evenkeel_shared::error::StoreError;
use evenkeel_shared::wire::deadline::Deadline;

use super::LOOK_AGAIN;

/// What is remembered between the attempts of one request.
pub(super) struct Retry {
    pub(super) deadline: Deadline,
    /// What an attempt said whose outcome is not known: later refusals don't undo it.
    pub(super) unknown: Option<StoreError>,
}

impl Retry {
    pub(super) fn new(deadline: Deadline) -> Self {
        Self { deadline, unknown: None }
    }

    /// Waits a moment; at the deadline, says the worst that is true.
    pub(super) async fn pause(&mut self, error: StoreError) -> Result<(), StoreError> {
        if error.is_unknown() {
            self.unknown = Some(error.clone());
        }
        if self.deadline.remaining() <= LOOK_AGAIN {
            return Err(self.last_word(error));
        }
        tokio::time::sleep(LOOK_AGAIN).await;
        Ok(())
    }

    /// A read has no outcome that matters later: what is unknown is just unavailable.
    pub(super) async fn pause_read(&mut self, error: StoreError) -> Result<(), StoreError> {
        let error = match error {
            StoreError::Unknown { why } => StoreError::Unavailable { why },
            other => other,
        };
        self.pause(error).await
    }

    pub(super) fn last_word(&mut self, error: StoreError) -> StoreError {
        self.unknown.take().unwrap_or(error)
    }
}
