//! The console over a toy cluster: `cargo run --example sim_console -- [kill] [cut] [ascii] ..`.
//!
//! No agent is started; it shows every screen without one, for pictures and for trying keys. With
//! `nodes=64 shards=4096` it is what the console's speed is measured with: the toy cluster lives on
//! a thread of its own, `toy`, whose time is not the console's.

#[path = "../src/tui/fixture.rs"]
mod fixture;

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use color_eyre::eyre::Result;
use evenkeel::tui::{ConsoleOptions, Effect, Feed, LinkState, Message, ThemeChoice};
use evenkeel_shared::ids::NodeId;
use evenkeel_shared::preflight::Action;
use fixture::World;
use tokio::sync::mpsc;

const QUEUE: usize = 1_024;
/// Seconds of history that are there at the start.
const HISTORY_SECS: u64 = 90;

struct SimFeed {
    world: Arc<Mutex<World>>,
    sender: mpsc::Sender<Message>,
    receiver: Option<mpsc::Receiver<Message>>,
    cut: bool,
    /// Whether it panics when it is asked for a pre-flight: what becomes of the terminal then?
    panics: bool,
}

impl Feed for SimFeed {
    fn messages(&mut self) -> mpsc::Receiver<Message> {
        let receiver = self.receiver.take().expect("called once");
        let telling = tell(self.world.clone(), self.sender.clone(), self.cut);
        let toy = std::thread::Builder::new().name("toy".into()).spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
            runtime.expect("a runtime can be had").block_on(telling);
        });
        toy.expect("a thread can be had");
        receiver
    }

    fn perform(&self, effect: Effect) {
        let (world, sender) = (self.world.clone(), self.sender.clone());
        assert!(!self.panics || !matches!(effect, Effect::Preflight { .. }), "as it was told to");
        tokio::spawn(async move {
            let mut messages = Vec::new();
            {
                let mut world = world.lock().expect("no holder panics");
                match effect {
                    Effect::Preflight { action } => {
                        let result = Ok(world.preflight(&action));
                        messages.push(Message::Preflighted { action, result });
                    }
                    Effect::Act { action, .. } => {
                        let before = world.events.len();
                        let result = Ok(world.act(&action));
                        messages.push(Message::Events(world.events[before..].to_vec()));
                        messages.push(Message::Acted { action, result });
                    }
                    _ => {}
                }
            }
            for message in messages {
                let _ = sender.send(message).await;
            }
        });
    }
}

/// What agents send: history first, then five reports a second and a view each second.
async fn tell(world: Arc<Mutex<World>>, sender: mpsc::Sender<Message>, cut: bool) {
    let all = world.lock().expect("no holder panics").node_ids();
    for node in &all {
        let state = LinkState::Connected;
        let _ =
            sender.send(Message::Link { address: address(*node), node: Some(*node), state }).await;
    }
    let start = now();
    for second in (0..HISTORY_SECS).rev() {
        let messages = moment(&world, start - second * 1_000, true);
        for message in messages {
            let _ = sender.send(message).await;
        }
    }
    let events = world.lock().expect("no holder panics").events.clone();
    let _ = sender.send(Message::Events(events)).await;
    let mut every = tokio::time::interval(Duration::from_millis(200));
    let mut beats = 0;
    loop {
        every.tick().await;
        beats += 1;
        if cut && beats > 5 {
            for node in &all {
                let state = LinkState::Lost { why: "refused".into() };
                let lost = Message::Link { address: address(*node), node: None, state };
                let _ = sender.send(lost).await;
            }
            return;
        }
        // A view comes once a second, reports five times.
        for message in moment(&world, now(), beats % 5 == 0) {
            if sender.send(message).await.is_err() {
                return;
            }
        }
    }
}

fn moment(world: &Mutex<World>, now: u64, viewed: bool) -> Vec<Message> {
    let mut world = world.lock().expect("no holder panics");
    let mut messages = vec![Message::Tick { now_unix_ms: now }];
    let news = world.advance(now);
    messages
        .extend(world.living().into_iter().map(|id| Message::Report(Box::new(world.report(id)))));
    if let Some(observer) = world.living().first().filter(|_| viewed) {
        messages.push(Message::View(Box::new(world.view(*observer))));
    }
    messages.extend((!news.is_empty()).then_some(Message::Events(news)));
    messages
}

fn address(node: NodeId) -> String {
    format!("127.0.0.1:{}", 7_400 + 10 * node.0)
}

fn now() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "the example's clock")]
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or_default()
}

#[tokio::main]
async fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let said = |word: &str| words.iter().any(|given| given == word);
    let count = |word: &str, usual: u32| {
        let given = words.iter().find_map(|given| given.strip_prefix(word)?.strip_prefix('='));
        given.and_then(|given| given.parse().ok()).unwrap_or(usual)
    };
    let (nodes, shards) = (count("nodes", 5), count("shards", 16));
    let mut world = World::new(now() - HISTORY_SECS * 1_000, nodes, shards);
    for hours in [50, 26, 3] {
        world.now = now() - hours * 3_600_000;
        world.back_up("/var/archive");
    }
    world.now = now() - HISTORY_SECS * 1_000;
    if said("kill") {
        world.now = now() - 14_200;
        world.act(&Action::Kill { node: NodeId(3), down_secs: None });
    }
    if said("drain") {
        world.act(&Action::Drain { node: NodeId(2), undo: false });
    }
    if said("restore") {
        world.restore("/var/archive", "b0410-full");
    }
    let (sender, receiver) = mpsc::channel(QUEUE);
    let feed = SimFeed {
        world: Arc::new(Mutex::new(world)),
        sender,
        receiver: Some(receiver),
        cut: said("cut"),
        panics: said("panic"),
    };
    let options = ConsoleOptions {
        unlocked: said("write"),
        read_only: said("read-only"),
        ascii: said("ascii"),
        theme: if said("light") { ThemeChoice::Light } else { ThemeChoice::Auto },
        title: "demo-eu".into(),
        ..ConsoleOptions::default()
    };
    evenkeel::tui::run(options, Box::new(feed)).await
}
