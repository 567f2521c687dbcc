//! Walks the one table of keys: what is locked stays locked, and every line of it does something.

use std::collections::BTreeSet;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use evenkeel_shared::ids::ShardId;

use super::acts::advised;
use super::{Stage, unlocked};
use crate::tui::action::{BINDINGS, Binding, Chord, Guard, Screen};
use crate::tui::{ConsoleOptions, Effect, Message};

fn key(chord: Chord) -> KeyEvent {
    match chord {
        Chord::Char(c) => KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE),
        Chord::Ctrl(c) => KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL),
        Chord::Key(code) => KeyEvent::new(code, KeyModifiers::NONE),
    }
}

/// A console in every state that could let something through.
fn stages(options: &ConsoleOptions) -> Vec<Stage> {
    let healthy = Stage::watching(options, 3);
    let mut restoring = Stage::watching(options, 3);
    restoring.world.restore("/var/archive", "b0409-full");
    restoring.pass(1);
    let mut broken = Stage::watching(options, 3);
    broken.kill(3);
    let mut advising = Stage::watching(options, 3);
    let plan = advised(&advising);
    advising.say(Message::Planned(Ok(Box::new(plan))));
    let mut stages = vec![healthy, restoring, broken, advising, Stage::empty(options)];
    for stage in &mut stages {
        stage.model.chosen.shard.key = Some(ShardId(4));
    }
    stages
}

/// Every place where a line works.
fn screens(line: &Binding) -> Vec<Screen> {
    Screen::ALL.into_iter().filter(|screen| line.works_on(*screen)).collect()
}

#[test]
fn read_only_lets_no_line_of_the_table_reach_the_cluster() {
    for options in [
        ConsoleOptions { read_only: true, ..ConsoleOptions::default() },
        ConsoleOptions { read_only: true, unlocked: true, ..ConsoleOptions::default() },
    ] {
        for mut stage in stages(&options) {
            for line in BINDINGS {
                for screen in screens(line) {
                    stage.press(&screen.digit().to_string());
                    for chord in line.chords {
                        let effects = stage.say(Message::Key(key(*chord)));
                        let reaches = |effect: &Effect| {
                            matches!(
                                effect,
                                Effect::Act { .. }
                                    | Effect::Preflight { .. }
                                    | Effect::BriefDrill { .. }
                                    | Effect::Drill { .. }
                                    | Effect::EndDrill
                            )
                        };
                        assert!(!effects.iter().any(reaches), "{} on {screen:?}", line.name);
                        // And nothing that could be confirmed lies open.
                        assert!(!stage.is_asking(), "{} on {screen:?}", line.name);
                        stage.model.layers.clear();
                        stage.model.held = None;
                    }
                }
            }
        }
    }
}

#[test]
fn every_locked_line_asks_the_agents_first_when_it_can_be_done() {
    let mut asked = BTreeSet::new();
    for mut stage in stages(&unlocked()) {
        for line in BINDINGS.iter().filter(|line| line.guard == Guard::Locked) {
            for screen in screens(line) {
                stage.press(&screen.digit().to_string());
                let effects = stage.say(Message::Key(key(line.chords[0])));
                let acts = effects.iter().any(|effect| matches!(effect, Effect::Act { .. }));
                assert!(!acts, "{} acts without asking", line.name);
                if stage.is_asking() {
                    asked.insert(line.name);
                }
                stage.model.layers.clear();
            }
        }
    }
    for line in BINDINGS.iter().filter(|line| line.guard == Guard::Locked) {
        assert!(asked.contains(line.name), "{} can never be begun", line.name);
    }
}

#[test]
fn every_act_has_a_command_line() {
    let mut stage = Stage::watching(&unlocked(), 3);
    stage.press("j K");
    let answers = stage.press("Y");
    let line = "evenkeel node kill n2 --for 10s --connect 127.0.0.1:7410";
    assert_eq!(answers, [Effect::Copy(line.to_owned())]);
}
