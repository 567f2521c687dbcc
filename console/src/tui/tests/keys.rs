//! From keys to effects: the lock, the ladder, and selections that no refresh moves.

use evenkeel_shared::error::AdminError;
use evenkeel_shared::ids::{NodeId, ShardId};
use evenkeel_shared::preflight::{Action, Harm, Outcome, Preflight};
use evenkeel_shared::view::NodeState;

use super::styled::text;
use super::{Stage, locked, unlocked};
use crate::tui::action::Screen;
use crate::tui::model::lock::UNLOCKED_MS;
use crate::tui::{ConsoleOptions, Effect, Message};

fn kill(node: u32) -> Action {
    Action::Kill { node: NodeId(node), down_secs: Some(10) }
}

fn said(stage: &Stage) -> &str {
    stage.model.status.as_ref().map_or("", |status| &status.text)
}

/// Answers the open question with a harm of choice.
fn answer(stage: &mut Stage, action: Action, harm: Harm) {
    let preflight = Preflight { revision: 77, harm, ..Preflight::default() };
    stage.say(Message::Preflighted { action, result: Ok(preflight) });
}

#[test]
fn locked_acts_are_refused_with_the_reason() {
    let mut stage = Stage::watching(&locked(), 2);
    assert_eq!(stage.press("K"), []);
    assert_eq!(said(&stage), "kill: locked: press W to unlock for 10 minutes");
    assert!(stage.model.layers.is_empty());
    stage.press("W");
    assert_eq!(stage.press("K"), [Effect::Preflight { action: kill(1) }]);
}

#[test]
fn the_lock_closes_after_its_time_even_under_an_open_dialog() {
    let mut stage = Stage::watching(&locked(), 2);
    stage.press("W K");
    answer(&mut stage, kill(1), Harm::None);
    stage.say(Message::Tick { now_unix_ms: stage.model.now + UNLOCKED_MS });
    assert_eq!(stage.press("y"), []);
    assert!(said(&stage).contains("locked"), "{}", said(&stage));
}

#[test]
fn read_only_can_not_be_unlocked() {
    let options = ConsoleOptions { read_only: true, unlocked: true, ..ConsoleOptions::default() };
    let mut stage = Stage::watching(&options, 2);
    stage.press("W");
    assert_eq!(stage.press("K"), []);
    assert!(said(&stage).contains("--read-only"));
}

#[test]
fn kill_then_y_is_enough_where_nothing_is_lost() {
    let mut stage = Stage::watching(&unlocked(), 2);
    assert_eq!(stage.press("j j K"), [Effect::Preflight { action: kill(3) }]);
    assert_eq!(stage.press("y"), [], "not before the agents have answered");
    answer(&mut stage, kill(3), Harm::None);
    assert_eq!(stage.press("y"), [Effect::Act { action: kill(3), revision: 77 }]);
    assert!(stage.model.layers.is_empty());
    let outcome = Outcome { what: "n3 was killed".into(), took_us: 41_300, backup: None };
    stage.say(Message::Acted { action: kill(3), result: Ok(outcome) });
    assert_eq!(said(&stage), "n3 was killed (41.3 ms)");
    assert!(stage.model.pending.is_empty());
}

#[test]
fn risk_wants_the_name_and_break_wants_the_override() {
    for (harm, wrong, right) in [
        (Harm::Risk, "y Enter", "n 3 Enter"),
        (Harm::Break, "n 3 Enter", "O V E R R I D E Space n 3 Enter"),
    ] {
        let mut stage = Stage::watching(&unlocked(), 2);
        stage.press("j j K");
        answer(&mut stage, kill(3), harm);
        assert_eq!(stage.press(wrong), []);
        stage.say(Message::Key(crossterm::event::KeyEvent::new(
            crossterm::event::KeyCode::Char('u'),
            crossterm::event::KeyModifiers::CONTROL,
        )));
        assert_eq!(stage.press(right), [Effect::Act { action: kill(3), revision: 77 }], "{harm:?}");
    }
}

#[test]
fn how_long_a_killed_node_stays_down_can_be_changed() {
    let mut stage = Stage::watching(&unlocked(), 2);
    stage.press("K");
    answer(&mut stage, kill(1), Harm::None);
    let longer = Action::Kill { node: NodeId(1), down_secs: Some(30) };
    assert_eq!(stage.press("Right"), [Effect::Preflight { action: longer.clone() }]);
    answer(&mut stage, longer, Harm::None);
    let action = Action::Kill { node: NodeId(1), down_secs: Some(305) };
    assert_eq!(stage.press("Tab 5 Enter"), [Effect::Preflight { action: action.clone() }]);
    assert_eq!(stage.press("y"), [], "what is shown is of another time");
    answer(&mut stage, action.clone(), Harm::None);
    assert_eq!(stage.press("y"), [Effect::Act { action, revision: 77 }]);
}

#[test]
fn an_answer_to_another_question_is_not_taken() {
    let mut stage = Stage::watching(&unlocked(), 2);
    stage.press("K");
    answer(&mut stage, kill(2), Harm::None);
    assert_eq!(stage.press("y"), []);
}

#[test]
fn another_leader_is_another_question() {
    let mut stage = Stage::watching(&unlocked(), 2);
    stage.press("2");
    stage.model.chosen.shard.key = Some(ShardId(4));
    let shard = ShardId(4);
    let best = Action::Switchover { shard, to: None };
    assert_eq!(stage.press("F"), [Effect::Preflight { action: best.clone() }]);
    answer(&mut stage, best, Harm::None);
    let named = Action::Switchover { shard, to: Some(NodeId(1)) };
    assert_eq!(stage.press("Right"), [Effect::Preflight { action: named.clone() }]);
    assert_eq!(stage.press("y"), []);
    answer(&mut stage, named.clone(), Harm::None);
    assert_eq!(stage.press("y"), [Effect::Act { action: named, revision: 77 }]);
}

