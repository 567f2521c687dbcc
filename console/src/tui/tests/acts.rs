//! Acts beyond one key and one confirmation: the policy's form, steps that wait for a word, acts that
//! go on; and the way from a problem to what it is about.

use evenkeel_shared::ids::{NodeId, ShardId};
use evenkeel_shared::plan::{PlanView, StepStatus, StepView};
use evenkeel_shared::preflight::{Action, Outcome};
use evenkeel_shared::view::{Recovery, RecoveryChange, RecoveryPolicy, Rule};
use evenkeel_shared::what_if::{Change, NodeOutlook, WhatIf};

use super::styled::text;
use super::{Stage, locked, unlocked};
use crate::tui::action::Screen;
use crate::tui::{ConsoleOptions, Effect, Message};

fn said(stage: &Stage) -> &str {
    stage.model.status.as_ref().map_or("", |status| &status.text)
}

/// A plan in which one step waits for a word.
pub(super) fn advised(stage: &Stage) -> PlanView {
    let step = StepView {
        name: "s4.add.5".to_owned(),
        shard: ShardId(4),
        what: "add a replica on n5".to_owned(),
        cause: "n3 DOWN for 61 s".to_owned(),
        price_bytes: 3 << 20,
        inverse: "remove the replica on n5".to_owned(),
        rule: Some("down".to_owned()),
        status: StepStatus::Advised,
        since_unix_ms: stage.model.now,
        tries: 0,
        trouble: None,
    };
    PlanView {
        revision: 412,
        controller: Some(NodeId(1)),
        version: 1,
        policy: RecoveryPolicy::default(),
        steps: vec![step],
        ended: Vec::new(),
        declined: Vec::new(),
        scheduled: Vec::new(),
    }
}

#[test]
fn the_policy_is_changed_in_a_form_and_confirmed_as_every_act() {
    let mut stage = Stage::watching(&unlocked(), 2);
    assert_eq!(stage.press("S"), [Effect::Declared]);
    assert_eq!(stage.press("Enter"), []);
    stage.say(Message::Declared(Ok(Box::default())));
    stage.press("Enter");
    let frame = text(&stage.draw(120, 36));
    assert!(frame.contains("nothing is different from what holds"), "{frame}");
    // To the line of DOWN nodes, and one down from acting.
    stage.press("j j j j h");
    let frame = text(&stage.draw(120, 36));
    assert!(frame.contains("< advise >") && frame.contains("was act"), "{frame}");
    let asked = stage.press("Enter");
    let [Effect::Preflight { action: action @ Action::Recover(change) }] = asked.as_slice() else {
        panic!("it asks the agents: {asked:?}");
    };
    let RecoveryChange::SetPolicy { replaces: 0, new } = change else { panic!("{change:?}") };
    assert_eq!(new.policy.rules.down, Rule::Advise);
    stage.answer(&asked);
    let copied = stage.press("Y");
    let [Effect::Copy(line)] = copied.as_slice() else { panic!("it is copied: {copied:?}") };
    assert!(line.starts_with("evenkeel policy set - --yes --connect 127.0.0.1:7410 <<'EOF'\n"));
    assert!(line.ends_with("EOF\n") && line.contains("down = \"advise\""), "{line}");
    assert_eq!(stage.press("y"), [Effect::Act { action: action.clone(), revision: 412 }]);
}

#[test]
fn a_policy_that_nobody_can_tell_is_not_changed() {
    let mut stage = Stage::watching(&unlocked(), 2);
    stage.press("S");
    let why = "no agent is connected".to_owned();
    stage.say(Message::Declared(Err(evenkeel_shared::error::AdminError::Unavailable { why })));
    assert!(text(&stage.draw(80, 24)).contains("no agent is connected"));
    assert_eq!(stage.press("h"), []);
    assert!(stage.model.layers.is_empty());
    // An answer that comes late opens nothing.
    stage.say(Message::Declared(Ok(Box::<Recovery>::default())));
    assert!(stage.model.layers.is_empty());
}

