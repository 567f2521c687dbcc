//! The live feed: one Watch connection to every agent, on which they report; and whatever the
//! operator asks, sent to one of them.
//!
//! It dials the seeds first and then every node that a view names. A lost agent is dialled again,
//! for ever; nothing here waits on another connection.

mod drill;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use evenkeel_shared::client::{Pool, PoolConfig};
use evenkeel_shared::error::AdminError;
use evenkeel_shared::event::Event;
use evenkeel_shared::heartbeat::Report;
use evenkeel_shared::preflight::Action;
use evenkeel_shared::service::admin::AdminClient;
use evenkeel_shared::service::watch::{Watch, WatchRequest, WatchResponse};
use evenkeel_shared::view::ClusterView;
use evenkeel_shared::wire::codec::ServerTransport;
use evenkeel_shared::wire::deadline::Deadline;
use evenkeel_shared::wire::hello::{Caller, Service};
use evenkeel_shared::wire::serve::{serve, server_config};
use evenkeel_shared::wire::tcp::Tcp;
use tarpc::client::RpcError;
use tarpc::context::Context;
use tarpc::server::{BaseChannel, Channel};
use tokio::sync::mpsc;

use super::{DrillOffer, Effect, Feed, LinkState, Message};
use drill::Drills;

/// Messages that may wait for the screen; agents are held up beyond it.
const MESSAGES_MAX: usize = 4_096;
/// Between two dials of an agent that does not answer.
const REDIAL: Duration = Duration::from_millis(500);
/// How long a pre-flight may take, and an act.
const PREFLIGHT_MAX: Duration = Duration::from_secs(5);
const ACT_MAX: Duration = Duration::from_secs(60);
/// How long one agent may take over a question that changes nothing.
const ASK_MAX: Duration = Duration::from_secs(2);

/// Agents, live.
pub struct LiveFeed {
    inner: Arc<Inner>,
    messages: Option<mpsc::Receiver<Message>>,
}

struct Inner {
    pool: Pool,
    messages: mpsc::Sender<Message>,
    /// Addresses that are watched.
    watched: Mutex<BTreeSet<String>>,
    /// Addresses that answer now, and the one that answered a pre-flight last: a plan is carried
    /// out by whoever made it.
    open: Mutex<(BTreeSet<String>, Option<String>)>,
    drills: Arc<Drills>,
}

impl LiveFeed {
    /// Watches these agents, and those that they know.
    pub fn start(seeds: &[String]) -> Self {
        let pool = Pool::new(PoolConfig {
            dial: Arc::new(Tcp),
            caller: Caller::Client("evenkeel console".to_owned()),
            cluster: None,
        });
        let (sender, messages) = mpsc::channel(MESSAGES_MAX);
        let drills = Arc::new(Drills::new(pool.clone(), seeds.to_vec(), sender.clone()));
        let inner = Arc::new(Inner {
            pool,
            messages: sender,
            watched: Mutex::default(),
            open: Mutex::default(),
            drills,
        });
        for seed in seeds {
            inner.watch(seed);
        }
        Self { inner, messages: Some(messages) }
    }
}

impl Feed for LiveFeed {
    fn messages(&mut self) -> mpsc::Receiver<Message> {
        self.messages.take().expect("the loop asks once")
    }

    fn drills(&self) -> Vec<DrillOffer> {
        drill::offers()
    }

    fn perform(&self, effect: Effect) {
        let inner = self.inner.clone();
        tokio::spawn(async move {
            let message = match effect {
                Effect::Preflight { action } => {
                    let result = inner.preflight(&action).await;
                    Message::Preflighted { action, result }
                }
                Effect::Act { action, revision } => {
                    let result = inner.act(&action, revision).await;
                    Message::Acted { action, result }
                }
                Effect::Explain { shard } => {
                    let result = inner
                        .ask(|admin, by| async move { admin.explain(by.context(), shard).await })
                        .await;
                    Message::Explained { shard, result: result.map(Box::new) }
                }
                Effect::Foresee { node } => {
                    let action = &Action::Kill { node, down_secs: None };
                    let result = inner
                        .ask(|admin, by| async move {
                            admin.preflight(by.context(), action.clone()).await
                        })
                        .await;
                    Message::Foreseen { node, result: result.map(Box::new) }
                }
                Effect::Judge { node } => {
                    let result = inner
                        .ask(|admin, by| async move { admin.dossier(by.context(), node).await })
                        .await;
                    Message::Judged { node, result: result.map(Box::new) }
                }
                Effect::Plan => {
                    let plan = inner
                        .ask(|admin, by| async move { admin.plan(by.context()).await.map(Ok) })
                        .await;
                    Message::Planned(plan.map(Box::new))
                }
                Effect::WhatIf { changes } => {
                    let asked = &changes;
                    let result =
                        inner
                            .ask(|admin, by| async move {
                                admin.what_if(by.context(), asked.clone()).await
                            })
                            .await;
                    Message::WhatIf { changes, result: result.map(Box::new) }
                }
                Effect::Declared => {
                    let declared = inner
                        .ask(|admin, by| async move { admin.recovery(by.context()).await.map(Ok) })
                        .await;
                    Message::Declared(declared.map(Box::new))
                }
                Effect::BriefDrill { name } => return inner.drills.brief(name).await,
                Effect::Drill { name, brief } => {
                    let actor = format!("drill {name}, console of {}", operator_name());
                    return inner.drills.clone().run(name, brief, actor).await;
                }
                Effect::EndDrill => return inner.drills.end(),
                _ => return,
            };
            // The screen may be gone.
            let _ = inner.messages.send(message).await;
        });
    }
}

