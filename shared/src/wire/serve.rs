//! Serving one connection in one task: requests are polled in the order in which they arrive.

use std::future::Future;

use futures::stream::FuturesUnordered;
use futures::{Stream, StreamExt};
use tokio::pin;

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

/// tarpc's settings for every server: answers wait in a bounded queue.
pub fn server_config() -> tarpc::server::Config {
    tarpc::server::Config { pending_response_buffer: REQUESTS_IN_FLIGHT_MAX }
}

/// tarpc's settings for every caller.
pub fn caller_config() -> tarpc::client::Config {
    let mut config = tarpc::client::Config::default();
    config.max_in_flight_requests = REQUESTS_IN_FLIGHT_MAX;
    config.pending_request_buffer = REQUESTS_IN_FLIGHT_MAX;
    config
}
