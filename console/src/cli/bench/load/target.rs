//! Whom the load is sent to: the store over its own protocol, or whatever speaks Redis'.

use bytes::Bytes;
use evenkeel_shared::client::{ClientError, StoreHandle};
use evenkeel_shared::command::WriteAction;
use evenkeel_shared::error::StoreError;
use futures::future::try_join_all;
use redis::aio::MultiplexedConnection;
use redis::cluster_async::ClusterConnection;

use super::LoadArguments;
use crate::cli::{CliError, Session};

/// Milliseconds that a `WAIT` may take.
const WAIT_MS: u32 = 10_000;

/// Where connections go.
pub(super) enum Target {
    Store(StoreHandle),
    Resp { servers: Vec<redis::Client>, next: std::sync::atomic::AtomicUsize, wait: u8 },
    RespCluster { client: redis::cluster::ClusterClient, wait: u8 },
}

/// One client's way.
pub(super) enum Connection {
    Store(StoreHandle),
    Resp(MultiplexedConnection, u8),
    RespCluster(ClusterConnection, u8),
}

/// One request.
pub(super) enum Request {
    Put(Vec<Bytes>, Bytes),
    Get(Vec<Bytes>),
}

/// Why there is no answer that counts.
#[derive(Debug)]
pub(super) enum Failure {
    Client(ClientError),
    /// The server says no.
    Refused(redis::RedisError),
    /// The connection broke or was silent for too long: the outcome is not known.
    Lost,
    /// A write is not on as many disks as was asked for.
    TooFewReplicas,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Client(error) => write!(f, "{error}"),
            Self::Refused(error) => write!(f, "{error}"),
            Self::Lost => write!(f, "the connection broke"),
            Self::TooFewReplicas => write!(f, "too few replicas had the write in time"),
        }
    }
}

impl Failure {
    /// Whether there is too much to do.
    pub(super) fn is_busy(&self) -> bool {
        match self {
            Self::Client(ClientError::Refused(error)) => matches!(error, StoreError::Busy { .. }),
            Self::Refused(error) => {
                error.code() == Some("TRYAGAIN")
                    && error.detail().is_some_and(|detail| detail.starts_with("busy"))
            }
            Self::Client(ClientError::Unavailable { .. } | ClientError::Unknown { .. })
            | Self::Lost
            | Self::TooFewReplicas => false,
        }
    }
}

impl Target {
    pub(super) async fn open(
        session: &Session,
        arguments: &LoadArguments,
    ) -> Result<Self, CliError> {
        let wait = arguments.wait;
        if !arguments.resp_cluster.is_empty() {
            let nodes = arguments.resp_cluster.iter().map(|address| url(address));
            let client = redis::cluster::ClusterClient::new(nodes.collect::<Vec<_>>())
                .map_err(|error| unreachable(&arguments.resp_cluster, &error))?;
            return Ok(Self::RespCluster { client, wait });
        }
        if !arguments.resp.is_empty() {
            let servers = arguments.resp.iter().map(|address| redis::Client::open(url(address)));
            let servers = servers
                .collect::<Result<_, _>>()
                .map_err(|error| unreachable(&arguments.resp, &error))?;
            return Ok(Self::Resp { servers, next: 0.into(), wait });
        }
        // Nothing is measured of a cluster that isn't there.
        session.view().await?;
        Ok(Self::Store(arguments.writing.store(session).await?))
    }

    pub(super) async fn connection(&self) -> Result<Connection, CliError> {
        match self {
            Self::Store(store) => Ok(Connection::Store(store.clone())),
            Self::Resp { servers, next, wait } => {
                let nth = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                let server = &servers[nth % servers.len()];
                let address = [server.get_connection_info().addr().to_string()];
                let open = server.get_multiplexed_async_connection().await;
                open.map(|open| Connection::Resp(open, *wait))
                    .map_err(|error| unreachable(&address, &error))
            }
            Self::RespCluster { client, wait } => {
                let open = client.get_async_connection().await;
                open.map(|open| Connection::RespCluster(open, *wait))
                    .map_err(|error| unreachable(&["the cluster".to_owned()], &error))
            }
        }
    }
}

