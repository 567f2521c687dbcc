//! One client's connection. Replies leave in the order of their commands.
//!
//! Commands that came in one go run side by side, unless they meet at a key and one of them
//! writes: then the later one waits, so that a client always reads what it wrote before.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::io;

use bytes::{Bytes, BytesMut};
use evenkeel_shared::limits::FRAME_TIMEOUT;
use evenkeel_shared::wire::impatient::Impatient;
use evenkeel_shared::wire::patience::Patience;
use futures::future::{BoxFuture, FutureExt, pending, ready};
use futures::stream::{FuturesOrdered, StreamExt};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::super::Reading;
use super::command::{Action, Question, Session, interpret};
use super::execute::{Asked, execute};
use super::frame::{ProtocolError, next_command};
use super::reply::{Protocol, Reply};
use super::way::place;
use super::{
    BYTES_IN_FLIGHT_MAX, COMMANDS_IN_FLIGHT_MAX, FINISH_TIMEOUT, GATHERED_BYTES_MAX, GATHERED_MAX,
    Resp, RespClient,
};

const READ_BYTES: usize = 16 << 10;

struct Connection {
    resp: Resp,
    client: RespClient,
    session: Session,
    input: BytesMut,
    output: BytesMut,
    in_flight: FuturesOrdered<BoxFuture<'static, Done>>,
    bytes_in_flight: usize,
    keys: BTreeMap<Bytes, Uses>,
    /// Writes in flight, those that are gathered included.
    writes: usize,
    waiting: Option<Question>,
    /// Writes that go to the store together, once no more are there.
    gathered: Vec<Question>,
    gathered_bytes: usize,
    /// Counts the commands that have come in.
    commands: u64,
    closing: bool,
}

/// For the rest of a command that has begun, from when it was first seen to be cut.
struct Rest {
    patience: Patience,
    /// How many commands had come in before it.
    after: u64,
    is_awaited: bool,
}

/// How a key is used by commands in flight.
#[derive(Default)]
struct Uses {
    reads: usize,
    writes: usize,
}

/// Commands that have been answered.
struct Done {
    replies: Vec<Reply>,
    protocol: Protocol,
    questions: Vec<Question>,
}

/// Serves one client until it leaves, breaks the protocol, or the agent ends.
pub(super) async fn run(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin,
    resp: Resp,
    client: RespClient,
    stop: CancellationToken,
) {
    let mut connection = Connection::new(resp, client);
    let mut stream = Impatient::new(stream);
    let mut rest = Rest::new();
    let mut stopping = false;
    let mut stopped: BoxFuture<'_, ()> = stop.cancelled().boxed();
    loop {
        connection.admit();
        if connection.closing && connection.in_flight.is_empty() {
            break;
        }
        let wants_input = connection.wants_input();
        rest.look(&connection);
        tokio::select! {
            biased;
            () = &mut stopped => {
                if stopping {
                    break;
                }
                stopping = true;
                connection.closing = true;
                connection.waiting = None;
                stopped = sleep(FINISH_TIMEOUT).boxed();
            }
            Some(done) = connection.in_flight.next() => {
                connection.settle(done);
                if let Err(error) = connection.send(&mut stream, &mut stopped).await {
                    if error.kind() == io::ErrorKind::TimedOut {
                        connection.complain(&error.to_string());
                    }
                    break;
                }
            }
            read = read(&mut stream, &mut connection.input), if wants_input => {
                if !matches!(read, Ok(1..)) {
                    connection.closing = true;
                    if read.is_ok() && !connection.input.is_empty() {
                        connection.complain("it ended within a command");
                    }
                }
            }
            () = rest.over() => connection.refuse(&ProtocolError::Unfinished),
        }
    }
    // The other side may be gone; then nobody misses a clean end.
    drop(timeout(FINISH_TIMEOUT, stream.shutdown()).await);
}

impl Rest {
    fn new() -> Self {
        Self { patience: Patience::new(FRAME_TIMEOUT), after: 0, is_awaited: false }
    }

    /// Looks whether a command has begun and is not all there.
    fn look(&mut self, connection: &Connection) {
        self.is_awaited = connection.wants_input() && !connection.input.is_empty();
        if !self.is_awaited || self.after != connection.commands {
            self.after = connection.commands;
            self.patience.stop();
        }
    }

    async fn over(&mut self) {
        if self.is_awaited {
            poll_fn(|context| self.patience.poll_over(context)).await;
        } else {
            pending::<()>().await;
        }
    }
}

