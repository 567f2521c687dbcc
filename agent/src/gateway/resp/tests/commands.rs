//! What each command answers.

use evenkeel_shared::key::Slot;

use super::super::super::Place;
use super::*;

#[tokio::test]
async fn values_are_changed_in_place() {
    let store = Store::new();
    for (input, expected) in [
        ("INCR n | INCRBY n 5 | DECR n | DECRBY n 2 | GET n", ":1 | :6 | :5 | :3 | $1 | 3"),
        ("SET a x | INCR a", "+OK | -ERR value is not an integer or out of range"),
        ("DECRBY n -9223372036854775808", "-ERR decrement would overflow"),
        ("INCRBYFLOAT n 0.5 | INCRBYFLOAT a 1", "$3 | 3.5 | -ERR value is not a valid float"),
        ("APPEND a yz | STRLEN a | GETRANGE a 1 -1 | SETRANGE a 5 w", ":3 | :3 | $2 | yz | :6"),
        ("SETRANGE a -1 w", "-ERR offset is out of range"),
        ("GETSET a b | GETDEL a | GETDEL a", "$6 | xyz\0\0w | $1 | b | $-1"),
        ("SETNX a 1 | SETNX a 2 | GET a", ":1 | :0 | $1 | 1"),
        ("SET a 2 GET | SET a 3 XX GET KEEPTTL | SET z 1 XX GET", "$1 | 1 | $1 | 2 | $-1"),
        ("SET a 4 NX GET", "$1 | 3"),
        ("MSET b 1 c 2 b 3 | MGET b c d", "+OK | *3 | $1 | 3 | $1 | 2 | $-1"),
        ("MSET b 1 c", "-ERR wrong number of arguments for 'mset' command"),
        (
            "SETEX s 9 v | TTL s | PTTL s | GETEX s PERSIST | TTL s",
            "+OK | :9 | :9000 | $1 | v | :-1",
        ),
        ("PSETEX s 0 v", "-ERR invalid expire time in 'psetex' command"),
    ] {
        check(&store, input, expected).await;
    }
}

#[tokio::test]
async fn keys_end_are_walked_and_get_other_names() {
    let store = Store::new();
    for (input, expected) in [
        ("SET a v | EXPIRE a 9 | TTL a | EXPIRETIME a", "+OK | :1 | :9 | :1009"),
        ("EXPIRE a 5 NX | EXPIRE a 5 GT | PEXPIRE a 20000 GT | PTTL a", ":0 | :0 | :1 | :20000"),
        ("PEXPIREAT a 1000001 | PEXPIRETIME a | PERSIST a | PERSIST a", ":1 | :1000001 | :1 | :0"),
        ("EXPIRE a 5 AT", "-ERR Unsupported option AT"),
        ("EXPIRE a -1 | EXISTS a | EXPIRE a 5 | TTL a", ":1 | :0 | :0 | :-2"),
        (
            "SET {t}a v | RENAME {t}a {t}b | GET {t}b | TYPE {t}b | TYPE {t}a",
            "+OK | +OK | $1 | v | +string | +none",
        ),
        ("RENAME {t}a {t}b", "-ERR no such key"),
        ("SET {t}a w | RENAMENX {t}a {t}b | RENAMENX {t}a {t}c", "+OK | :0 | :1"),
        ("RENAME a b", "-CROSSSLOT Keys in request don't hash to the same slot"),
        ("KEYS {t}[bc] | DBSIZE", "*2 | $4 | {t}b | $4 | {t}c | :2"),
        ("SCAN 0 COUNT 1000 MATCH *c", "*2 | $1 | 0 | *1 | $4 | {t}c"),
        ("SCAN 0 TYPE list | SCAN 16384", "*2 | $1 | 0 | *0 | -ERR invalid cursor"),
        ("DEL {t}b {t}c {t}c | RANDOMKEY", ":2 | $-1"),
        ("WAIT 1 100 | WAIT 1 -1", ":1 | -ERR timeout is negative"),
    ] {
        check(&store, input, expected).await;
    }
}

