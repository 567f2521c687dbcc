//! Conversations: what a client sends, and what it gets, byte by byte.

mod commands;
mod memory;

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, DuplexStream};

use super::*;
use crate::env::Env;
use crate::env::net::{Net, Tcp};
use evenkeel_shared::wire::transport::Dial;
use memory::Store;

const DEADLINE: Duration = Duration::from_secs(30);

fn resp(store: &Store) -> Resp {
    let env = Env::real();
    Resp {
        store: Arc::new(store.clone()),
        clock: env.clock.clone(),
        rng: env.rng.clone(),
        strangers: Strangers::new(env.clock),
        finds_way: !store.0.places.lock().unwrap().is_empty(),
        connected: Arc::default(),
    }
}

fn connect(store: &Store, stop: &CancellationToken) -> DuplexStream {
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    let client = RespClient { number: 7, from: ([127, 0, 0, 1], 7).into() };
    tokio::spawn(connection::run(theirs, resp(store), client, stop.clone()));
    ours
}

async fn talk(store: &Store, input: &[u8]) -> Vec<u8> {
    let mut stream = connect(store, &CancellationToken::new());
    let mut answers = Vec::new();
    let talking = async {
        let (mut reader, mut writer) = tokio::io::split(&mut stream);
        let say = async {
            // A connection that is closed on us takes no more.
            drop(writer.write_all(input).await);
            drop(writer.shutdown().await);
        };
        tokio::join!(say, reader.read_to_end(&mut answers)).1.unwrap();
    };
    tokio::time::timeout(DEADLINE, talking).await.expect("the conversation ends");
    answers
}

/// Lines are separated by ` | ` here, and by line breaks on the wire.
async fn check(store: &Store, input: &str, expected: &str) {
    let answers = talk(store, format!("{input}\r\n").replace(" | ", "\r\n").as_bytes()).await;
    let answers = String::from_utf8(answers).unwrap().replace("\r\n", " | ");
    assert_eq!(answers.strip_suffix(" | "), Some(expected), "{input}");
}

#[tokio::test]
async fn a_client_gets_what_redis_would_answer() {
    let store = Store::new();
    for (input, expected) in [
        ("PING", "+PONG"),
        ("ping hi", "$2 | hi"),
        ("*2 | $4 | ECHO | $3 | a b", "$3 | a b"),
        ("*0 |  | PING", "+PONG"),
        ("SELECT 0 | SELECT 1", "+OK | -ERR DB index is out of range"),
        ("CLIENT SETINFO LIB-NAME x | CLIENT SETNAME me | CLIENT GETNAME", "+OK | +OK | $2 | me"),
        ("COMMAND DOCS fly", "*0"),
        ("GET a", "$-1"),
        ("SET a 1 | GET a | EXISTS a a b", "+OK | $1 | 1 | :2"),
        ("*3 | $3 | SET | $1 | a | $0 |  | GET a", "+OK | $0 | "),
        ("SET a 2 NX | SET b 2 xx | GET b", "$-1 | $-1 | $-1"),
        ("SET a 3 XX EX 5 | SET b 4 px 60 nx | GET b", "+OK | +OK | $1 | 4"),
        ("DEL a b c | UNLINK a", ":2 | :0"),
        ("QUIT | PING", "+OK"),
        ("GET", "-ERR wrong number of arguments for 'get' command"),
        ("SET a 1 NX XX", "-ERR syntax error"),
        ("SET a 1 EX", "-ERR syntax error"),
        ("SET a 1 EX 0", "-ERR invalid expire time in 'set' command"),
        ("SET a 1 PX 9223372036854775807", "-ERR invalid expire time in 'set' command"),
        ("SET a 1 EX soon", "-ERR value is not an integer or out of range"),
        ("FLY me to", "-ERR unknown command 'FLY', with args beginning with: 'me' 'to' "),
        ("GET broken", "-CLUSTERDOWN s3 has no quorum"),
        ("SET doubt 1", "-UNKNOWN outcome unknown: an  answer"),
        ("DEL broken", "-CLUSTERDOWN s3 has no quorum"),
        (
            "DEL a broken",
            "-UNKNOWN outcome unknown: some of the keys may be written, but s3 has no quorum",
        ),
        ("HELLO 4", "-NOPROTO unsupported protocol version"),
        ("HELLO 3 WHAT", "-ERR Syntax error in HELLO option 'WHAT'"),
    ] {
        check(&store, input, expected).await;
    }
    let writes = store.0.writes.lock().unwrap();
    let lifetimes: Vec<u64> = writes.iter().filter_map(|write| write.ttl_ms).collect();
    assert_eq!(lifetimes, [5_000, 60]);
}

