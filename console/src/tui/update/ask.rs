//! What the screen that is shown wants to know beside what agents send by themselves.

use evenkeel_shared::dossier::Dossier;
use evenkeel_shared::explain::Explanation;
use evenkeel_shared::plan::PlanView;

use crate::tui::Effect;
use crate::tui::action::Screen;
use crate::tui::model::Model;
use crate::tui::model::clean::{self, scrub};
use crate::tui::model::layer::Layer;

/// The questions that are due. Nothing is asked while the past is shown, or nobody could answer.
pub(super) fn due(model: &mut Model) -> Vec<Effect> {
    let mut effects = Vec::new();
    if model.held.is_some() || model.live.links.is_empty() || !model.live.is_connected() {
        return effects;
    }
    let now = model.now;
    if model.screen == Screen::Nodes && model.layers.is_empty() {
        let Model { live, answers, .. } = model;
        let next = answers.foreseen.next(|| live.node_ids(), now);
        effects.extend(next.map(|node| Effect::Foresee { node }));
    }
    match model.screen {
        Screen::Shards => {
            // Every report comes by here: no list is sorted for it.
            let shard = model.chosen.shard.key;
            if let Some(shard) = shard.filter(|shard| model.answers.explained.is_due(*shard, now)) {
                effects.push(Effect::Explain { shard });
            }
        }
        Screen::Nodes if matches!(model.layers.last(), Some(Layer::Detail)) => {
            let node = model.chosen.node.key;
            if let Some(node) = node.filter(|node| model.answers.judged.is_due(*node, now)) {
                effects.push(Effect::Judge { node });
            }
        }
        _ => {}
    }
    if matches!(model.screen, Screen::Nodes | Screen::Shards) && model.answers.plan.is_due((), now)
    {
        effects.push(Effect::Plan);
    }
    effects
}

pub(super) fn clean_explanation(mut explanation: Box<Explanation>) -> Box<Explanation> {
    scrub(&mut explanation.loss_why);
    explanation.candidates.iter_mut().for_each(|candidate| scrub(&mut candidate.why));
    if let Some(last) = &mut explanation.last {
        scrub(&mut last.what);
        scrub(&mut last.cause);
    }
    explanation
}

pub(super) fn clean_dossier(mut dossier: Box<Dossier>) -> Box<Dossier> {
    scrub(&mut dossier.why);
    dossier.flips.iter_mut().for_each(scrub);
    for evidence in &mut dossier.axes {
        scrub(&mut evidence.axis);
        scrub(&mut evidence.seen);
    }
    dossier
}

pub(super) fn clean_plan(mut plan: Box<PlanView>) -> Box<PlanView> {
    let PlanView { steps, ended, declined, .. } = plan.as_mut();
    for step in steps.iter_mut().chain(ended) {
        for text in [&mut step.name, &mut step.what, &mut step.cause, &mut step.inverse] {
            scrub(text);
        }
        step.trouble.iter_mut().for_each(scrub);
    }
    for (_, why) in declined {
        *why = clean::text(why);
    }
    plan
}
