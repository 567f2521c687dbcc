//! No size, state or key makes the console panic.

use evenkeel_shared::preflight::{Harm, Preflight};
use proptest::prelude::*;

use super::{Stage, locked, unlocked};
use crate::tui::model::layer::Layer;
use crate::tui::{ConsoleOptions, Effect, Message};

fn stage(state: u8) -> Stage {
    match state {
        0 => Stage::empty(&locked()),
        1 => Stage::watching(&unlocked(), 3),
        2 => {
            let mut stage = Stage::watching(&ConsoleOptions { ascii: true, ..unlocked() }, 2);
            stage.kill(3);
            stage.kill(1);
            stage
        }
        4 => {
            let mut stage = Stage::watching(&unlocked(), 20);
            stage.kill(2);
            stage.press("[ [ [ m");
            stage
        }
        5 => {
            let mut stage = Stage::watching(&ConsoleOptions { ascii: true, ..unlocked() }, 9);
            stage.press("4 [ Space");
            stage
        }
        _ => {
            let mut stage = Stage::watching(&unlocked(), 2);
            stage.world.restore("/a", "b");
            stage.pass(1);
            stage.cut_off(3);
            stage
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn any_size_draws_in_any_state(
        state in 0u8..6,
        sizes in prop::collection::vec((1u16..=300, 1u16..=100), 4),
        keys in "[1234560jkhlgGsvfotpW/?:@KFDEMXZCHPISbRAUyYnq!w+z0\\[\\]{}m<> L-]{0,14}",
    ) {
        let mut stage = stage(state);
        for key in keys.chars() {
            let asked = stage.press(&if key == ' ' { "Space".into() } else { key.to_string() });
            stage.answer(&asked);
            prop_assert!(stage.model.layers.len() < 8);
        }
        for (width, height) in sizes {
            stage.say(Message::Resize { width, height });
            stage.draw(width, height);
        }
    }

    #[test]
    fn no_act_leaves_without_its_preflight_being_confirmed(
        harm in prop_oneof![Just(Harm::None), Just(Harm::Risk), Just(Harm::Break)],
        keys in "[ynN3OVERID ]{0,12}",
    ) {
        let mut stage = Stage::watching(&unlocked(), 1);
        let asked = stage.press("K");
        let Some(Effect::Preflight { action }) = asked.first().cloned() else {
            return Err(TestCaseError::fail("K asks first"));
        };
        stage.say(Message::Preflighted {
            action,
            result: Ok(Preflight { revision: 7, harm, ..Preflight::default() }),
        });
        let mut sent = false;
        for key in keys.chars() {
            let key = if key == ' ' { "Space".into() } else { key.to_string() };
            sent |= matches!(stage.press(&key).first(), Some(Effect::Act { .. }));
        }
        let first = keys.chars().find(|key| "ynN".contains(*key));
        prop_assert_eq!(sent, harm == Harm::None && first == Some('y'));
        prop_assert!(harm == Harm::None || matches!(stage.model.layers.last(), Some(Layer::Dialog(_))));
    }
}
