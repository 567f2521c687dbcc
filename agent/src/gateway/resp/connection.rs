//! One client's connection. Replies leave in the order of their commands.
//!
//! Commands that came in one go run side by side, unless they meet at a key and one of them
//! writes: then the later one waits, so that a client always reads what it wrote before.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use futures::future::{BoxFuture, FutureExt, pending, ready};
use futures::stream::{FuturesOrdered, StreamExt};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

use super::command::{Action, Question, Session, interpret};
use super::execute::execute;
use super::frame::next_command;
use super::reply::{Protocol, Reply};
use super::{BYTES_IN_FLIGHT_MAX, COMMANDS_IN_FLIGHT_MAX, FINISH_TIMEOUT, Resp, WRITE_TIMEOUT};

const READ_BYTES: usize = 16 << 10;

struct Connection {
    resp: Resp,
    session: Session,
    input: BytesMut,
    output: BytesMut,
    in_flight: FuturesOrdered<BoxFuture<'static, Done>>,
    bytes_in_flight: usize,
    keys: BTreeMap<Bytes, Uses>,
    waiting: Option<Question>,
    closing: bool,
}

/// How a key is used by commands in flight.
#[derive(Default)]
struct Uses {
    reads: usize,
    writes: usize,
}

/// A command that has been answered.
struct Done {
    reply: Reply,
    protocol: Protocol,
    question: Option<Question>,
}

/// Serves one client until it leaves, breaks the protocol, or the agent ends.
pub(super) async fn run(
    mut stream: impl AsyncRead + AsyncWrite + Send + Unpin,
    resp: Resp,
    number: u64,
    stop: CancellationToken,
) {
    let mut connection = Connection::new(resp, number);
    let mut stopping = false;
    let mut stopped: BoxFuture<'_, ()> = stop.cancelled().boxed();
    loop {
        connection.admit();
        if connection.closing && connection.in_flight.is_empty() {
            break;
        }
        let wants_input = connection.wants_input();
        tokio::select! {
            biased;
            () = &mut stopped => {
                if stopping {
                    break;
                }
                stopping = true;
                connection.closing = true;
                connection.waiting = None;
                stopped = tokio::time::sleep(FINISH_TIMEOUT).boxed();
            }
            Some(done) = connection.in_flight.next() => {
                connection.settle(done);
                if !connection.send(&mut stream, &mut stopped).await {
                    break;
                }
            }
            read = read(&mut stream, &mut connection.input), if wants_input => {
                if !matches!(read, Ok(1..)) {
                    connection.closing = true;
                }
            }
        }
    }
    // The other side may be gone; then nobody misses a clean end.
    drop(tokio::time::timeout(FINISH_TIMEOUT, stream.shutdown()).await);
}

impl Connection {
    fn new(resp: Resp, number: u64) -> Self {
        Self {
            resp,
            session: Session { number, ..Session::default() },
            input: BytesMut::new(),
            output: BytesMut::new(),
            in_flight: FuturesOrdered::new(),
            bytes_in_flight: 0,
            keys: BTreeMap::new(),
            waiting: None,
            closing: false,
        }
    }

    fn has_room(&self) -> bool {
        self.in_flight.len() < COMMANDS_IN_FLIGHT_MAX && self.bytes_in_flight < BYTES_IN_FLIGHT_MAX
    }

    fn wants_input(&self) -> bool {
        !self.closing && self.waiting.is_none() && self.has_room()
    }

    /// Begins every command that is there and may begin.
    fn admit(&mut self) {
        if let Some(question) = self.waiting.take() {
            self.ask(question);
        }
        while self.wants_input() {
            match next_command(&mut self.input) {
                Ok(None) => return,
                Ok(Some(words)) => match interpret(&mut self.session, &words) {
                    Action::Answer(reply) => self.answer(reply),
                    Action::AnswerAndClose(reply) => {
                        self.answer(reply);
                        self.closing = true;
                    }
                    Action::Ask(question) => self.ask(question),
                },
                Err(error) => {
                    self.answer(Reply::Error(error.to_string()));
                    self.closing = true;
                }
            }
        }
    }

    fn answer(&mut self, reply: Reply) {
        let done = Done { reply, protocol: self.session.protocol, question: None };
        self.in_flight.push_back(ready(done).boxed());
    }

    /// Asks the store, or holds the question until those in flight let go of its keys.
    fn ask(&mut self, question: Question) {
        let meets = |key: &Bytes| {
            let uses = self.keys.get(key);
            uses.is_some_and(|uses| uses.writes > 0 || question.is_write())
        };
        if question.keys().iter().any(meets) {
            self.waiting = Some(question);
            return;
        }
        for key in question.keys() {
            let uses = self.keys.entry(key.clone()).or_default();
            *if question.is_write() { &mut uses.writes } else { &mut uses.reads } += 1;
        }
        self.bytes_in_flight += bytes_of(&question);
        let protocol = self.session.protocol;
        let reply = execute(self.resp.clone(), question.clone());
        let done = reply.map(move |reply| Done { reply, protocol, question: Some(question) });
        self.in_flight.push_back(done.boxed());
    }

    /// Takes a reply, and those that are ready behind it.
    fn settle(&mut self, first: Done) {
        let mut next = Some(first);
        while let Some(done) = next {
            done.reply.encode(done.protocol, &mut self.output);
            if let Some(question) = done.question {
                self.release(&question);
            }
            let room = self.output.len() < READ_BYTES;
            next = if room { self.in_flight.next().now_or_never().flatten() } else { None };
        }
    }

    fn release(&mut self, question: &Question) {
        self.bytes_in_flight -= bytes_of(question);
        for key in question.keys() {
            let uses = self.keys.get_mut(key).expect("a key in flight has its uses counted");
            *if question.is_write() { &mut uses.writes } else { &mut uses.reads } -= 1;
            if uses.reads == 0 && uses.writes == 0 {
                self.keys.remove(key);
            }
        }
    }

    /// Sends what has been answered; false if the client does not take it. What came in meanwhile
    /// waits in the kernel: a client that does not read is not read.
    async fn send(
        &mut self,
        stream: &mut (impl AsyncWrite + Unpin),
        stopped: &mut BoxFuture<'_, ()>,
    ) -> bool {
        let sent = async {
            stream.write_all_buf(&mut self.output).await?;
            stream.flush().await
        };
        tokio::select! {
            biased;
            sent = tokio::time::timeout(WRITE_TIMEOUT, sent) => matches!(sent, Ok(Ok(()))),
            () = &mut *stopped => {
                // The future has ended and must not be asked again.
                *stopped = pending().boxed();
                false
            }
        }
    }
}

async fn read(
    stream: &mut (impl AsyncRead + Unpin),
    input: &mut BytesMut,
) -> std::io::Result<usize> {
    input.reserve(READ_BYTES);
    stream.read_buf(input).await
}

fn bytes_of(question: &Question) -> usize {
    let keys: usize = question.keys().iter().map(Bytes::len).sum();
    let value = if let Question::Set(request) = question { request.value.len() } else { 0 };
    keys + value
}