#[tokio::test]
async fn hello_changes_the_protocol_of_what_follows() {
    let version = env!("CARGO_PKG_VERSION");
    let server =
        format!("$6 | server | $8 | evenkeel | $7 | version | ${} | {version}", version.len());
    let rest =
        "$2 | id | :7 | $4 | mode | $10 | standalone | $4 | role | $6 | master | $7 | modules | *0";
    check(
        &Store::new(),
        "GET a | HELLO 3 SETNAME me | GET a | CLIENT GETNAME | HELLO 2 | GET a | HELLO",
        &format!(
            "$-1 | %7 | {server} | $5 | proto | :3 | {rest} | _ | $2 | me | \
             *14 | {server} | $5 | proto | :2 | {rest} | $-1 | \
             *14 | {server} | $5 | proto | :2 | {rest}"
        ),
    )
    .await;
}

#[tokio::test]
async fn what_breaks_the_protocol_is_answered_and_ends_the_connection() {
    let store = Store::new();
    let deep = "*1\r\n".repeat(100_000);
    let long_line = "x".repeat(100_000);
    let many = format!("*{}\r\n", WORDS_MAX + 1);
    let large = format!("*2\r\n$3\r\nGET\r\n${COMMAND_BYTES_MAX}\r\n");
    for (input, expected) in [
        ("*x\r\n", "-ERR Protocol error: invalid multibulk length"),
        ("*-1\r\n", "-ERR Protocol error: invalid multibulk length"),
        ("*99999999999999999999\r\n", "-ERR Protocol error: invalid multibulk length"),
        (&many, "-ERR Protocol error: invalid multibulk length"),
        ("*1\r\n:5\r\n", "-ERR Protocol error: expected '$', got ':'"),
        (&deep, "-ERR Protocol error: expected '$', got '*'"),
        ("*1\r\n$-1\r\n", "-ERR Protocol error: invalid bulk length"),
        (&large, "-ERR Protocol error: invalid bulk length"),
        ("*1\r\n$4\r\nPINGxx\r\n", "-ERR Protocol error: malformed request"),
        (&long_line, "-ERR Protocol error: too big inline request"),
        ("POST / HTTP/1.1\r\n", "-ERR Protocol error: this is no web server"),
        (
            "x\r\nHost: a\r\n",
            "-ERR unknown command 'x', with args beginning with: \r\n\
          -ERR Protocol error: this is no web server",
        ),
    ] {
        let answers = talk(&store, format!("{input}PING\r\n").as_bytes()).await;
        assert_eq!(String::from_utf8_lossy(&answers), format!("{expected}\r\n"));
    }
}

#[tokio::test]
async fn keys_and_values_beyond_their_bounds_are_refused_and_the_talk_goes_on() {
    let store = Store::new();
    let value = "v".repeat((1 << 20) + 1);
    let key = "k".repeat(4097);
    let input = format!(
        "*3\r\n$3\r\nSET\r\n$1\r\na\r\n${}\r\n{value}\r\nGET {key}\r\nPING\r\n",
        value.len()
    );
    let answers = String::from_utf8(talk(&store, input.as_bytes()).await).unwrap();
    assert_eq!(
        answers,
        "-ERR the value has 1048577 bytes, at most 1048576 fit\r\n\
         -ERR the key has 4097 bytes, at most 4096 fit\r\n+PONG\r\n"
    );
    let largest = &value[1..];
    let input = format!("*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1048576\r\n{largest}\r\nGET a\r\n");
    let answers = String::from_utf8(talk(&store, input.as_bytes()).await).unwrap();
    assert_eq!(answers, format!("+OK\r\n$1048576\r\n{largest}\r\n"));
}

#[tokio::test]
async fn commands_run_side_by_side_and_are_answered_in_order() {
    let store = Store::new();
    let mut stream = connect(&store, &CancellationToken::new());
    stream.write_all(b"SET slow 1\r\n").await.unwrap();
    store.0.begun.acquire().await.unwrap().forget();
    stream.write_all(b"SET quick 2\r\nGET quick\r\nGET slow\r\n").await.unwrap();
    // `quick` is set although `slow` hangs before it; `GET slow` waits for its write.
    while store.0.records.lock().unwrap().get(b"quick".as_slice()).is_none() {
        tokio::task::yield_now().await;
    }
    store.0.gate.add_permits(2);
    let expected = b"+OK\r\n+OK\r\n$1\r\n2\r\n$1\r\n1\r\n";
    let mut answers = vec![0; expected.len()];
    tokio::time::timeout(DEADLINE, stream.read_exact(&mut answers)).await.unwrap().unwrap();
    assert_eq!(answers, expected);
}