impl Inner {
    fn watch(self: &Arc<Self>, address: &str) {
        let new = self.watched().insert(address.to_owned());
        if new {
            tokio::spawn(self.clone().watch_for_ever(address.to_owned()));
        }
    }

    async fn watch_for_ever(self: Arc<Self>, address: String) {
        loop {
            self.tell(&address, None, LinkState::Connecting).await;
            let why = match self.pool.call(&address, Service::Watch).await {
                Ok((welcome, frames)) => {
                    self.open().0.insert(address.clone());
                    self.tell(&address, welcome.node, LinkState::Connected).await;
                    let transport = ServerTransport::<WatchRequest, WatchResponse>::new(frames);
                    let console = Console(self.clone());
                    let channel = BaseChannel::new(server_config(), transport);
                    serve(channel.execute(console.serve())).await;
                    self.open().0.remove(&address);
                    "connection closed".to_owned()
                }
                Err(error) => error.to_string(),
            };
            self.tell(&address, None, LinkState::Lost { why }).await;
            tokio::time::sleep(REDIAL).await;
        }
    }

    async fn tell(
        &self,
        address: &str,
        node: Option<evenkeel_shared::ids::NodeId>,
        state: LinkState,
    ) {
        let message = Message::Link { address: address.to_owned(), node, state };
        // The screen may be gone.
        let _ = self.messages.send(message).await;
    }

    async fn preflight(
        &self,
        action: &Action,
    ) -> Result<evenkeel_shared::preflight::Preflight, AdminError> {
        let mut last = unreachable("no agent is connected");
        for address in self.candidates() {
            let deadline = Deadline::after(PREFLIGHT_MAX);
            let Ok(admin) = self.admin(&address).await else { continue };
            match admin.preflight(deadline.context(), action.clone()).await {
                Ok(answer) => {
                    self.open().1 = Some(address);
                    return answer;
                }
                Err(error) => last = unreachable(&format!("{address}: {error}")),
            }
        }
        Err(last)
    }

    /// Asks one agent after another until one answers.
    async fn ask<T, F>(
        &self,
        question: impl Fn(AdminClient, Deadline) -> F,
    ) -> Result<T, AdminError>
    where
        F: Future<Output = Result<Result<T, AdminError>, RpcError>>,
    {
        let mut last = unreachable("no agent is connected");
        for address in self.candidates() {
            let Ok(admin) = self.admin(&address).await else { continue };
            match question(admin, Deadline::after(ASK_MAX)).await {
                Ok(answer) => return answer,
                Err(error) => last = unreachable(&format!("{address}: {error}")),
            }
        }
        Err(last)
    }

    /// Asks one agent only: an act whose answer got lost may have been done.
    async fn act(
        &self,
        action: &Action,
        revision: u64,
    ) -> Result<evenkeel_shared::preflight::Outcome, AdminError> {
        let address = self.open().1.clone().or_else(|| self.candidates().into_iter().next());
        let Some(address) = address else { return Err(unreachable("no agent is connected")) };
        let admin = self.admin(&address).await?;
        let actor = format!("console of {}", operator_name());
        let context = Deadline::after(ACT_MAX).context();
        let answer = admin.act(context, action.clone(), revision, actor).await;
        answer.unwrap_or_else(|error| {
            Err(unreachable(&format!("{address} did not answer, it may have been done: {error}")))
        })
    }

    async fn admin(&self, address: &str) -> Result<AdminClient, AdminError> {
        self.pool.admin(address).await.map_err(|error| unreachable(&error.to_string()))
    }

    /// Who answered last comes first.
    fn candidates(&self) -> Vec<String> {
        let open = self.open();
        let first = open.1.iter().filter(|address| open.0.contains(*address));
        let others = open.0.iter().filter(|address| Some(*address) != open.1.as_ref());
        first.chain(others).cloned().collect()
    }

    fn watched(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        self.watched.lock().expect("no holder of this lock panics")
    }

    fn open(&self) -> std::sync::MutexGuard<'_, (BTreeSet<String>, Option<String>)> {
        self.open.lock().expect("no holder of this lock panics")
    }
}

/// What agents call.
#[derive(Clone)]
struct Console(Arc<Inner>);

impl Watch for Console {
    async fn heartbeat(self, _: Context, report: Box<Report>) {
        // The screen may be gone.
        let _ = self.0.messages.send(Message::Report(report)).await;
    }

    async fn event(self, _: Context, event: Event) {
        let _ = self.0.messages.send(Message::Event(Box::new(event))).await;
    }

    async fn view(self, _: Context, view: Box<ClusterView>) {
        for node in &view.nodes {
            self.0.watch(&node.addresses.rpc);
        }
        let _ = self.0.messages.send(Message::View(view)).await;
    }
}

fn operator_name() -> String {
    std::env::var("USER").unwrap_or_else(|_| "an operator".to_owned())
}

fn unreachable(why: &str) -> AdminError {
    AdminError::Unavailable { why: why.to_owned() }
}
