//! Serving one connection in one task: requests are polled in the order in which they arrive.

use std::future::Future;
use std::io;
use std::sync::Arc;

use futures::stream::FuturesUnordered;
use futures::{Stream, StreamExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tarpc::ChannelError;
use tarpc::server::{BaseChannel, Channel, Config, Serve};
use tokio::pin;

use super::codec::ServerTransport;
use super::held::{Held, Holding, Reply};
use super::room::{Bounds, Room};
use super::transport::Frames;
use crate::limits::REQUESTS_IN_FLIGHT_MAX;

/// Runs a connection's requests until it closes. Each new request is polled at once, before the
/// next is read: appends of one stream reach Raft in order, and a short handler costs no task.
/// At the bound it stops reading, so that a flooding caller holds up only itself.
pub async fn serve<F: Future<Output = ()>>(requests: impl Stream<Item = F>) {
    pin!(requests);
    let mut running = FuturesUnordered::new();
    loop {
        tokio::select! {
            biased;
            Some(()) = running.next(), if !running.is_empty() => {}
            request = requests.next(), if running.len() < REQUESTS_IN_FLIGHT_MAX => match request {
                Some(request) => running.push(request),
                None => return,
            },
        }
    }
}

/// The same for strangers, of whom nothing is known but their Hello: the connection holds a bounded
/// number of requests and bytes, and `complain` hears of requests that break a rule. What has broken
/// the connection, if it did not just end.
pub async fn serve_within<S>(
    frames: Frames,
    bounds: Bounds,
    service: S,
    complain: impl Fn(&str),
) -> Result<(), Arc<io::Error>>
where
    S: Serve<Req: Serialize + DeserializeOwned, Resp: Serialize + Reply> + Clone,
{
    let room = Room::new(bounds);
    let transport = ServerTransport::<S::Req, Held<S::Resp>>::within(frames, room.clone());
    let requests = BaseChannel::new(server_config(), transport).requests();
    pin!(requests);
    let mut running = FuturesUnordered::new();
    loop {
        tokio::select! {
            biased;
            Some(()) = running.next(), if !running.is_empty() => {}
            // It is polled at the bound too, for it also sends: the room holds back what it reads.
            request = requests.next() => match request {
                Some(Ok(request)) => {
                    let (service, share) = (service.clone(), room.share());
                    running.push(request.execute(Holding { service, share, complain: &complain }));
                }
                Some(Err(error)) => return Err(cause(error)),
                None => return Ok(()),
            },
        }
    }
}

fn cause(error: ChannelError<io::Error>) -> Arc<io::Error> {
    match error {
        ChannelError::Read(cause)
        | ChannelError::Ready(cause)
        | ChannelError::Write(cause)
        | ChannelError::Flush(cause)
        | ChannelError::Close(cause) => cause,
    }
}

/// tarpc's settings for every server: answers wait in a bounded queue.
pub fn server_config() -> Config {
    Config { pending_response_buffer: REQUESTS_IN_FLIGHT_MAX }
}

/// tarpc's settings for every caller.
pub fn caller_config() -> tarpc::client::Config {
    let mut config = tarpc::client::Config::default();
    config.max_in_flight_requests = REQUESTS_IN_FLIGHT_MAX;
    config.pending_request_buffer = REQUESTS_IN_FLIGHT_MAX;
    config
}
