//! How a queue ends.

use tokio::sync::mpsc;

/// Drops all that waits, so that its callers are answered: whoever is putting something in just now,
/// too, whom a queue that is merely dropped would leave waiting for ever
/// (docs/adr/2026-11-29-every-call-ends.md).
pub(super) async fn shut<T>(mut queue: mpsc::Receiver<T>) {
    queue.close();
    while queue.recv().await.is_some() {}
}
