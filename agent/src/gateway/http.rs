//! HTTP on `--http`, for monitors and load balancers: `/metrics`, `/health`, `/ready`, and a way for
//! other systems to say that something is wrong with a node (`/report`).
//!
//! Nothing here judges: every answer is a view that the control plane has computed. Each bound
//! that a stranger could press against stands here.

mod metrics;
mod report;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use evenkeel_shared::heartbeat::Report;
use evenkeel_shared::limits::TURN_AWAY_TIMEOUT;
use evenkeel_shared::view::{ClusterView, Health};
use evenkeel_shared::wire::impatient::Impatient;
use evenkeel_shared::wire::transport::BoxStream;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::AsyncWriteExt;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use report::Bucket;

use crate::env::net::{Accepted, Listener};
use crate::strangers::Strangers;

/// Monitors are few; whoever opens more has lost count.
const CONNECTIONS_MAX: usize = 64;
/// Longest request with its headers.
const REQUEST_BYTES_MAX: usize = 16 << 10;
/// How long a request may take to come in, and an open connection may say nothing.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// No connection is older: a monitor dials again.
const CONNECTION_AGE_MAX: Duration = Duration::from_secs(600);
/// How long to wait when the operating system has no connection to give.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What is there to be shown: owned here, implemented at the edge.
pub trait Monitored: Send + Sync {
    /// The cluster, as this node sees it.
    fn view(&self) -> ClusterView;
    /// This node.
    fn report(&self) -> Report;
    /// The agent's clock.
    fn now(&self) -> Duration;
    /// Somebody says something of a node.
    fn reported(&self, said: Said) -> Taken;
}

pub use report::{Said, Taken};

/// The HTTP listener.
#[derive(Clone)]
pub struct Http {
    /// What is shown.
    pub monitored: Arc<dyn Monitored>,
    /// Callers who break the rules.
    pub strangers: Arc<Strangers>,
    /// How many reports may still come now.
    reports: Arc<Bucket>,
}

impl Http {
    /// Shows this.
    pub fn new(monitored: Arc<dyn Monitored>, strangers: Arc<Strangers>) -> Self {
        Self { monitored, strangers, reports: Arc::default() }
    }

