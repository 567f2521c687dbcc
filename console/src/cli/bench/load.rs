//! Reads and writes as fast as they are answered, or at a rate, and how long that took.
//!
//! A closed loop sends a client's next request when its last one is answered: a pause of the
//! cluster is a pause of the load too, and shows in few latencies. At a rate, requests are due
//! whatever becomes of those before, and each latency counts from when its request was due
//! (coordinated omission: G. Tene, "How NOT to Measure Latency").

mod arguments;
mod pace;
mod report;
mod target;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::future::join_all;

use crate::cli::{CliError, Exit, Session, json, line};
use crate::random::Stream;

pub(crate) use arguments::LoadArguments;
use pace::Pace;
use report::{BenchReport, Tally};
use target::{Request, Target};

/// How long a client rests after a request that failed.
const AFTER_FAILURE: Duration = Duration::from_millis(10);

/// What to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mix {
    /// Writes.
    Put,
    /// Reads.
    Get,
    /// So many reads in a hundred requests.
    Share(u8),
}

impl Mix {
    fn name(self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::Get => "get",
            Self::Share(_) => "mix",
        }
    }

    fn reads(self, random: &mut Stream) -> bool {
        match self {
            Self::Put => false,
            Self::Get => true,
            Self::Share(percent) => random.below(100) < u64::from(percent),
        }
    }
}

/// Runs the command.
pub(crate) async fn run(
    session: &Session,
    mix: Mix,
    arguments: &LoadArguments,
) -> Result<Exit, CliError> {
    let target = Target::open(session, arguments).await?;
    let mut connections = Vec::new();
    for _ in 0..arguments.clients.max(1) {
        connections.push(target.connection().await?);
    }
    let started = crate::clock::now();
    let pace = Arc::new(Pace::new(arguments.rate, started));
    let over = started + Duration::from_secs(arguments.secs);
    let keys = Keys::of(arguments);
    let clients = connections.into_iter().map(|connection| {
        let (pace, keys) = (pace.clone(), keys.clone());
        tokio::spawn(client(connection, mix, keys, pace, over))
    });
    let mut total = Tally::new();
    for tally in join_all(clients).await {
        total.add(&tally.map_err(|error| CliError::local("run a client", &error))?);
    }
    let took = crate::clock::now().saturating_sub(started);
    let report = BenchReport::of(&total, mix, arguments, pace.missed(over), took);
    if session.json() {
        json(&report)?;
    } else {
        line(report.text())?;
    }
    Ok(if report.errors + report.unknown == 0 { Exit::Done } else { Exit::Degraded })
}

/// Which keys a client's requests are for, and how long its values are.
#[derive(Clone)]
struct Keys {
    below: u64,
    batch: u64,
    value_bytes: usize,
    /// For a run that writes every key once: the next one.
    next: Option<Arc<AtomicU64>>,
}

impl Keys {
    fn of(arguments: &LoadArguments) -> Self {
        Self {
            below: arguments.keys,
            batch: u64::from(arguments.batch),
            value_bytes: usize::try_from(arguments.value_bytes).unwrap_or(usize::MAX),
            next: arguments.fill.then(Arc::default),
        }
    }

    /// The keys of the next request, none of them twice; `None`: all are written.
    fn next(&self, random: &mut Stream) -> Option<Vec<bytes::Bytes>> {
        let key = |number: u64| bytes::Bytes::from(format!("bench/{number:08}"));
        if let Some(next) = &self.next {
            let first = next.fetch_add(self.batch, Ordering::Relaxed);
            let last = (first + self.batch).min(self.below);
            return (first < last).then(|| (first..last).map(key).collect());
        }
        let batch = self.batch.min(self.below);
        let mut numbers = Vec::new();
        while (numbers.len() as u64) < batch {
            let number = random.below(self.below);
            if !numbers.contains(&number) {
                numbers.push(number);
            }
        }
        Some(numbers.into_iter().map(key).collect())
    }
}

async fn client(
    mut connection: target::Connection,
    mix: Mix,
    keys: Keys,
    pace: Arc<Pace>,
    over: Duration,
) -> Tally {
    let mut random = Stream::new(crate::random::bits());
    let value = random.bytes(keys.value_bytes);
    let mut tally = Tally::new();
    loop {
        let due = pace.next();
        let now = crate::clock::now();
        if keys.next.is_none() && due.unwrap_or(now).max(now) >= over {
            return tally;
        }
        if let Some(early) = due.and_then(|due| due.checked_sub(now)) {
            tokio::time::sleep(early).await;
        }
        let Some(of) = keys.next(&mut random) else { return tally };
        let number = of.len() as u64;
        let request =
            if mix.reads(&mut random) { Request::Get(of) } else { Request::Put(of, value.clone()) };
        let sent = crate::clock::now();
        let outcome = connection.send(request).await;
        let answered = crate::clock::now();
        let since = due.unwrap_or(sent);
        tally.count(
            &outcome,
            number,
            answered.saturating_sub(since),
            answered.saturating_sub(sent),
        );
        if outcome.is_err() {
            // Whoever refuses at once is not asked as fast as it can refuse.
            tokio::time::sleep(AFTER_FAILURE).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::fake::{Fake, Trouble};

    fn keys(below: u64, batch: u64, fill: bool) -> Keys {
        Keys { below, batch, value_bytes: 16, next: fill.then(Arc::default) }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_mix_writes_and_reads_until_its_time_is_over() {
        let fake = Fake::start(Trouble::None).await;
        let started = crate::clock::now();
        let pace = Arc::new(Pace::new(None, started));
        let connection = target::Connection::Store(fake.session().store());
        let over = started + Duration::from_millis(50);
        let tally = client(connection, Mix::Share(50), keys(10, 1, false), pace, over).await;
        assert!(fake.applied() > 0);
        assert!(tally.requests() >= fake.applied());
        assert_eq!(tally.failed(), 0);
    }

    #[test]
    fn no_key_stands_twice_in_a_request_and_a_fill_writes_each_once() {
        let mut random = Stream::new(1);
        let mut all = keys(3, 16, false).next(&mut random).unwrap();
        all.sort();
        assert_eq!(all, ["bench/00000000", "bench/00000001", "bench/00000002"]);
        let fill = keys(5, 2, true);
        let filled = std::iter::from_fn(|| fill.next(&mut random));
        assert_eq!(filled.map(|keys| keys.len()).collect::<Vec<_>>(), [2, 2, 1]);
    }
}
