//! Every screen at three sizes, healthy, with a node down, cut off, knowing nothing, and in the past:
//! characters, and below each line its runs of colour and weight.

use super::styled::{styled, text};
use super::{Stage, locked, unlocked};
use crate::tui::ConsoleOptions;
use crate::tui::action::Screen;

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 36), (200, 50)];

fn stages() -> [(&'static str, Stage); 5] {
    let healthy = Stage::watching(&unlocked(), 40);
    let mut degraded = Stage::watching(&unlocked(), 40);
    degraded.kill(3);
    let mut cut_off = Stage::watching(&locked(), 40);
    cut_off.cut_off(12);
    let addresses = vec!["127.0.0.1:7410".into(), "127.0.0.1:7420".into()];
    let empty = Stage::empty(&ConsoleOptions { addresses, ..locked() });
    let mut past = Stage::watching(&unlocked(), 40);
    past.kill(3);
    past.press("[ [ {");
    [
        ("healthy", healthy),
        ("degraded", degraded),
        ("cut_off", cut_off),
        ("empty", empty),
        ("past", past),
    ]
}

#[test]
fn every_screen_in_every_state() {
    for (state, mut stage) in stages() {
        for screen in Screen::ALL {
            stage.press(&screen.digit().to_string());
            for (width, height) in SIZES {
                let name = format!("{}_{state}_{width}x{height}", screen.name().to_lowercase());
                insta::assert_snapshot!(name, styled(&stage.draw(width, height)));
            }
        }
    }
}

#[test]
fn dialogs_help_and_details() {
    let mut stage = Stage::watching(&unlocked(), 40);
    let asked = stage.press("j K");
    insta::assert_snapshot!("kill_asking_80x24", text(&stage.draw(80, 24)));
    stage.answer(&asked);
    insta::assert_snapshot!("kill_harmless_80x24", text(&stage.draw(80, 24)));
    stage.press("Esc");
    stage.kill(3);
    let asked = stage.press("K");
    stage.answer(&asked);
    insta::assert_snapshot!("kill_breaks_120x36", text(&stage.draw(120, 36)));
    stage.press("Esc ?");
    for (width, height) in SIZES {
        let frame = text(&stage.draw(width, height));
        insta::assert_snapshot!(format!("help_{width}x{height}"), frame);
    }
    for digit in ["1", "2", "5", "6"] {
        stage.press("q");
        stage.press(&format!("{digit} Enter"));
        insta::assert_snapshot!(format!("detail_{digit}_80x24"), text(&stage.draw(80, 24)));
    }
}

#[test]
fn a_restore_that_waits_for_its_operator() {
    let mut stage = Stage::watching(&unlocked(), 10);
    stage.world.restore("/var/archive", "b0409-full");
    stage.pass(2);
    stage.press("5");
    insta::assert_snapshot!("backups_restore_120x36", text(&stage.draw(120, 36)));
}

#[test]
fn ascii_draws_no_other_characters() {
    let mut stage = Stage::watching(&ConsoleOptions { ascii: true, ..unlocked() }, 40);
    stage.kill(3);
    for screen in Screen::ALL {
        stage.press(&screen.digit().to_string());
        let frame = text(&stage.draw(120, 36));
        let other: String = frame.chars().filter(|c| !c.is_ascii()).collect();
        assert_eq!(other, "", "{screen:?}");
    }
}