#[test]
fn a_step_that_waits_is_done_on_a_word() {
    let mut stage = Stage::watching(&unlocked(), 2);
    assert_eq!(stage.press("A"), []);
    assert_eq!(said(&stage), "apply: no step of the plan waits for a word");
    let plan = advised(&stage);
    stage.say(Message::Planned(Ok(Box::new(plan))));
    let asked = stage.press("A");
    stage.answer(&asked);
    let frame = text(&stage.draw(120, 36));
    assert!(frame.contains("s4.add.5 (1 of 1)"), "{frame}");
    let sent = stage.press("y");
    let decided = |effect: &Effect| {
        matches!(effect, Effect::Act { action: Action::Recover(RecoveryChange::Decide { step, decision: Some(word) }), .. }
            if step == "s4.add.5" && word.go)
    };
    assert!(sent.iter().any(decided), "{sent:?}");
}

#[test]
fn a_drain_is_followed_until_no_copy_is_left() {
    let mut stage = Stage::watching(&unlocked(), 2);
    let asked = stage.press("j D");
    stage.answer(&asked);
    let sent = stage.press("y");
    let [Effect::Act { action, .. }] = sent.as_slice() else { panic!("it is sent: {sent:?}") };
    let outcome = Outcome { what: "n2 drains".into(), took_us: 9_000, backup: None };
    stage.world.act(action);
    stage.say(Message::Acted { action: action.clone(), result: Ok(outcome) });
    stage.pass(1);
    assert!(text(&stage.draw(120, 36)).contains("n2 drains (9.0 ms)"));
    stage.pass(4);
    let frame = text(&stage.draw(120, 36));
    assert!(frame.contains("drain n2: 0/11 copies given away, left s1 s4 s5 s6 +7"), "{frame}");
    // The agents give them away.
    let mut view = stage.world.view(NodeId(1));
    for shard in view.shards.iter_mut().chain(&mut view.system) {
        shard.replicas.retain(|replica| replica.node != NodeId(2));
    }
    stage.say(Message::View(Box::new(view)));
    stage.say(Message::Tick { now_unix_ms: stage.model.now + 1_000 });
    assert_eq!(said(&stage), "drain n2: 11/11 copies given away, 6.0 s");
    assert!(stage.model.followed.is_empty());
}

#[test]
fn a_refused_act_is_not_followed() {
    let mut stage = Stage::watching(&unlocked(), 2);
    let asked = stage.press("j D");
    stage.answer(&asked);
    let sent = stage.press("y");
    let [Effect::Act { action, .. }] = sent.as_slice() else { panic!("it is sent: {sent:?}") };
    assert_eq!(stage.model.followed.len(), 1);
    let why = "it is the last of its zone".into();
    let refused = Err(evenkeel_shared::error::AdminError::Refused { why });
    stage.say(Message::Acted { action: action.clone(), result: refused });
    assert!(stage.model.followed.is_empty());
}

#[test]
fn a_problem_leads_to_what_it_is_about() {
    let mut stage = Stage::watching(&unlocked(), 2);
    stage.press("!");
    assert_eq!(said(&stage), "nothing needs attention");
    stage.kill(4);
    stage.press("6 !");
    assert_eq!((stage.model.screen, stage.model.chosen.node.key), (Screen::Nodes, Some(NodeId(4))));
    assert!(said(&stage).starts_with("n4 down"), "{}", said(&stage));
    stage.press("!");
    assert_eq!((stage.model.screen, stage.model.filter(Screen::Shards)), (Screen::Shards, "under"));
}

#[test]
fn an_audience_sees_what_the_last_failover_took_and_then_the_rate_again() {
    let mut stage = Stage::watching(&ConsoleOptions { present: true, ..locked() }, 20);
    insta::assert_snapshot!("presenting_healthy_120x36", text(&stage.draw(120, 36)));
    stage.kill(3);
    for (width, height) in [(80, 24), (120, 36)] {
        let name = format!("presenting_failover_{width}x{height}");
        insta::assert_snapshot!(name, text(&stage.draw(width, height)));
    }
    stage.pass(70);
    assert!(text(&stage.draw(120, 36)).contains("operations a second"));
    let ascii = ConsoleOptions { present: true, ascii: true, ..locked() };
    assert!(text(&Stage::watching(&ascii, 9).draw(120, 36)).is_ascii());
}

