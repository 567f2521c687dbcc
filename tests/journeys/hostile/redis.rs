//! The Redis port: what breaks the protocol is answered in Redis's words and ends the connection.

use evenkeel_shared::limits::{KEY_BYTES_MAX, VALUE_BYTES_MAX};
use evenkeel_tests::Stranger;

use super::Calm;

/// Everything that a client hears until the connection is closed.
fn hears(calm: &Calm, bytes: &[u8]) -> (Stranger, String) {
    let mut client = Stranger::saying(&calm.victim().plan.resp, bytes);
    let heard = client.rest();
    (client, String::from_utf8_lossy(&heard).into_owned())
}

#[test]
fn what_breaks_the_protocol_is_answered_and_told_once() {
    let (calm, _) = Calm::begin();
    let long_line = b"x".repeat(100_000);
    for (bytes, told) in [
        (&b"*2147483648\r\n"[..], "Protocol error: invalid multibulk length"),
        (b"*2\r\n$3\r\nGET\r\n$629145600\r\n", "Protocol error: invalid bulk length"),
        (b"*1\r\n:5\r\n", "Protocol error: expected '$', got ':'"),
        (b"*1\r\n$4\r\nPINGxx\r\n", "Protocol error: malformed request"),
        (&long_line, "Protocol error: too big inline request"),
        (b"POST / HTTP/1.1\r\n", "Protocol error: this is no web server"),
    ] {
        let (client, heard) = hears(&calm, bytes);
        assert_eq!(heard, format!("-ERR {told}\r\n"));
        calm.told_of(&client, told);
    }
    for bytes in [&b"*-1\r\n"[..], b"*2147483648\r\n"] {
        assert_eq!(hears(&calm, bytes).1, "-ERR Protocol error: invalid multibulk length\r\n");
    }
    assert_eq!(hears(&calm, b"*1\r\n$-5\r\n").1, "-ERR Protocol error: invalid bulk length\r\n");
    let mut client = Stranger::saying(&calm.victim().plan.resp, b"*2\r\n$3\r\nGET\r\n$4\r\nca");
    client.falls_silent();
    assert_eq!(client.rest(), b"");
    calm.told_of(&client, "redis client: it ended within a command");
    calm.holds();
    // Garbage that is a line is a command nobody knows, and the talk goes on.
    let (_, heard) = hears(&calm, b"\x00\xff\x1bGARBAGE\r\nPING\r\nQUIT\r\n");
    assert!(heard.starts_with("-ERR unknown command '"), "{heard}");
    assert!(heard.ends_with("\r\n+PONG\r\n+OK\r\n"), "{heard}");
    let why = "Protocol error: expected '$', got ':'";
    calm.counted(why, || drop(hears(&calm, b"*1\r\n:5\r\n")));
    calm.end(20);
}

#[test]
fn keys_and_values_beyond_their_bounds_are_refused_with_size_and_bound() {
    let (calm, _) = Calm::begin();
    let (key, value) = ("k".repeat(KEY_BYTES_MAX + 1), "v".repeat(VALUE_BYTES_MAX + 1));
    let set = |key: &str, value: &str| {
        let (keys, values) = (key.len(), value.len());
        format!("*3\r\n$3\r\nSET\r\n${keys}\r\n{key}\r\n${values}\r\n{value}\r\n")
    };
    let too_long = "-ERR the key has 4097 bytes, at most 4096 fit\r\n";
    let empty = "-ERR the key is empty: at least one byte is needed\r\n";
    let too_large = "-ERR the value has 1048577 bytes, at most 1048576 fit\r\n";
    for (command, told) in
        [(set(&key, "1"), too_long), (set("", "1"), empty), (set(&key[1..], &value), too_large)]
    {
        let (client, heard) = hears(&calm, format!("{command}PING\r\nQUIT\r\n").as_bytes());
        assert_eq!(heard, format!("{told}+PONG\r\n+OK\r\n"));
        calm.told_of(&client, told["-ERR ".len()..].trim_end());
    }
    for (command, told) in [
        (format!("GET {key}\r\n"), too_long),
        (format!("DEL a {key}\r\n"), too_long),
        ("*2\r\n$3\r\nGET\r\n$0\r\n\r\n".to_owned(), empty),
        (set(&key[1..], &value[1..]), "+OK\r\n"),
    ] {
        let (_, heard) = hears(&calm, format!("{command}PING\r\nQUIT\r\n").as_bytes());
        assert_eq!(heard, format!("{told}+PONG\r\n+OK\r\n"));
    }
    let (_, heard) = hears(&calm, format!("GET {}\r\nQUIT\r\n", &key[1..]).as_bytes());
    assert!(heard == format!("$1048576\r\n{}\r\n+OK\r\n", &value[1..]), "{} bytes", heard.len());
    assert_eq!(calm.victim().complaints("").len(), 3, "the rest was told already");
    calm.end(5);
}

#[test]
fn a_long_pipeline_that_is_not_read_meanwhile_is_answered_in_full() {
    let (calm, _) = Calm::begin();
    let before = calm.victim().resident_kb();
    let mut client = Stranger::saying(&calm.victim().plan.resp, &b"PING\r\n".repeat(100_000));
    calm.holds();
    let after = calm.victim().resident_kb();
    assert!(after < before + (64 << 10), "from {before} to {after} kB");
    assert!(client.bytes(7 * 100_000) == b"+PONG\r\n".repeat(100_000), "each in its turn");
    calm.end(5);
}
