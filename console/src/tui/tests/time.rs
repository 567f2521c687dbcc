//! The past: the same frames from memory and from a recording, and nothing done to the cluster.

use evenkeel_shared::ids::NodeId;
use jiff::tz::TimeZone;

use super::styled::{styled, text};
use super::{START, Stage, locked, unlocked};
use crate::tui::model::Model;
use crate::tui::recording::{self, Second};
use crate::tui::theme::Theme;
use crate::tui::update::replay;
use crate::tui::{ConsoleOptions, Effect, Message, ThemeChoice};

/// A recorded session of a minute in which a node dies, and its recording.
fn recorded() -> (Stage, Vec<u8>) {
    let options = ConsoleOptions { record: Some("session.rec".into()), ..unlocked() };
    let mut stage = Stage::empty(&options);
    let mut file = Vec::new();
    recording::begin(&mut file).expect("memory takes it");
    for second in 0..60 {
        stage.world.advance(START + 1_000 * (second + 1));
        if second == 30 {
            stage.world.down.insert(NodeId(3), (stage.world.now, None));
        }
        for effect in stage.hear() {
            if let Effect::Record(second) = effect {
                recording::write(&mut file, &second).expect("memory takes it");
            }
        }
    }
    (stage, file)
}

fn replayed(file: &[u8]) -> Stage {
    let mut stage = Stage::empty(&locked());
    let theme = Theme::new(ThemeChoice::Dark, false, true);
    stage.model = Model::new(&locked(), theme, TimeZone::UTC, START);
    replay(&mut stage.model, recording::read(file).expect("it is whole"));
    stage
}

#[test]
fn a_recording_replays_to_the_same_frames_on_every_screen() {
    let (mut live, file) = recorded();
    let (mut one, mut two) = (replayed(&file), replayed(&file));
    // Back to the first second that both know.
    live.press(&"[ ".repeat(70));
    // A recording begins with the first second in which a view was heard.
    live.press("]");
    for step in 0..55 {
        for digit in ["1", "2", "3", "4", "5", "6"] {
            let frames = [&mut one, &mut two].map(|stage| {
                stage.press(digit);
                styled(&stage.draw(120, 36))
            });
            assert_eq!(frames[0], frames[1], "second {step}, screen {digit}");
            // The header and the scrubber say which of the two it is; the body is the same.
            live.press(digit);
            let body =
                |frame: &str| frame.lines().skip(2).take(40).map(str::to_owned).collect::<Vec<_>>();
            assert_eq!(body(&frames[0]), body(&styled(&live.draw(120, 36))), "second {step}");
        }
        for stage in [&mut live, &mut one, &mut two] {
            stage.press("]");
        }
    }
}

#[test]
fn the_past_shows_what_was_and_lets_nothing_be_done() {
    let (mut stage, _) = recorded();
    assert!(text(&stage.draw(120, 36)).contains("DOWN"));
    stage.press(&"[ ".repeat(40));
    let frame = text(&stage.draw(120, 36));
    assert!(frame.contains("PAST 14:02:") && !frame.contains("DOWN"), "{frame}");
    assert_eq!(stage.press("K"), []);
    let said = stage.model.status.as_ref().map(|status| status.text.clone()).unwrap_or_default();
    assert!(said.contains("this is the past"), "{said}");
    // } goes to the next thing that happened, L to now.
    stage.press("L");
    assert!(stage.model.held.is_none());
}

#[test]
fn playing_goes_on_by_itself_until_now() {
    let (mut stage, _) = recorded();
    stage.press("[ [ [ [ [ [ Space");
    let before = stage.model.shown_at();
    let now = stage.model.now;
    stage.say(Message::Tick { now_unix_ms: now + 2_000 });
    assert_eq!(stage.model.shown_at(), before + 2_000);
    stage.press("> >");
    stage.say(Message::Tick { now_unix_ms: now + 8_000 });
    assert!(stage.model.held.is_none(), "it has come to now");
}

#[test]
fn a_time_can_be_typed_and_nonsense_is_told() {
    let (mut stage, _) = recorded();
    stage.press("@ - 2 0 s Enter");
    assert_eq!(stage.model.shown_at(), START + 40_000);
    stage.press("@ 1 4 : 0 2 : 1 0 Enter");
    assert_eq!(stage.model.shown_at(), START + 10_000);
    stage.press("@ 1 4 : 0 2 : 3 0 Enter");
    assert_eq!(stage.model.shown_at(), START + 30_000, "forward, too");
    stage.press("@ x Enter");
    let frame = text(&stage.draw(120, 36));
    assert!(frame.contains("\"x\" is no time: try 14:02:10, -90s or -5m"), "{frame}");
}

#[test]
fn two_marked_moments_are_compared() {
    let (mut stage, _) = recorded();
    stage.press(&"[ ".repeat(45));
    stage.press("m L m");
    let frame = text(&stage.draw(120, 36));
    assert!(frame.contains("n3 UP → DOWN"), "{frame}");
    assert!(frame.contains("led by n3"), "{frame}");
}

#[test]
fn a_recording_that_was_cut_short_is_whole_up_to_there() {
    let (_, file) = recorded();
    let read = |file: &[u8]| recording::read(file);
    let cut = read(&file[..file.len() - 10]).expect("all but the last second");
    assert!(cut.cut_short);
    assert_eq!(cut.history.len() + 1, read(&file).expect("whole").history.len());
    let mut flipped = file.clone();
    let middle = file.len() / 2;
    flipped[middle] ^= 1;
    let damaged = read(&flipped).expect("whole up to the damage");
    assert!(damaged.cut_short && damaged.history.len() < cut.history.len());
    let error = read(b"#!/bin/sh\n").map(|_| ()).expect_err("another file");
    assert!(error.to_string().contains("--record FILE"), "{error}");
    let mut long = file[..22].to_vec();
    long.extend([0xff; 12]);
    read(&long).map(|_| ()).expect_err("an impossible length");
    assert_eq!(Second::default(), Second::default());
}
