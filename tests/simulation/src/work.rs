//! Blocking work without threads: loops are tasks, jobs run where they are waited for.

use evenkeel_agent::env::work::Work;
use futures::future::BoxFuture;

/// Runs everything on the host's one thread.
pub struct OneThread;

impl Work for OneThread {
    fn background(&self, _name: &str, future: BoxFuture<'static, ()>) {
        // It ends with its host's runtime, as a thread ends with its process.
        tokio::spawn(future);
    }

    fn blocking(&self, job: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, ()> {
        Box::pin(async move { job() })
    }
}