impl Connection {
    fn new(resp: Resp, client: RespClient) -> Self {
        Self {
            client,
            session: Session {
                number: client.number,
                finds_way: resp.finds_way,
                ..Session::default()
            },
            input: BytesMut::new(),
            output: BytesMut::new(),
            in_flight: FuturesOrdered::new(),
            bytes_in_flight: 0,
            keys: BTreeMap::new(),
            writes: 0,
            waiting: None,
            gathered: Vec::new(),
            gathered_bytes: 0,
            commands: 0,
            closing: false,
            resp,
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
        self.take_in();
        self.flush();
    }

    fn take_in(&mut self) {
        if let Some(question) = self.waiting.take() {
            self.ask(question);
        }
        while self.wants_input() {
            match next_command(&mut self.input) {
                Ok(None) => return,
                Ok(Some(words)) => {
                    self.commands += 1;
                    match interpret(&mut self.session, &words) {
                        Action::Answer(reply) => self.answer(reply),
                        Action::AnswerAndClose(reply) => {
                            self.answer(reply);
                            self.closing = true;
                        }
                        Action::Ask(question) => match question.fault() {
                            None => self.direct(question),
                            Some(why) => {
                                self.complain(&why);
                                self.answer(Reply::Error(format!("ERR {why}")));
                            }
                        },
                    }
                }
                Err(error) => self.refuse(&error),
            }
        }
    }

    /// Nothing that comes after can be told apart: the client is told, and let go.
    fn refuse(&mut self, error: &ProtocolError) {
        self.complain(&error.to_string());
        self.answer(Reply::Error(error.to_string()));
        self.closing = true;
    }

    fn complain(&self, why: &str) {
        self.resp.strangers.complain(self.client.from, &format!("redis client: {why}"));
    }

    fn answer(&mut self, reply: Reply) {
        self.flush();
        let protocol = self.session.protocol;
        let done = Done { replies: vec![reply], protocol, questions: Vec::new() };
        self.in_flight.push_back(ready(done).boxed());
    }

    /// Asks the store, or sends the client to where the keys are led.
    fn direct(&mut self, question: Question) {
        match place(&self.resp, &self.session, &question) {
            Ok(()) => self.ask(question),
            Err(elsewhere) => self.answer(Reply::Error(elsewhere)),
        }
    }

    /// Asks the store, or holds the question until those in flight let go of its keys.
    fn ask(&mut self, question: Question) {
        let meets = |key: &Bytes| {
            let uses = self.keys.get(key);
            uses.is_some_and(|uses| uses.writes > 0 || question.is_write())
        };
        let must_wait = question.waits_for_writes() && self.writes > 0;
        if must_wait || question.keys().into_iter().any(meets) {
            self.waiting = Some(question);
            return;
        }
        let is_write = question.is_write();
        for key in question.keys() {
            let uses = self.keys.entry(key.clone()).or_default();
            *if is_write { &mut uses.writes } else { &mut uses.reads } += 1;
        }
        self.writes += usize::from(is_write);
        self.bytes_in_flight += question.bytes();
        if matches!(question, Question::Write { .. }) {
            let bytes = question.bytes();
            if self.gathered_bytes + bytes > GATHERED_BYTES_MAX {
                self.flush();
            }
            self.gathered_bytes += bytes;
            self.gathered.push(question);
            if self.gathered.len() >= GATHERED_MAX {
                self.flush();
            }
        } else {
            self.flush();
            self.send_off(vec![question]);
        }
    }

    /// Sends what has been gathered to the store.
    fn flush(&mut self) {
        let gathered = std::mem::take(&mut self.gathered);
        self.gathered_bytes = 0;
        if !gathered.is_empty() {
            self.send_off(gathered);
        }
    }

    fn send_off(&mut self, questions: Vec<Question>) {
        let protocol = self.session.protocol;
        let how = if self.session.reads_copies { Reading::Own } else { Reading::Usual };
        let asked = Asked { questions: questions.clone(), how };
        let replies = execute(self.resp.clone(), asked);
        let done = replies.map(move |replies| Done { replies, protocol, questions });
        self.in_flight.push_back(done.boxed());
    }

    /// Takes a reply, and those that are ready behind it.
    fn settle(&mut self, first: Done) {
        let mut next = Some(first);
        while let Some(done) = next {
            for reply in &done.replies {
                reply.encode(done.protocol, &mut self.output);
            }
            for question in &done.questions {
                self.release(question);
            }
            let room = self.output.len() < READ_BYTES;
            next = if room { self.in_flight.next().now_or_never().flatten() } else { None };
        }
    }

    fn release(&mut self, question: &Question) {
        self.bytes_in_flight -= question.bytes();
        self.writes -= usize::from(question.is_write());
        for key in question.keys() {
            let uses = self.keys.get_mut(key).expect("a key in flight has its uses counted");
            *if question.is_write() { &mut uses.writes } else { &mut uses.reads } -= 1;
            if uses.reads == 0 && uses.writes == 0 {
                self.keys.remove(key);
            }
        }
    }

    /// Sends what has been answered; an error if the client does not take it. What came in
    /// meanwhile waits in the kernel: a client that does not read is not read.
    async fn send(
        &mut self,
        stream: &mut (impl AsyncWrite + Unpin),
        stopped: &mut BoxFuture<'_, ()>,
    ) -> io::Result<()> {
        let sent = async {
            stream.write_all_buf(&mut self.output).await?;
            stream.flush().await
        };
        tokio::select! {
            biased;
            sent = sent => sent,
            () = &mut *stopped => {
                // The future has ended and must not be asked again.
                *stopped = pending().boxed();
                Err(io::ErrorKind::Interrupted.into())
            }
        }
    }
}

async fn read(stream: &mut (impl AsyncRead + Unpin), input: &mut BytesMut) -> io::Result<usize> {
    input.reserve(READ_BYTES);
    stream.read_buf(input).await
}