#[tokio::test]
async fn a_scan_brings_every_key_once_slot_by_slot() {
    let store = Store::new();
    let mut input: Vec<String> = (0..500).map(|number| format!("SET key{number} v")).collect();
    input.push("PING".to_owned());
    let answers = talk(&store, (input.join("\r\n") + "\r\n").as_bytes()).await;
    assert!(answers.ends_with(b"+PONG\r\n"));
    let (mut cursor, mut seen, mut calls) = ("0".to_owned(), Vec::new(), 0);
    loop {
        let reply = talk(&store, format!("SCAN {cursor} COUNT 50\r\n").as_bytes()).await;
        let reply = String::from_utf8(reply).unwrap();
        let mut lines = reply.split("\r\n").filter(|line| !line.starts_with(['*', '$']));
        cursor = lines.next().unwrap().to_owned();
        seen.extend(lines.filter(|line| !line.is_empty()).map(str::to_owned));
        calls += 1;
        if cursor == "0" {
            break;
        }
    }
    let unique: std::collections::BTreeSet<_> = seen.iter().collect();
    assert_eq!((seen.len(), unique.len()), (500, 500));
    assert!(calls >= 9, "{calls} calls of 50");
}

#[tokio::test]
async fn writes_of_a_pipeline_go_to_the_store_together() {
    let store = Store::new();
    let lines: Vec<_> = (0..100).map(|n| format!("SET key{n} v\r\n")).collect();
    let mut input = lines.concat();
    input.push_str("GET key5\r\nSET key5 w\r\nSET key5 x\r\nGET key5\r\n");
    let answers = talk(&store, input.as_bytes()).await;
    let expected = "+OK\r\n".repeat(100) + "$1\r\nv\r\n+OK\r\n+OK\r\n$1\r\nx\r\n";
    assert_eq!(String::from_utf8(answers).unwrap(), expected);
    let batches = store.0.batches.lock().unwrap();
    assert!(batches.iter().max().unwrap() >= &50, "{batches:?}");
}

#[tokio::test]
async fn a_client_that_finds_the_way_is_sent_on() {
    let store = Store::new();
    let slot = |key: &str| Slot::of(key.as_bytes()).0;
    let there = |has_copy| Place::There { at: Some("10.0.0.2:7000".to_owned()), has_copy };
    let places = [(slot("b"), there(true)), (slot("c"), there(false)), (slot("d"), Place::Nowhere)];
    store.0.places.lock().unwrap().extend(places);
    let moved = |key| format!("-MOVED {} 10.0.0.2:7000", slot(key));
    check(&store, "SET a 1 | GET a", "+OK | $1 | 1").await;
    check(&store, "SET b 1 | GET b", &format!("{} | {}", moved("b"), moved("b"))).await;
    check(&store, "READONLY | GET b | SET b 1", &format!("+OK | $-1 | {}", moved("b"))).await;
    check(&store, "READONLY | GET c | READWRITE", &format!("+OK | {} | +OK", moved("c"))).await;
    check(&store, "GET d", "-CLUSTERDOWN Hash slot not served").await;
    let crossed = "-CROSSSLOT Keys in request don't hash to the same slot";
    check(&store, "MGET a b | MSET {a}x 1 {a}y 2", &format!("{crossed} | +OK")).await;
    check(&store, "CLUSTER KEYSLOT somekey | ASKING", ":11058 | +OK").await;
}

#[tokio::test]
async fn what_is_asked_of_the_server_is_answered_in_redis_words() {
    let store = Store::new();
    for (input, expected) in [
        ("TIME", "*2 | $1 | 1 | $6 | 500000"),
        ("CONFIG GET app*", "*4 | $11 | appendfsync | $6 | always | $10 | appendonly | $3 | yes"),
        ("CONFIG FLY", "-ERR unknown subcommand 'FLY'. Try CONFIG HELP."),
        (
            "RESET | AUTH x",
            "+RESET | -ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?",
        ),
        ("COMMAND GETKEYS MSET a 1 b 2", "*2 | $1 | a | $1 | b"),
        ("COMMAND INFO fly", "*1 | $-1"),
        (
            "COMMAND INFO get",
            "*1 | *10 | $3 | get | :2 | *2 | +readonly | +fast | :1 | :1 | :1 | *0 | *0 | *0 | *0",
        ),
    ] {
        check(&store, input, expected).await;
    }
    let info = String::from_utf8(talk(&store, b"INFO server clients\r\n").await).unwrap();
    for part in ["# Server\r\n", "evenkeel_node:n1\r\n", "redis_mode:standalone", "# Clients"] {
        assert!(info.contains(part), "{info}");
    }
    assert!(!info.contains("# Cluster"), "{info}");
}
