//! Nodes that have fallen silent: one that is frozen or cut off closes no connection and refuses
//! nothing, and a request that waits for it would wait for its whole attempt.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use crate::wire::deadline::Deadline;

/// Whoever has answered nobody for so long is not waited for alone: several times what a busy node
/// needs for one of its answers, and less than agents need to elect another leader.
pub(super) const SILENT_AFTER: Duration = Duration::from_millis(250);

/// Until when each address counts as heard.
#[derive(Clone, Default)]
pub(super) struct Heard(Arc<Mutex<BTreeMap<String, Deadline>>>);

impl Heard {
    /// It has answered somebody.
    pub(super) fn note(&self, address: &str) {
        let until = Deadline::after(SILENT_AFTER);
        let mut heard = self.lock();
        if let Some(known) = heard.get_mut(address) {
            *known = until;
        } else {
            heard.insert(address.to_owned(), until);
        }
    }

    /// Ends once it has answered nobody for long enough, from now on.
    pub(super) async fn silence(&self, address: &str) {
        let mut until = Deadline::after(SILENT_AFTER);
        loop {
            tokio::time::sleep(until.remaining()).await;
            match self.lock().get(address) {
                Some(heard) if !heard.is_over() => until = *heard,
                _ => return,
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Deadline>> {
        self.0.lock().expect("no holder of this lock panics")
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn whoever_answers_somebody_is_not_silent() {
        let heard = Heard::default();
        let (mut silent, mut busy) = (Box::pin(heard.silence("a")), Box::pin(heard.silence("b")));
        let mut answers = 0;
        while silent.as_mut().now_or_never().is_none() {
            assert!(busy.as_mut().now_or_never().is_none());
            heard.note("b");
            answers += 1;
            tokio::time::sleep(SILENT_AFTER / 10).await;
        }
        assert!(answers > 0);
        heard.note("b");
        assert!(busy.as_mut().now_or_never().is_none());
        busy.await;
    }
}
