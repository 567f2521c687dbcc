//! Where blocking work runs: threads in the real world, the one task queue in the simulation.

use std::collections::VecDeque;
use std::num::NonZero;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use futures::future::BoxFuture;

/// Threads for jobs that are over soon, at most: they share one disk and one journal.
const BRIEF_THREADS_MAX: usize = 4;

/// Runs what would hold up the network if it ran among the tasks.
pub trait Work: Send + Sync {
    /// Runs a loop that blocks on the disk, under its own name, until its future ends.
    fn background(&self, name: &str, future: BoxFuture<'static, ()>);
    /// Runs one blocking job, however long it takes; the returned future ends with it.
    fn blocking(&self, job: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, ()>;
    /// Runs one job that is over soon, in turn with others of its kind: no thread is woken while
    /// one is at work. Without threads it runs at once.
    fn brief(&self, job: Box<dyn FnOnce() + Send>) {
        job();
    }
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

    /// Runs one job that is over soon and gives its result back.
    pub async fn run_brief<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        self.brief(Box::new(move || {
            // The caller may have gone; then nobody wants the result.
            let _ = sender.send(job());
        }));
        receiver.await.expect("the job has run to its end")
    }
}

/// Threads of the operating system.
#[derive(Default)]
pub struct Threads {
    brief: OnceLock<Arc<BriefJobs>>,
}

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

    fn brief(&self, job: Box<dyn FnOnce() + Send>) {
        self.brief.get_or_init(BriefJobs::start).push(job);
    }
}

/// Jobs that are over soon, in the order in which they came, for a few threads.
#[derive(Default)]
struct BriefJobs {
    waiting: Mutex<Waiting>,
    came: Condvar,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Box<dyn FnOnce() + Send>>,
    /// Threads that have nothing to do.
    idle: usize,
}

impl BriefJobs {
    fn start() -> Arc<Self> {
        let jobs = Arc::new(Self::default());
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        for _ in 0..(cores / 2).clamp(1, BRIEF_THREADS_MAX) {
            let jobs = Arc::clone(&jobs);
            std::thread::Builder::new()
                .name("apply".to_owned())
                .spawn(move || jobs.work())
                .expect("the operating system gives a starting agent its few threads");
        }
        jobs
    }

    fn push(&self, job: Box<dyn FnOnce() + Send>) {
        let mut waiting = self.lock();
        waiting.jobs.push_back(job);
        if waiting.idle > 0 {
            self.came.notify_one();
        }
    }

    fn work(&self) {
        let mut waiting = self.lock();
        loop {
            while let Some(job) = waiting.jobs.pop_front() {
                drop(waiting);
                job();
                waiting = self.lock();
            }
            waiting.idle += 1;
            waiting = self.came.wait(waiting).unwrap_or_else(PoisonError::into_inner);
            waiting.idle -= 1;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