#[test]
fn a_backup_asks_for_its_archive_and_proposes_the_last_one() {
    let mut stage = Stage::watching(&unlocked(), 2);
    assert_eq!(stage.press("5 b"), []);
    let action = Action::Backup { archive: "/var/archive".into() };
    assert_eq!(stage.press("Enter"), [Effect::Preflight { action: action.clone() }]);
    answer(&mut stage, action.clone(), Harm::None);
    assert_eq!(stage.press("y"), [Effect::Act { action, revision: 77 }]);
}

#[test]
fn accept_and_undo_need_a_restore_that_waits() {
    let mut stage = Stage::watching(&unlocked(), 2);
    assert_eq!(stage.press("5 A"), []);
    assert_eq!(said(&stage), "accept: no restore waits for it");
    stage.world.restore("/var/archive", "b0409-full");
    stage.pass(1);
    assert_eq!(stage.press("U"), [Effect::Preflight { action: Action::RestoreUndo }]);
}

#[test]
fn an_unknown_outcome_is_called_unknown() {
    let mut stage = Stage::watching(&unlocked(), 2);
    stage.press("K");
    answer(&mut stage, kill(1), Harm::None);
    stage.press("y");
    let why = "n2 did not answer".into();
    stage.say(Message::Acted { action: kill(1), result: Err(AdminError::Unavailable { why }) });
    assert_eq!(said(&stage), "kill n1: outcome unknown, n2 did not answer");
}

#[test]
fn an_act_that_has_gone_stale_is_shown_anew_and_waits_for_another_word() {
    let mut stage = Stage::watching(&unlocked(), 2);
    stage.press("K");
    answer(&mut stage, kill(1), Harm::None);
    stage.press("y");
    let why = "it would do more harm now".into();
    let stale = Message::Acted { action: kill(1), result: Err(AdminError::Stale { why }) };
    assert_eq!(stage.say(stale), [Effect::Preflight { action: kill(1) }]);
    assert_eq!(stage.press("y"), [], "not before the agents have answered");
    answer(&mut stage, kill(1), Harm::Break);
    let frame = text(&stage.draw(80, 24));
    assert!(frame.contains("not done: it would do more harm now; look again"), "{frame}");
    assert_eq!(stage.press("y"), [], "the harm is another one, and so is its rung");
}

#[test]
fn a_stale_act_takes_no_keys_from_what_is_being_written() {
    let mut stage = Stage::watching(&unlocked(), 2);
    stage.press("K");
    answer(&mut stage, kill(1), Harm::None);
    stage.press("y /");
    let stale = AdminError::Stale { why: "it would do more harm now".into() };
    let effects = stage.say(Message::Acted { action: kill(1), result: Err(stale) });
    assert_eq!(effects, []);
    assert!(said(&stage).starts_with("kill n1 not done"), "{}", said(&stage));
}

#[test]
fn the_chosen_node_stays_chosen_while_rows_move() {
    let mut stage = Stage::watching(&unlocked(), 2);
    stage.press("j");
    assert_eq!(stage.model.chosen.node.key, Some(NodeId(2)));
    stage.kill(5);
    let rows = crate::tui::model::rows::nodes(&stage.model, Screen::Nodes);
    assert_eq!(rows[0], NodeId(5), "the dead node has moved to the top");
    assert_eq!(stage.model.chosen.node.key, Some(NodeId(2)));
    assert_eq!(stage.press("K"), [Effect::Preflight { action: kill(2) }]);
}

#[test]
fn a_row_that_the_filter_hides_is_not_acted_upon() {
    let mut stage = Stage::watching(&unlocked(), 2);
    stage.press("/ n 4 Enter");
    assert_eq!(stage.press("K"), []);
    assert_eq!(said(&stage), "kill: no node is chosen");
    assert_eq!(stage.press("j K"), [Effect::Preflight { action: kill(4) }]);
}

#[test]
fn a_frozen_screen_holds_still_and_counts_events() {
    let mut stage = Stage::watching(&unlocked(), 5);
    stage.press("p");
    let before = text(&stage.draw(80, 24));
    stage.pass(4);
    assert_eq!(text(&stage.draw(80, 24)), before);
    stage.kill(3);
    assert!(text(&stage.draw(80, 24)).contains("FROZEN 5 events since"));
    stage.press("p");
    assert!(text(&stage.draw(80, 24)).contains("DOWN"));
}

#[test]
fn unknown_is_never_zero() {
    let mut stage = Stage::watching(&unlocked(), 2);
    let mut view = stage.world.view(NodeId(1));
    view.nodes[4].load = None;
    view.nodes[4].state = NodeState::Unknown;
    (view.nodes[4].phi, view.nodes[4].heard_ms) = (None, None);
    stage.world.now += 10_000;
    stage.say(Message::Tick { now_unix_ms: stage.world.now });
    stage.say(Message::View(Box::new(view)));
    let frame = text(&stage.draw(120, 36));
    let row = frame.lines().find(|line| line.contains("n5")).expect("still listed");
    assert!(row.contains("? UNKNOWN") && row.contains('–') && !row.contains("0%"), "{row}");
}

#[test]
fn quit_closes_what_lies_on_top_first() {
    let mut stage = Stage::watching(&unlocked(), 2);
    assert_eq!(stage.press("Enter q"), []);
    assert_eq!(stage.press("q"), [Effect::Quit]);
}
