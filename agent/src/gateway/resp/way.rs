//! Where a client that finds the way itself is sent, in the words of Redis Cluster.

use evenkeel_shared::key::Slot;

use super::super::Place;
use super::Resp;
use super::command::{CROSS_SLOT, Question, Session};

/// Whether the question is answered here; if not, what the client is told.
pub(super) fn place(resp: &Resp, session: &Session, question: &Question) -> Result<(), String> {
    if !resp.finds_way {
        return Ok(());
    }
    let keys = question.keys();
    let mut slots = keys.into_iter().map(|key| Slot::of(key));
    let Some(slot) = slots.next() else { return Ok(()) };
    if slots.any(|other| other != slot) {
        return Err(CROSS_SLOT.to_owned());
    }
    match resp.store.place(slot) {
        Place::Here => Ok(()),
        Place::There { has_copy: true, .. } if session.reads_copies && !question.is_write() => {
            Ok(())
        }
        Place::There { at: Some(at), .. } => Err(format!("MOVED {} {at}", slot.0)),
        Place::There { at: None, .. } => {
            // It serves no client that finds the way: this node passes the request on.
            Ok(())
        }
        Place::Nowhere => Err("CLUSTERDOWN Hash slot not served".to_owned()),
    }
}