impl Connection {
    /// Sends one request; how many keys it did not find.
    pub(super) async fn send(&mut self, request: Request) -> Result<u64, Failure> {
        match self {
            Self::Store(store) => through_store(store, request).await,
            Self::Resp(connection, wait) => {
                let pipeline = pipeline(request, *wait);
                let answers = pipeline.query_async::<Vec<redis::Value>>(connection).await;
                judge(answers, *wait)
            }
            // A pipeline of keys of several slots goes to several nodes: each key by itself.
            Self::RespCluster(connection, wait) => {
                let (connection, wait) = (&*connection, *wait);
                let alone = one_by_one(request).map(|request| async move {
                    let mut connection = connection.clone();
                    let pipeline = pipeline(request, wait);
                    let answers = pipeline.query_async::<Vec<redis::Value>>(&mut connection).await;
                    judge(answers, wait)
                });
                Ok(try_join_all(alone).await?.into_iter().sum())
            }
        }
    }
}

async fn through_store(store: &StoreHandle, request: Request) -> Result<u64, Failure> {
    match request {
        Request::Put(keys, value) if keys.len() == 1 => {
            let Some(key) = keys.into_iter().next() else { return Ok(0) };
            store.put(key, value).await.map(|_| 0).map_err(Failure::Client)
        }
        Request::Put(keys, value) => {
            let put = || WriteAction::PutBlind { value: value.clone(), expires: None };
            let items = keys.into_iter().map(|key| store.item(key, put())).collect();
            let reply = store.write_batch(items).await.map_err(Failure::Client)?;
            for part in reply.parts {
                part.outcome.map_err(|error| match error {
                    error if error.is_unknown() => Failure::Client(ClientError::Unknown {
                        attempts: 1,
                        last: error.to_string(),
                        persisted_by: None,
                    }),
                    error => Failure::Client(error.into()),
                })?;
            }
            Ok(0)
        }
        Request::Get(keys) => {
            let reads = keys.into_iter().map(|key| store.get(key));
            let replies = try_join_all(reads).await.map_err(Failure::Client)?;
            Ok(replies.iter().filter(|reply| reply.found.is_none()).count() as u64)
        }
    }
}

/// A request for each key.
fn one_by_one(request: Request) -> impl Iterator<Item = Request> {
    let (keys, value) = match request {
        Request::Put(keys, value) => (keys, Some(value)),
        Request::Get(keys) => (keys, None),
    };
    keys.into_iter().map(move |key| match &value {
        Some(value) => Request::Put(vec![key], value.clone()),
        None => Request::Get(vec![key]),
    })
}

fn pipeline(request: Request, wait: u8) -> redis::Pipeline {
    let mut pipeline = redis::pipe();
    match request {
        Request::Put(keys, value) => {
            for key in keys {
                pipeline.set(&key[..], &value[..]);
            }
            if wait > 0 {
                pipeline.cmd("WAIT").arg(wait).arg(WAIT_MS);
            }
        }
        Request::Get(keys) => {
            for key in keys {
                pipeline.get(&key[..]);
            }
        }
    }
    pipeline
}

fn judge(answers: redis::RedisResult<Vec<redis::Value>>, wait: u8) -> Result<u64, Failure> {
    let answers = answers.map_err(|error| {
        if error.is_io_error() || error.is_timeout() || error.is_connection_dropped() {
            Failure::Lost
        } else {
            Failure::Refused(error)
        }
    })?;
    let mut not_found = 0;
    for answer in answers {
        match answer {
            redis::Value::Nil => not_found += 1,
            redis::Value::Int(replicas) if replicas < i64::from(wait) => {
                return Err(Failure::TooFewReplicas);
            }
            _ => {}
        }
    }
    Ok(not_found)
}

fn url(address: &str) -> String {
    if address.contains("://") { address.to_owned() } else { format!("redis://{address}/") }
}

fn unreachable(addresses: &[String], error: &redis::RedisError) -> CliError {
    CliError::unreachable(
        format!("{}: {error}", addresses.join(", ")),
        "an address that speaks the Redis protocol: `evenkeel nodes --json` names them",
    )
}
