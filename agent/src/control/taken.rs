//! Nodes that drills take away, in order: two operators who are each told that one node can be spared
//! must not take two.

use std::sync::Mutex;
use std::time::Duration;

use evenkeel_shared::ids::NodeId;

/// By then the agents agree that a node is gone, or it never went, or whoever asked is gone.
const AGREED_AFTER: Duration = Duration::from_secs(3);

/// Who was about to take away what of late, by their tickets, in the order in which they came.
#[derive(Default)]
pub(super) struct Taken(Mutex<Vec<Turn>>);

struct Turn {
    ticket: u64,
    node: NodeId,
    since: Duration,
}

impl Taken {
    /// Remembers one more, unless it is known; gives back the nodes of those before it.
    pub(super) fn take(&self, (ticket, node): (u64, NodeId), now: Duration) -> Vec<NodeId> {
        let mut turns = self.0.lock().expect("no holder of this lock panics");
        turns.retain(|turn| now.saturating_sub(turn.since) < AGREED_AFTER);
        if !turns.iter().any(|turn| turn.ticket == ticket) {
            turns.push(Turn { ticket, node, since: now });
        }
        turns.iter().take_while(|turn| turn.ticket != ticket).map(|turn| turn.node).collect()
    }

    /// Nobody needs to wait for this one any more.
    pub(super) fn end(&self, ticket: u64) {
        self.0.lock().expect("no holder of this lock panics").retain(|turn| turn.ticket != ticket);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_second_is_told_of_the_first_for_as_long_as_that_matters() {
        let taken = Taken::default();
        let (first, second, third) = ((71, NodeId(2)), (72, NodeId(3)), (73, NodeId(2)));
        let at = Duration::from_millis;
        assert_eq!(taken.take(first, at(100)), []);
        assert_eq!(taken.take(second, at(110)), [NodeId(2)]);
        assert_eq!(taken.take(first, at(120)), [], "asked again, it is first still");
        assert_eq!(taken.take(third, at(130)), [NodeId(2), NodeId(3)]);
        taken.end(73);
        assert_eq!(
            taken.take(second, at(140)),
            [NodeId(2)],
            "another turn for that node has ended"
        );
        taken.end(71);
        assert_eq!(taken.take(second, at(150)), []);
        assert_eq!(taken.take(first, at(3_200)), [], "whoever has not ended it is gone");
    }
}