#[tokio::test]
async fn a_connection_has_only_so_many_commands_in_flight() {
    let store = Store::new();
    let mut stream = connect(&store, &CancellationToken::new());
    let lines: Vec<_> = (0..200).map(|n| format!("GET slow{n}\r\n")).collect();
    stream.write_all(lines.concat().as_bytes()).await.unwrap();
    let most = u32::try_from(COMMANDS_IN_FLIGHT_MAX).unwrap();
    store.0.begun.acquire_many(most).await.unwrap().forget();
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(store.0.begun.available_permits(), 0);
    store.0.gate.add_permits(200);
    let mut answers = vec![0; 200 * 5];
    tokio::time::timeout(DEADLINE, stream.read_exact(&mut answers)).await.unwrap().unwrap();
    assert_eq!(answers, b"$-1\r\n".repeat(200));
}

#[tokio::test(start_paused = true)]
async fn when_the_agent_ends_commands_in_flight_get_a_moment_and_no_more() {
    for opens in [true, false] {
        let store = Store::new();
        let stop = CancellationToken::new();
        let mut stream = connect(&store, &stop);
        stream.write_all(b"SET slow 1\r\nSET slow 2\r\n").await.unwrap();
        store.0.begun.acquire().await.unwrap().forget();
        stop.cancel();
        tokio::task::yield_now().await;
        if opens {
            store.0.gate.add_permits(9);
        }
        let mut answers = String::new();
        stream.read_to_string(&mut answers).await.unwrap();
        assert_eq!(answers, if opens { "+OK\r\n" } else { "" });
    }
}

#[tokio::test(start_paused = true)]
async fn a_command_that_is_never_finished_ends_the_connection() {
    for begun in ["*2\r\n$3\r\nGET\r\n$9\r\na", "PING\r\n*1", "PING\r\nPIN"] {
        let store = Store::new();
        let mut stream = connect(&store, &CancellationToken::new());
        stream.write_all(begun.as_bytes()).await.unwrap();
        let mut answers = String::new();
        stream.read_to_string(&mut answers).await.unwrap();
        let pong = if begun.starts_with("PING") { "+PONG\r\n" } else { "" };
        let told = "-ERR Protocol error: a command was begun and not finished within 10s\r\n";
        assert_eq!(answers, format!("{pong}{told}"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_at_rest_is_left_alone_and_one_that_reads_nothing_is_let_go() {
    let store = Store::new();
    let mut stream = connect(&store, &CancellationToken::new());
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    stream.write_all(b"PING\r\n").await.unwrap();
    stream.read_exact(&mut [0; 7]).await.unwrap();
    let pipeline = "PING\r\n".repeat(100_000);
    let wrote = tokio::time::timeout(DEADLINE, stream.write_all(pipeline.as_bytes())).await;
    assert!(wrote.expect("it ends before").is_err(), "what is not read is not read for");
}

#[tokio::test]
async fn the_listener_serves_until_it_is_stopped() {
    let store = Store::new();
    let listener = Tcp.listen("127.0.0.1:0").await.unwrap();
    let address = listener.local_address().unwrap().to_string();
    let stop = CancellationToken::new();
    let serving = tokio::spawn(resp(&store).serve(listener, stop.clone()));
    let mut streams = Vec::new();
    for _ in 0..3 {
        let mut stream = Tcp.dial(&address).await.unwrap();
        stream.write_all(b"PING\r\n").await.unwrap();
        let mut answer = [0; 7];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"+PONG\r\n");
        streams.push(stream);
    }
    stop.cancel();
    tokio::time::timeout(DEADLINE, serving).await.unwrap().unwrap();
    for mut stream in streams {
        assert_eq!(stream.read(&mut [0; 9]).await.unwrap_or(0), 0);
    }
    assert!(Tcp.dial(&address).await.is_err());
}

fn encoded(words: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend(format!("${}\r\n", word.len()).into_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

proptest! {
    #[test]
    fn commands_are_read_alike_however_their_bytes_are_cut(
        commands in prop::collection::vec(
            prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 1..5), 0..6),
        piece in 1_usize..40,
    ) {
        let bytes: Vec<u8> = commands.iter().flat_map(|words| encoded(words)).collect();
        let (mut input, mut read) = (BytesMut::new(), Vec::new());
        for piece in bytes.chunks(piece) {
            input.extend_from_slice(piece);
            while let Some(words) = frame::next_command(&mut input).unwrap() {
                read.push(words.iter().map(|word| word.to_vec()).collect::<Vec<_>>());
            }
        }
        prop_assert_eq!(read, commands);
        prop_assert!(input.is_empty());
    }

    #[test]
    fn bytes_of_any_kind_are_read_or_refused_and_never_panic(
        bytes in prop::collection::vec(prop_oneof![
            Just(b'*'), Just(b'$'), Just(b'\r'), Just(b'\n'), Just(b'1'), any::<u8>()
        ], 0..200),
    ) {
        let mut input = BytesMut::from(bytes.as_slice());
        let mut session = command::Session::default();
        while let Ok(Some(words)) = frame::next_command(&mut input) {
            command::interpret(&mut session, &words);
        }
    }
}
