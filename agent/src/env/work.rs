//! Where blocking work runs: threads in the real world, the one task queue in the simulation.

use futures::future::BoxFuture;

/// Runs what would hold up the network if it ran among the tasks.
pub trait Work: Send + Sync {
    /// Runs a loop that blocks on the disk, under its own name, until its future ends.
    fn background(&self, name: &str, future: BoxFuture<'static, ()>);
    /// Runs one blocking job; the returned future ends with it.
    fn blocking(&self, job: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, ()>;
}

impl dyn Work {
    /// Runs one blocking job and gives its result back.
    pub async fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> T {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        self.blocking(Box::new(move || {
            // The caller may have gone; then nobody wants the result.
            let _ = sender.send(job());
        }))
        .await;
        receiver.await.expect("the job has run to its end")
    }
}

/// Threads of the operating system.
pub struct Threads;

impl Work for Threads {
    fn background(&self, name: &str, future: BoxFuture<'static, ()>) {
        let handle = tokio::runtime::Handle::current();
        std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                let _guard = handle.enter();
                futures::executor::block_on(future);
            })
            .expect("the operating system gives a starting agent its few threads");
    }

    fn blocking(&self, job: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, ()> {
        #[expect(clippy::disallowed_methods, reason = "this is the one place that blocks")]
        let handle = tokio::task::spawn_blocking(job);
        Box::pin(async move {
            handle.await.expect("blocking jobs report their errors and do not panic");
        })
    }
}
