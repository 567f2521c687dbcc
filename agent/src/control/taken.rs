//! Nodes that drills take away, in order: two operators who are each told that one node can be spared
//! must not take two.

use std::sync::Mutex;
use std::time::Duration;

use evenkeel_shared::ids::NodeId;

/// By then the agents agree that a node is gone, or it never went, or whoever asked is gone.
const AGREED_AFTER: Duration = Duration::from_secs(3);

/// Whom somebody was about to take away of late, and when.
#[derive(Default)]
pub(super) struct Taken(Mutex<Vec<(NodeId, Duration)>>);

impl Taken {
    /// Remembers one more; gives back those before it that may not be seen to be gone yet.
    pub(super) fn take(&self, node: NodeId, now: Duration) -> Vec<NodeId> {
        let mut taken = self.0.lock().expect("no holder of this lock panics");
        taken.retain(|(other, at)| *other != node && now.saturating_sub(*at) < AGREED_AFTER);
        let before = taken.iter().map(|(other, _)| *other).collect();
        taken.push((node, now));
        before
    }

    /// Nobody needs to wait for this one any more.
    pub(super) fn end(&self, node: NodeId) {
        self.0.lock().expect("no holder of this lock panics").retain(|(other, _)| *other != node);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_second_is_told_of_the_first_for_as_long_as_that_matters() {
        let taken = Taken::default();
        let at = Duration::from_millis;
        assert_eq!(taken.take(NodeId(2), at(100)), []);
        assert_eq!(taken.take(NodeId(3), at(110)), [NodeId(2)]);
        assert_eq!(
            taken.take(NodeId(2), at(120)),
            [NodeId(3)],
            "the same again waits for no one else"
        );
        assert_eq!(taken.take(NodeId(4), at(3_115)), [NodeId(2)]);
        taken.end(NodeId(4));
        taken.end(NodeId(2));
        assert_eq!(taken.take(NodeId(5), at(3_120)), []);
        assert_eq!(taken.take(NodeId(6), at(9_000)), []);
    }
}
