//! Acts that go on after their answer: begun when they are sent, told when they are over.

use evenkeel_shared::preflight::Action;

use crate::tui::format;
use crate::tui::model::Model;
use crate::tui::model::following::{FOLLOWED_MAX, Followed, Progress};
use crate::tui::theme::Tone;

/// Follows an act that is being sent.
pub(super) fn begin(model: &mut Model, action: &Action, what: &str) {
    let Some(followed) = Followed::begin(action, what, &model.live, model.now) else { return };
    model.followed.retain(|known| known.action != *action);
    if model.followed.len() >= FOLLOWED_MAX {
        model.followed.remove(0);
    }
    model.followed.push(followed);
}

/// Looks how far each is; one that is over is told.
pub(super) fn tick(model: &mut Model) {
    if model.followed.is_empty() || model.live.is_stale(model.now) {
        return;
    }
    let mut over = Vec::new();
    let (live, now) = (&model.live, model.now);
    model.followed.retain(|followed| {
        let progress = followed.progress(live);
        if progress.is_over() {
            let took = format::age(now.saturating_sub(followed.since));
            let Progress { of, words, .. } = progress;
            over.push(format!("{}: {of}/{of} {words}, {took}", followed.what));
            return false;
        }
        !followed.is_moot(live, now)
    });
    if let Some(sentence) = over.pop() {
        model.say(Tone::Good, sentence);
    }
}
