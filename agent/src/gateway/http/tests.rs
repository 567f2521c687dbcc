//! Requests as bytes over an in-memory connection, and what comes back.

use std::net::SocketAddr;

use evenkeel_shared::heartbeat::{Load, PeerReport};
use evenkeel_shared::ids::{Incarnation, NodeId, ShardId};
use evenkeel_shared::view::HealthCounts;
use futures::future::BoxFuture;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::mpsc;

use super::*;

struct Canned(ClusterView);

impl Monitored for Canned {
    fn now(&self) -> Duration {
        Duration::from_secs(100)
    }

    fn reported(&self, said: Said) -> Taken {
        let known = said.node == "n1";
        Box::pin(async move { if known { Ok(()) } else { Err("no node is named so".to_owned()) } })
    }

    fn view(&self) -> ClusterView {
        self.0.clone()
    }

    fn report(&self) -> Report {
        Report {
            node: NodeId(1),
            name: "n1".to_owned(),
            incarnation: Incarnation(3),
            unix_ms: 0,
            load: Load { writes_s: 12.5, write_p99_us: None, ..Load::default() },
            revision: 7,
            peers: vec![PeerReport {
                node: NodeId(2),
                phi: Some(0.5),
                heard_ms: Some(20),
                round_trip_us: None,
                dead: false,
            }],
            leads: vec![(ShardId(4), 2.0)],
        }
    }
}

struct Handed(mpsc::Receiver<DuplexStream>);

impl Listener for Handed {
    fn accept(&mut self) -> BoxFuture<'_, io::Result<Accepted>> {
        Box::pin(async {
            match self.0.recv().await {
                Some(stream) => {
                    let (stream, from) = (Box::new(stream), ([127, 0, 0, 1], 1).into());
                    Ok(Accepted { stream, from, kept: None })
                }
                None => std::future::pending().await,
            }
        })
    }

    fn local_address(&self) -> io::Result<SocketAddr> {
        Ok(([127, 0, 0, 1], 80).into())
    }
}

/// Sends bytes to a server that shows this view; everything that it answers.
async fn send(view: ClusterView, request: &[u8]) -> String {
    let (hand, handed) = mpsc::channel(1);
    let stop = CancellationToken::new();
    let http = Http::new(Arc::new(Canned(view)), Strangers::new(crate::env::Env::real().clock));
    let serving = tokio::spawn(http.serve(Box::new(Handed(handed)), stop.clone()));
    let (mut client, server) = tokio::io::duplex(1 << 20);
    hand.send(server).await.unwrap();
    // The server may turn the request down before it has read all of it.
    let _ = client.write_all(request).await;
    let mut answer = Vec::new();
    let read = client.read_to_end(&mut answer);
    tokio::time::timeout(Duration::from_secs(60), read).await.unwrap().unwrap();
    stop.cancel();
    serving.await.unwrap();
    String::from_utf8(answer).unwrap()
}

async fn get(view: ClusterView, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nhost: n1\r\nconnection: close\r\n\r\n");
    send(view, request.as_bytes()).await
}

fn with(health: Health, counts: HealthCounts) -> ClusterView {
    ClusterView { health, counts, ..ClusterView::default() }
}

#[tokio::test]
async fn metrics_leave_out_what_nobody_has_reported() {
    let text = get(ClusterView::default(), "/metrics").await;
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    assert!(text.contains("\nevenkeel_writes_per_second 12.5\n"), "{text}");
    assert!(text.contains("\nevenkeel_shard_operations_per_second{shard=\"s4\"} 2.0\n"), "{text}");
    assert!(text.contains("evenkeel_peer_phi{peer="), "{text}");
    for unknown in ["write_p99", "cpu_cores", "resident_memory", "peer_round_trip"] {
        assert!(!text.contains(unknown), "{unknown} is not known: {text}");
    }
    assert!(text.ends_with("# EOF\n"), "{text}");
}

#[tokio::test]
async fn a_node_is_ready_once_it_knows_shards_and_all_of_them_can_be_written() {
    let none = with(Health::Ok, HealthCounts::default());
    assert!(get(none, "/ready").await.starts_with("HTTP/1.1 503"));
    let counts = HealthCounts { shards_total: 4, shards_unavailable: 1, ..HealthCounts::default() };
    let text = get(with(Health::Unavailable, counts), "/ready").await;
    assert!(text.starts_with("HTTP/1.1 503") && text.contains("1 shards"), "{text}");
    let text = get(with(Health::Degraded, counts), "/ready").await;
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
}

#[tokio::test]
async fn health_answers_while_the_agent_lives_and_says_how_the_cluster_is() {
    let text = get(with(Health::Unavailable, HealthCounts::default()), "/health").await;
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    assert!(text.contains(r#""health":"unavailable""#), "{text}");
}

#[tokio::test]
async fn what_makes_no_sense_gets_an_answer_and_nothing_more() {
    let view = ClusterView::default;
    let text = get(view(), "/admin").await;
    assert!(text.starts_with("HTTP/1.1 404") && text.contains("/metrics"), "{text}");
    let post =
        b"POST /metrics HTTP/1.1\r\nhost: n1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    assert!(send(view(), post).await.starts_with("HTTP/1.1 405"));
    assert!(
        send(view(), b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n").await.starts_with("HTTP/1.1 400")
    );
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(2 * REQUEST_BYTES_MAX));
    assert!(send(view(), long.as_bytes()).await.starts_with("HTTP/1.1 4"), "too long");
}

#[tokio::test]
async fn reports_are_taken_or_told_what_is_wrong_with_them() {
    let post = |body: &str| {
        let length = body.len();
        format!(
            "POST /report HTTP/1.1\r\nhost: n1\r\ncontent-length: {length}\r\n\
             connection: close\r\n\r\n{body}"
        )
    };
    let say = async |body: &str| send(ClusterView::default(), post(body).as_bytes()).await;
    let taken = say(r#"{"node":"n1","reason":"smoke","source":"rack"}"#).await;
    assert!(taken.starts_with("HTTP/1.1 200") && taken.ends_with("reported\n"), "{taken}");
    let unknown = say(r#"{"node":"n9","reason":"smoke","source":"rack"}"#).await;
    assert!(unknown.starts_with("HTTP/1.1 409"), "{unknown}");
    let odd = say("smoke!").await;
    assert!(odd.starts_with("HTTP/1.1 400") && odd.contains("expected"), "{odd}");
    assert!(say(&"x".repeat(5_000)).await.starts_with("HTTP/1.1 413"));
    assert!(get(ClusterView::default(), "/report").await.starts_with("HTTP/1.1 405"));
}

#[tokio::test(start_paused = true)]
async fn whoever_asks_nothing_or_by_halves_is_let_go() {
    for begun in ["", "GET /hea", "GET /health HTTP/1.1\r\nhost: n1\r\n"] {
        assert_eq!(send(ClusterView::default(), begun.as_bytes()).await, "");
    }
}
