//! How long one frame takes to draw, screen by screen: a figure, not a verdict.

use std::time::{Duration, Instant};

use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::{Stage, unlocked};
use crate::tui::action::Screen;
use crate::tui::fixture::World;
use crate::tui::hits::Hits;
use crate::tui::view::view;

/// Frames of each.
const FRAMES: usize = 400;

/// `cargo test --release -p evenkeel --lib how_long_a_frame -- --ignored --nocapture`.
#[test]
#[ignore = "it measures"]
#[expect(clippy::disallowed_methods, reason = "it measures")]
fn how_long_a_frame_takes() {
    for (nodes, shards) in [(64, 4_096), (64, 10_000)] {
        let mut stage = Stage::empty(&unlocked());
        stage.world = World::new(stage.model.now, nodes, shards);
        stage.pass(30);
        for (width, height) in [(80, 24), (120, 36), (240, 70)] {
            for screen in Screen::ALL {
                stage.press(&screen.digit().to_string());
                let mut terminal =
                    Terminal::new(TestBackend::new(width, height)).expect("in memory");
                let mut took: Vec<Duration> = Vec::new();
                for _ in 0..FRAMES {
                    let hits = Hits::default();
                    let began = Instant::now();
                    terminal.draw(|frame| view(&stage.model, frame, &hits)).expect("in memory");
                    took.push(began.elapsed());
                }
                took.sort_unstable();
                let (median, p99) = (took[FRAMES / 2], took[FRAMES * 99 / 100]);
                println!(
                    "{nodes} nodes {shards} shards {width}x{height} {:<8} median {median:>8.1?} \
                     p99 {p99:>8.1?}",
                    screen.name()
                );
            }
        }
    }
}
