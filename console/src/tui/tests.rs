//! What the console does with keys and messages, how every screen looks, and that no size breaks
//! it.

mod acts;
mod anywhere;
mod draw;
mod everything;
mod keys;
mod past;
mod screens;
mod styled;
mod time;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use evenkeel_shared::ids::NodeId;
use jiff::tz::TimeZone;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;

use super::fixture::World;
use super::hits::Hits;
use super::model::Model;
use super::model::layer::Layer;
use super::theme::Theme;
use super::update::update;
use super::view::view;
use super::{ConsoleOptions, DrillOffer, Effect, LinkState, Message, ThemeChoice};

/// 2026-11-23 14:02:00 UTC.
const START: u64 = 1_795_442_520_000;

/// A console beside a toy cluster.
pub(super) struct Stage {
    pub(super) model: Model,
    pub(super) world: World,
}

impl Stage {
    /// A console that has heard of nobody.
    pub(super) fn empty(options: &ConsoleOptions) -> Self {
        let theme = Theme::new(ThemeChoice::Dark, options.ascii, true);
        let mut model = Model::new(options, theme, TimeZone::UTC, START);
        let about = "takes the busiest leader away".into();
        model.drills = vec![DrillOffer { name: "kill-leader".into(), about }];
        Self { model, world: World::new(START, 5, 16) }
    }

    /// A console that has watched a healthy cluster for so many seconds.
    pub(super) fn watching(options: &ConsoleOptions, seconds: u64) -> Self {
        let mut stage = Self::empty(options);
        for node in stage.world.node_ids() {
            let address = format!("127.0.0.1:{}", 7_400 + 10 * node.0);
            stage.say(Message::Link { address, node: Some(node), state: LinkState::Connected });
        }
        stage.world.back_up("/var/archive");
        stage.pass(seconds);
        stage
    }

    /// Lets seconds pass, with everything that the agents send in them.
    pub(super) fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.world.advance(self.model.now + 1_000);
            self.hear();
        }
    }

    /// What the agents send at one moment; what the second that has passed leads to.
    pub(super) fn hear(&mut self) -> Vec<Effect> {
        let effects = self.say(Message::Tick { now_unix_ms: self.world.now });
        for node in self.world.living() {
            self.say(Message::Report(Box::new(self.world.report(node))));
        }
        let observer = self.world.living()[0];
        self.say(Message::View(Box::new(self.world.view(observer))));
        self.say(Message::Events(self.world.events.clone()));
        effects
    }

    /// Whether a harmful act lies open, to be confirmed.
    pub(super) fn is_asking(&self) -> bool {
        self.model.layers.iter().any(|layer| matches!(layer, Layer::Dialog(_) | Layer::Drill(_)))
    }

    /// Every connection is lost, and time goes on.
    pub(super) fn cut_off(&mut self, seconds: u64) {
        for node in self.world.node_ids() {
            let address = format!("127.0.0.1:{}", 7_400 + 10 * node.0);
            let state = LinkState::Lost { why: "refused".into() };
            self.say(Message::Link { address, node: None, state });
        }
        self.say(Message::Tick { now_unix_ms: self.model.now + seconds * 1_000 });
    }

    pub(super) fn say(&mut self, message: Message) -> Vec<Effect> {
        update(&mut self.model, message)
    }

    /// Presses keys by name; the effects of the last one are returned.
    pub(super) fn press(&mut self, keys: &str) -> Vec<Effect> {
        let mut effects = Vec::new();
        for name in keys.split_whitespace() {
            let code = match name {
                "Enter" => KeyCode::Enter,
                "Esc" => KeyCode::Esc,
                "Tab" => KeyCode::Tab,
                "Right" => KeyCode::Right,
                "Space" => KeyCode::Char(' '),
                name => KeyCode::Char(name.chars().next().expect("not empty")),
            };
            effects = self.say(Message::Key(KeyEvent::new(code, KeyModifiers::NONE)));
            // What a screen wants to know beside is asked whatever is pressed.
            let asks = |effect: &Effect| {
                matches!(
                    effect,
                    Effect::Explain { .. }
                        | Effect::Judge { .. }
                        | Effect::Foresee { .. }
                        | Effect::Plan
                )
            };
            effects.retain(|effect| !asks(effect));
        }
        effects
    }

    /// Answers a pre-flight as the toy cluster would.
    pub(super) fn answer(&mut self, effects: &[Effect]) {
        for effect in effects {
            if let Effect::Preflight { action } = effect {
                let result = Ok(self.world.preflight(action));
                self.say(Message::Preflighted { action: action.clone(), result });
            }
        }
    }

    /// Kills a node of the toy cluster, and lets the console hear of it.
    pub(super) fn kill(&mut self, node: u32) {
        let action =
            evenkeel_shared::preflight::Action::Kill { node: NodeId(node), down_secs: None };
        self.world.act(&action);
        self.pass(3);
    }

    /// One frame.
    pub(super) fn draw(&self, width: u16, height: u16) -> Buffer {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("in memory");
        let hits = Hits::default();
        terminal.draw(|frame| view(&self.model, frame, &hits)).expect("in memory");
        terminal.backend().buffer().clone()
    }
}

pub(super) fn unlocked() -> ConsoleOptions {
    ConsoleOptions { unlocked: true, title: "demo-eu".into(), ..ConsoleOptions::default() }
}

pub(super) fn locked() -> ConsoleOptions {
    ConsoleOptions { title: "demo-eu".into(), ..ConsoleOptions::default() }
}