#[test]
fn what_is_thought_of_is_asked_about_and_changes_nothing() {
    let mut stage = Stage::watching(&locked(), 2);
    let nothing = Effect::WhatIf { changes: Vec::new() };
    assert_eq!(stage.press("j w"), [nothing]);
    let drained = vec![Change::Drain(NodeId(2))];
    assert_eq!(stage.press("Space"), [Effect::WhatIf { changes: drained.clone() }]);
    let outlook = |node: u32, copies, leads| NodeOutlook {
        node: Some(NodeId(node)),
        name: format!("n{node}"),
        zone: "b".to_owned(),
        copies,
        leads,
    };
    let told = WhatIf {
        revision: 412,
        nodes: vec![outlook(1, (9, 13), (3, 4)), outlook(2, (10, 0), (4, 0))],
        copies_moved: 10,
        bytes: 31_000_000,
        leaders_moved: 4,
        settles: true,
        ..WhatIf::default()
    };
    stage.say(Message::WhatIf { changes: drained, result: Ok(Box::new(told.clone())) });
    insta::assert_snapshot!("what_if_120x36", text(&stage.draw(120, 36)));
    // An answer to what is not thought of any more is not shown.
    let two = stage.press("z");
    assert_eq!(two, [Effect::WhatIf { changes: [2, 5].map(|id| Change::Lose(NodeId(id))).into() }]);
    assert!(text(&stage.draw(80, 24)).contains("asking the agents what would come of it"));
    let Some(Effect::WhatIf { changes }) = two.first().cloned() else { panic!("it asks") };
    let worse = WhatIf { quorum_lost: vec![ShardId(4)], ..told };
    stage.say(Message::WhatIf { changes, result: Ok(Box::new(worse)) });
    let frame = text(&stage.draw(80, 24));
    assert!(frame.contains("1 shard without a majority at once: s4"), "{frame}");
    let copied = stage.press("+ Y");
    let line = "evenkeel plan what-if --lose n2 --lose n5 --add b:100 --connect 127.0.0.1:7410";
    assert_eq!(copied, [Effect::Copy(line.to_owned())]);
    // What was thought of is done only by the key that does it, which is locked.
    stage.press("0 Space");
    assert_eq!(stage.press("D"), []);
    assert_eq!(said(&stage), "drain: locked: press W to unlock for 10 minutes");
}

#[test]
fn the_policy_can_be_looked_at_while_locked_and_not_set() {
    let mut stage = Stage::watching(&ConsoleOptions { read_only: true, ..locked() }, 2);
    assert_eq!(stage.press("S"), [Effect::Declared]);
    stage.say(Message::Declared(Ok(Box::default())));
    assert_eq!(stage.press("j j j j h Enter"), []);
    assert!(text(&stage.draw(80, 24)).contains("--read-only"));
    let copied = stage.press("Y");
    assert!(matches!(copied.as_slice(), [Effect::Copy(line)] if line.contains("policy set -")));
}

#[test]
fn another_version_that_holds_by_now_is_told() {
    let mut stage = Stage::watching(&unlocked(), 2);
    stage.press("S");
    stage.say(Message::Declared(Ok(Box::default())));
    let mut view = stage.world.view(NodeId(1));
    view.policy_version = 3;
    stage.say(Message::View(Box::new(view)));
    assert_eq!(stage.press("Enter"), []);
    assert!(text(&stage.draw(80, 24)).contains("version 3 holds by now"));
}

#[test]
fn nothing_is_confirmed_that_can_not_be_seen() {
    let mut stage = Stage::watching(&unlocked(), 2);
    stage.say(Message::Resize { width: 44, height: 12 });
    assert_eq!(stage.press("j K y"), []);
    assert!(stage.model.layers.is_empty());
    stage.say(Message::Resize { width: 80, height: 24 });
    let asked = stage.press("K");
    stage.answer(&asked);
    stage.say(Message::Resize { width: 44, height: 12 });
    assert_eq!(stage.press("y"), []);
    stage.press("Esc");
    assert!(stage.model.layers.is_empty(), "it can be left");
    assert_eq!(stage.press("q"), [Effect::Quit]);
}

#[test]
fn the_palette_takes_what_and_whom() {
    let mut stage = Stage::watching(&unlocked(), 2);
    let kill = Action::Kill { node: NodeId(4), down_secs: Some(10) };
    for letters in [": k i l l Space n 4 Enter", ": n 4 Space k i l l Enter"] {
        assert_eq!(stage.press(letters), [Effect::Preflight { action: kill.clone() }], "{letters}");
        stage.press("Esc");
    }
}