    /// Serves until it is stopped.
    pub async fn serve(self, mut listener: Box<dyn Listener>, stop: CancellationToken) {
        // Dropping it ends them all: an answer that is half out helps no monitor.
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                Some(ended) = connections.join_next() => {
                    if let Err(error) = ended {
                        tracing::error!(%error, "a connection's task has failed");
                    }
                }
                accepted = listener.accept() => {
                    match accepted {
                        Ok(Accepted { stream, from, .. }) if connections.len() >= CONNECTIONS_MAX => {
                            self.strangers.complain(from, "more http clients than are served at once");
                            turn_away(stream).await;
                        }
                        Ok(Accepted { stream, from, .. }) => {
                            connections.spawn(self.clone().connection(stream, from));
                        }
                        Err(error) => {
                            tracing::warn!(%error, "no connection could be accepted");
                            tokio::time::sleep(ACCEPT_PAUSE).await;
                        }
                    }
                }
            }
        }
    }

    async fn connection(self, stream: BoxStream, from: SocketAddr) {
        let strangers = self.strangers.clone();
        let answered = AtomicBool::new(false);
        let service = service_fn(|request: Request<Incoming>| {
            answered.store(true, Ordering::Relaxed);
            let http = &self;
            async move {
                let reports = request.method() == Method::POST && request.uri().path() == "/report";
                Ok::<_, Infallible>(if reports {
                    let (monitored, now) = (&http.monitored, http.monitored.now());
                    report::take(request, &http.reports, now, |said| monitored.reported(said)).await
                } else {
                    http.answer(request.method(), request.uri().path())
                })
            }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(REQUEST_TIMEOUT)
            .max_buf_size(REQUEST_BYTES_MAX)
            // Whoever has asked and says no more may still listen.
            .half_close(true)
            .serve_connection(TokioIo::new(Impatient::new(stream)), service);
        let Ok(Err(error)) = tokio::time::timeout(CONNECTION_AGE_MAX, connection).await else {
            return;
        };
        // A monitor may ask less often than it has to; but whoever dials has something to ask.
        let is_mute = error.is_timeout() && !answered.load(Ordering::Relaxed);
        if error.is_parse() || is_mute {
            strangers.complain(from, &format!("http client: {error}"));
        } else if let Some(stalled) = stalled(&error) {
            strangers.complain(from, &format!("http client: {stalled}"));
        } else {
            tracing::debug!(%from, %error, "http connection ended");
        }
    }

    fn answer(&self, method: &Method, path: &str) -> Response<Full<Bytes>> {
        if path == "/report" {
            let mut refusal = plain(StatusCode::METHOD_NOT_ALLOWED, "only POST\n");
            refusal.headers_mut().insert(ALLOW, "POST".parse().expect("plain ASCII"));
            return refusal;
        }
        if method != Method::GET && method != Method::HEAD {
            let mut refusal = plain(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
            refusal.headers_mut().insert(ALLOW, "GET, HEAD".parse().expect("plain ASCII"));
            return refusal;
        }
        match path {
            "/metrics" => {
                let text = metrics::text(&self.monitored.view(), &self.monitored.report());
                response(StatusCode::OK, OPEN_METRICS, text)
            }
            "/health" => health(&self.monitored.view()),
            "/ready" => ready(&self.monitored.view()),
            _ => plain(StatusCode::NOT_FOUND, "try /metrics, /health, /ready or POST /report\n"),
        }
    }
}

/// That there is an answer says that this agent lives; what is in it, how the cluster is.
fn health(view: &ClusterView) -> Response<Full<Bytes>> {
    let counts = view.counts;
    let body = serde_json::json!({
        "health": view.health,
        "nodes": { "total": counts.nodes_total, "up": counts.nodes_up },
        "shards": {
            "total": counts.shards_total,
            "ok": counts.shards_ok,
            "under_replicated": counts.shards_under_replicated,
            "unavailable": counts.shards_unavailable,
        },
    });
    response(StatusCode::OK, JSON, format!("{body}\n"))
}

/// Whether this node is worth a client's request: it knows the map, and all of it is served.
fn ready(view: &ClusterView) -> Response<Full<Bytes>> {
    let unavailable = view.counts.shards_unavailable;
    let why = if view.counts.shards_total == 0 {
        Some("this node knows of no shard yet\n".to_owned())
    } else if view.health == Health::Unavailable {
        Some(format!("{unavailable} shards can't be written, as this node sees it\n"))
    } else {
        None
    };
    match why {
        None => plain(StatusCode::OK, "ready\n"),
        Some(why) => response(StatusCode::SERVICE_UNAVAILABLE, TEXT, why),
    }
}

/// That what was sent was not taken, if this is why.
fn stalled(error: &hyper::Error) -> Option<&io::Error> {
    let cause = error.source()?.downcast_ref::<io::Error>()?;
    (cause.kind() == io::ErrorKind::TimedOut).then_some(cause)
}

/// A fresh connection takes an answer without waiting; if it doesn't, its client learns nothing.
async fn turn_away(mut stream: BoxStream) {
    let answer = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 22\r\n\
        connection: close\r\n\r\ntoo many connections\r\n";
    drop(tokio::time::timeout(TURN_AWAY_TIMEOUT, stream.write_all(answer)).await);
}

fn plain(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    response(status, TEXT, text)
}

fn response(
    status: StatusCode,
    content_type: &str,
    body: impl Into<Bytes>,
) -> Response<Full<Bytes>> {
    Response::builder()
        .status(status)
        .header(CONTENT_TYPE, content_type)
        .header(CACHE_CONTROL, "no-store")
        .body(Full::new(body.into()))
        .expect("status and headers are constants")
}
