//! `POST /report`: what other systems say of a node, as JSON.
//!
//! Invariant: what comes this way has no name that is checked, so it weighs little: one source alone
//! never makes a node SLOW, and no number of them makes it DOWN.

use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode};
use serde::Deserialize;
use serde::de::Error as _;

use super::{TEXT, plain, response};

/// Longest body.
const BODY_BYTES_MAX: usize = 4 << 10;
/// How long the body may take to come in.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// Reports that are taken in a row, and how long until there is room for one more: each is an entry
/// of the system shard's log.
const BURST: u32 = 10;
const REFILL: Duration = Duration::from_secs(1);
/// Most that one source's word weighs here.
const WEIGHT_MAX: u16 = 50;
/// How long a report holds when it doesn't say.
const HOLDS_SECS: u64 = 600;
/// And at most: a day.
const HOLDS_SECS_MAX: u64 = 86_400;

/// What somebody says of a node.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Said {
    /// The node's name.
    pub node: String,
    /// What is wrong with it.
    pub reason: String,
    /// Who says so.
    pub source: String,
    /// How much the word weighs.
    #[serde(default = "most", deserialize_with = "weight")]
    pub weight: u16,
    /// For how long it holds.
    #[serde(default = "usual", deserialize_with = "holds")]
    pub for_secs: u64,
}

fn most() -> u16 {
    WEIGHT_MAX
}

fn usual() -> u64 {
    HOLDS_SECS
}

fn weight<'de, D: serde::Deserializer<'de>>(from: D) -> Result<u16, D::Error> {
    let weight = u16::deserialize(from)?;
    if (1..=WEIGHT_MAX).contains(&weight) {
        return Ok(weight);
    }
    Err(D::Error::custom(format!("weight is {weight}, not 1 to {WEIGHT_MAX}")))
}

fn holds<'de, D: serde::Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    let secs = u64::deserialize(from)?;
    if (1..=HOLDS_SECS_MAX).contains(&secs) {
        return Ok(secs);
    }
    Err(D::Error::custom(format!("for_secs is {secs}, not 1 to {HOLDS_SECS_MAX}")))
}

/// What became of a report; the error says what the caller should do.
pub type Taken = BoxFuture<'static, Result<(), String>>;

/// How many reports may still come now.
#[derive(Debug, Default)]
pub(super) struct Bucket(Mutex<(Duration, u32)>);

impl Bucket {
    /// Takes one, if there is one left.
    fn take(&self, now: Duration) -> bool {
        let mut state = self.0.lock().expect("no holder of this lock panics");
        let (since, used) = *state;
        let back = now.saturating_sub(since).as_secs() / REFILL.as_secs();
        let back = u32::try_from(back).unwrap_or(u32::MAX);
        let used = used.saturating_sub(back);
        *state = (if back > 0 { now } else { since }, (used + 1).min(BURST));
        used < BURST
    }
}

/// Reads and hands on one report.
pub(super) async fn take(
    request: Request<Incoming>,
    bucket: &Bucket,
    now: Duration,
    hand_on: impl FnOnce(Said) -> Taken,
) -> Response<Full<Bytes>> {
    let body = Limited::new(request.into_body(), BODY_BYTES_MAX).collect();
    let body = match tokio::time::timeout(BODY_TIMEOUT, body).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(_)) => return plain(StatusCode::PAYLOAD_TOO_LARGE, "at most 4096 bytes\n"),
        Err(_) => return plain(StatusCode::REQUEST_TIMEOUT, "the body did not come\n"),
    };
    let said: Said = match serde_json::from_slice(&body) {
        Ok(said) => said,
        Err(error) => {
            let expected = r#"{"node":"n1","reason":"..","source":".."}"#;
            let text = format!("{error}; expected {expected}\n");
            return response(StatusCode::BAD_REQUEST, TEXT, text);
        }
    };
    if !bucket.take(now) {
        return plain(StatusCode::TOO_MANY_REQUESTS, "one report a second: say it again later\n");
    }
    match hand_on(said).await {
        Ok(()) => plain(StatusCode::OK, "reported\n"),
        Err(why) => response(StatusCode::CONFLICT, TEXT, format!("{why}\n")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_taken_and_then_one_a_second() {
        let bucket = Bucket::default();
        let at = Duration::from_secs;
        let taken = |now| (0..20).filter(|_| bucket.take(now)).count();
        assert_eq!(taken(at(100)), 10);
        assert_eq!(taken(at(100)), 0);
        assert_eq!(taken(at(101)), 1);
        assert_eq!(taken(at(104)), 3);
        assert_eq!(taken(at(1_000)), 10);
    }

    #[test]
    fn a_report_names_node_reason_and_source_and_weighs_little() {
        let read = |text: &str| serde_json::from_str::<Said>(text).map_err(|e| e.to_string());
        let said = read(r#"{"node":"n1","reason":"smoke","source":"rack 3"}"#).unwrap();
        assert_eq!((said.weight, said.for_secs), (50, 600));
        for (text, named) in [
            (r#"{"node":"n1","reason":"smoke"}"#, "source"),
            (r#"{"node":"n1","reason":"x","source":"y","weight":51}"#, "weight"),
            (r#"{"node":"n1","reason":"x","source":"y","for_secs":0}"#, "for_secs"),
            (r#"{"node":"n1","reason":"x","source":"y","colour":"red"}"#, "colour"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(named), "{error}");
        }
    }
}
