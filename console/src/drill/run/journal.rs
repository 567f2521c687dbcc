//! Follows the journal beside a drill: each failover is told with its parts.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use evenkeel_shared::event::{Event, EventKind};
use evenkeel_shared::explain::Phases;
use evenkeel_shared::ids::NodeId;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::Progress;
use crate::drill::link::Link;
use crate::drill::report::Failover;

/// Between two looks.
const LOOK: Duration = Duration::from_millis(200);

/// The journal since the drill began.
pub(super) struct Journal {
    reader: Arc<Reader>,
    task: JoinSet<()>,
}

struct Reader {
    link: Link,
    progress: mpsc::Sender<Progress>,
    step: Arc<AtomicUsize>,
    names: BTreeMap<NodeId, String>,
    /// The last line that was read, and the failovers so far.
    read: Mutex<(u64, Vec<Failover>)>,
}

impl Journal {
    /// Reads what is written from now on.
    pub(super) async fn follow(
        link: Link,
        progress: mpsc::Sender<Progress>,
        step: Arc<AtomicUsize>,
    ) -> Self {
        let mut newest = 0;
        while let Ok(page) = link.events(newest).await {
            let Some(last) = page.last().map(|event| event.id).filter(|id| *id > newest) else {
                break;
            };
            newest = last;
        }
        let view = link.view().await.unwrap_or_default();
        let names = view.nodes.into_iter().map(|node| (node.id, node.name)).collect();
        let read = Mutex::new((newest, Vec::new()));
        let reader = Arc::new(Reader { link, progress, step, names, read });
        let mut task = JoinSet::new();
        let reading = reader.clone();
        task.spawn(async move {
            loop {
                tokio::time::sleep(LOOK).await;
                reading.read_on().await;
            }
        });
        Self { reader, task }
    }

    /// Reads what is left; all failovers since the beginning.
    pub(super) async fn finish(mut self) -> Vec<Failover> {
        self.task.shutdown().await;
        self.reader.read_on().await;
        std::mem::take(&mut self.reader.read().1)
    }
}

impl Reader {
    async fn read_on(&self) {
        let after = self.read().0;
        // An agent that does not answer is asked again the next time.
        let Ok(events) = self.link.events(after).await else { return };
        let step = self.step.load(Ordering::Relaxed);
        for event in events {
            let told = failover(&event, step, &self.names);
            let fresh = {
                let mut read = self.read();
                let fresh = event.id > read.0;
                read.0 = read.0.max(event.id);
                if let (true, Some((row, _))) = (fresh, &told) {
                    read.1.push(row.clone());
                }
                fresh
            };
            if let (true, Some((_, progress))) = (fresh, told) {
                // Whoever no longer listens has no use for it.
                let _ = self.progress.send(progress).await;
            }
        }
    }

    fn read(&self) -> std::sync::MutexGuard<'_, (u64, Vec<Failover>)> {
        self.read.lock().expect("no holder of this lock panics")
    }
}

/// A line that tells of a failover, with its parts.
fn failover(
    event: &Event,
    step: usize,
    names: &BTreeMap<NodeId, String>,
) -> Option<(Failover, Progress)> {
    let shard = event.shard.filter(|_| event.kind == EventKind::Leader)?;
    let (_, phases) = Phases::read(&event.why)?;
    let what = event.what.clone();
    let leader = event.node.and_then(|node| names.get(&node).cloned());
    let row = Failover { step, shard: shard.0, leader, what: what.clone(), phases };
    Some((row, Progress::Phase { step, shard, what, phases }))
}

#[cfg(test)]
mod tests {
    use evenkeel_shared::event::Severity;
    use evenkeel_shared::ids::ShardId;

    use super::*;

    #[test]
    fn a_failover_is_told_with_its_parts_and_a_hand_over_is_not() {
        let mut event = Event {
            id: 7,
            unix_ms: 0,
            reporter: NodeId(2),
            kind: EventKind::Leader,
            severity: Severity::Info,
            node: Some(NodeId(2)),
            shard: Some(ShardId(3)),
            what: "n2 leads s3, term 2".into(),
            why: "n1 held dead · detect 1.500 ms, agree 0.950 ms".into(),
            took_us: Some(62_000),
        };
        let names = BTreeMap::from([(NodeId(2), "n2".to_owned())]);
        let (row, _) = failover(&event, 4, &names).unwrap();
        assert_eq!((row.step, row.shard, row.leader.as_deref()), (4, 3, Some("n2")));
        assert_eq!(row.phases.detect_us, Some(1_500));
        event.why = "leadership was handed over".into();
        assert!(failover(&event, 4, &names).is_none());
        event.kind = EventKind::Audit;
        assert!(failover(&event, 4, &names).is_none());
    }
}
