//! Stopping well: leaderships are handed away, what is under way is finished, the log is synced.

use std::sync::Arc;
use std::time::Duration;

use evenkeel_shared::event::{EventKind, Severity};
use evenkeel_shared::ids::ReplicaId;
use evenkeel_shared::view::Rule;

use super::parts::Parts;
use crate::decide::detector::VerdictState;
use crate::decide::heir::{Heirs, Voter, heir};
use crate::decide::room::Room;

/// How long open connections are waited for at the very end.
pub(super) const LAST_WAIT: Duration = Duration::from_secs(2);
/// Between two attempts to give leaderships away.
const SHED_EVERY: Duration = Duration::from_millis(500);
/// And when it is not for want of room.
const SHED_SLOW_EVERY: Duration = Duration::from_secs(10);
/// How long handing leaderships away may take in all.
const HAND_OVER_MAX: Duration = Duration::from_secs(5);

/// Hands every leadership away and closes the replicas.
pub(super) async fn gracefully(parts: &Arc<Parts>) {
    let handed = tokio::time::timeout(HAND_OVER_MAX, hand_over(parts, Heirs::Any)).await;
    if handed.is_err() {
        tracing::warn!("some leaderships could not be handed away in time");
    }
    parts.ended.cancel();
    parts.replicas.close().await;
    if let Err(error) = parts.wal.canary().await {
        tracing::warn!(%error, "the log could not be synced at the end");
    }
    tracing::info!("stopped");
}

/// Watches the disk and the node's own pace, and gives leaderships to nodes that are well for as long
/// as this one is not, unless the policy wants to be asked.
pub(super) async fn shed(parts: Arc<Parts>) {
    let (mut before, mut shed_at) = (Room::Plenty, Duration::ZERO);
    loop {
        let (room, again) = parts.groups.look_at_disk();
        let full = room > Room::Plenty;
        if full != (before > Room::Plenty) {
            parts.pulse.room_changed();
            note_room(&parts, room);
        }
        before = room;
        let now = parts.env.clock.now();
        let slow = || parts.pulse.slowness(parts.membership.node).is_some();
        if now >= shed_at && (full || slow()) && may_shed(&parts, full) {
            // Each attempt holds writes for a moment: a slow node makes few of them.
            shed_at = now + if full { SHED_EVERY } else { SHED_SLOW_EVERY };
            tokio::spawn({
                let parts = parts.clone();
                async move { hand_over(&parts, Heirs::Steady).await }
            });
        }
        tokio::time::sleep(again).await;
    }
}

/// Whether the policy leaves it to the node.
fn may_shed(parts: &Parts, full: bool) -> bool {
    let rules = parts.facts.borrow().recovery.policy().rules;
    let rule = if full { rules.disk_low } else { rules.slow };
    rule == Rule::Act
}

fn note_room(parts: &Parts, room: Room) {
    let name = &parts.request.name;
    let (severity, what) = match room {
        Room::Plenty => (Severity::Info, format!("{name} has room again, and takes writes")),
        Room::Low | Room::Out => (
            Severity::Alarm,
            format!("{name} has no room: it takes deletes only, and leads nothing"),
        ),
    };
    let mut line = parts.control.journal.line(EventKind::Verdict, severity, what);
    line.node = Some(parts.membership.node);
    "its disk was full but for a margin".clone_into(&mut line.why);
    parts.control.journal.write(line);
}

async fn hand_over(parts: &Arc<Parts>, heirs: Heirs) {
    let full = parts.pulse.full_nodes();
    let (_, observed) = parts.control.observer.observe();
    let leads = parts.replicas.all().into_iter().filter(|group| group.is_leader());
    let moves = leads.filter_map(|group| {
        let (me, matched) = (group.key().replica, group.matched());
        let seen = observed.shards.get(&group.shard());
        let voter = |replica: ReplicaId| Voter {
            replica,
            able: parts.pulse.verdict(replica.node()).state == VerdictState::Alive
                && !full.contains(&replica.node()),
            steady: parts.pulse.slowness(replica.node()).is_none(),
            linked: seen
                .is_none_or(|seen| seen.is_fed(replica) && seen.is_linked(&observed, replica)),
            matched: matched.iter().find(|(id, _)| *id == replica).map_or(0, |(_, index)| *index),
        };
        let members = group.status().members;
        let others = members.voters.iter().copied().filter(|replica| *replica != me);
        let voters: Vec<Voter> = others.map(voter).collect();
        let target = heir(group.shard(), &voters, heirs)?;
        Some(async move {
            if let Err(error) = group.transfer(target).await {
                tracing::warn!(shard = %group.shard(), %error, "leadership not handed away");
            }
        })
    });
    futures::future::join_all(moves).await;
}
