//! Callers who go silent, and readers who don't read: each costs a bounded amount for a bounded
//! time, and whoever only rests is left alone.

use bytes::Bytes;
use evenkeel_shared::limits::{CLIENT_CONNECTIONS_MAX, CONNECTION_BYTES_MAX};
use evenkeel_shared::service::store::StoreRequest;
use evenkeel_shared::wire::hello::{Lane, Service};
use evenkeel_tests::{Client, Stranger, raise_open_files, wait_for, words};

use super::{Calm, SOON};

/// Bytes of one large value.
const LARGE: usize = 1 << 20;
/// Requests that a slow reader sends: their replies are three times what a connection may hold.
const ASKED: usize = 3 * CONNECTION_BYTES_MAX / LARGE;
/// What an agent may grow by, in kilobytes, while four slow readers ask for all of that.
const GROWTH_KB_MAX: u64 = 6 * (CONNECTION_BYTES_MAX as u64 >> 10);
const WAIT_MS: u64 = 60_000;

/// Says Hello, asks for much, and reads nothing.
fn slow_reader(calm: &Calm, message: &StoreRequest) -> Stranger {
    let mut caller = Stranger::saying(calm.rpc(), &words::hello(Service::Store, None));
    caller.frame().expect("a Hello is answered");
    for id in 0..ASKED as u64 {
        caller.say(&words::request(id, WAIT_MS, message));
    }
    caller
}

#[test]
fn whoever_stops_in_the_middle_is_let_go_and_whoever_rests_is_not() {
    let (calm, _) = Calm::begin();
    let hello = words::hello(Service::Store, None);
    let mut mute = Stranger::connect(calm.rpc());
    let mut cut = Stranger::saying(calm.rpc(), &hello[..hello.len() / 2]);
    let welcomed = || {
        let mut caller = Stranger::saying(calm.rpc(), &hello);
        caller.frame().expect("a Hello is answered");
        caller
    };
    let resting: Vec<Stranger> = (0..300).map(|_| welcomed()).collect();
    let asked = words::request(1, WAIT_MS, &words::put(b"k", vec![0; 1 << 10]));
    let mut halves: Vec<Stranger> = [2, 4, 5, asked.len() - 1]
        .map(|end| {
            let mut caller = welcomed();
            caller.say(&asked[..end]);
            caller
        })
        .into();
    let mut redis = Stranger::saying(&calm.victim().plan.resp, b"*2\r\n$3\r\nGET\r\n$9\r\nk");
    calm.holds();

    // No Hello: they are told, and the connection is closed.
    let told = "no Hello within 3s";
    for caller in [&mut mute, &mut cut] {
        assert_eq!(words::welcome(&caller.frame().expect("it is told")), Err(told.to_owned()));
        assert_eq!(caller.rest(), b"");
    }
    calm.told(told);
    // Half a request: the connection is closed.
    for caller in &mut halves {
        assert_eq!(caller.rest(), b"");
    }
    calm.told("a frame was begun and not finished within 10s");
    let told = "-ERR Protocol error: a command was begun and not finished within 10s\r\n";
    assert_eq!(String::from_utf8_lossy(&redis.rest()), told);
    calm.told_of(&redis, "a command was begun and not finished within 10s");
    // Nothing at all is no offence.
    assert!(resting.iter().all(Stranger::is_left_alone), "those who rest");
    calm.end(20);
}

#[test]
fn whoever_asks_and_does_not_read_costs_a_bounded_amount() {
    let (calm, http) = Calm::begin();
    let client = Client::new(calm.cluster.addresses());
    let large = (0..4).map(|n| (format!("large/{n}"), Bytes::from(vec![n; LARGE])));
    client.put_all(large);
    let before = calm.victim().resident_kb();
    let mut callers = vec![
        slow_reader(&calm, &words::get(b"large/0")),
        slow_reader(&calm, &words::get(b"large/1")),
        slow_reader(&calm, &words::scan(b"large/")),
    ];
    let gets = b"GET large/2\r\n".repeat(ASKED);
    callers.push(Stranger::saying(&calm.victim().plan.resp, &gets));
    let pages = b"GET /metrics HTTP/1.1\r\nhost: n1\r\n\r\n".repeat(100_000);
    callers.push(Stranger::saying(&http, &pages));
    let mut most = 0;
    wait_for("slow readers are let go", SOON, || {
        calm.holds();
        most = most.max(calm.victim().resident_kb());
        (!callers.iter().any(Stranger::is_held)).then_some(())
    });
    assert!(most < before + GROWTH_KB_MAX, "from {before} to {most} kB");
    // Much less was kept for each than it asked for.
    for caller in &mut callers {
        let read = caller.rest().len();
        assert!(read < CONNECTION_BYTES_MAX, "{read} bytes came");
    }
    let why = "nothing of what was sent was taken for 10s";
    for kind in ["", "redis client: ", "http client: "] {
        calm.told(&format!("why=\"{kind}{why}\""));
    }
    // Others are served at each port.
    let mut other = Stranger::saying(&http, b"GET /health HTTP/1.0\r\n\r\n");
    assert!(other.rest().starts_with(b"HTTP/1.0 200 OK"));
    let mut other = Stranger::saying(&calm.victim().plan.resp, b"GET calm\r\nQUIT\r\n");
    assert_eq!(other.rest(), b"$3\r\nsea\r\n+OK\r\n");
    calm.end(5);
}

#[test]
fn whoever_has_said_all_and_closes_that_half_is_answered_and_let_go() {
    let (calm, http) = Calm::begin();
    let mut caller = Stranger::saying(calm.rpc(), &words::hello(Service::Store, None));
    caller.frame().expect("a Hello is answered");
    caller.say(&words::request(1, WAIT_MS, &words::get(b"calm")));
    caller.falls_silent();
    assert_eq!(words::response(&caller.frame().expect("it is answered")).0, 1);
    assert_eq!(caller.rest(), b"");
    let mut redis = Stranger::saying(&calm.victim().plan.resp, b"GET calm\r\n");
    redis.falls_silent();
    assert_eq!(redis.rest(), b"$3\r\nsea\r\n");
    let mut monitor = Stranger::saying(&http, b"GET /health HTTP/1.1\r\nhost: n1\r\n\r\n");
    monitor.falls_silent();
    assert!(monitor.rest().starts_with(b"HTTP/1.1 200 OK"));
    assert_eq!(calm.victim().complaints(""), [""; 0], "it is no offence");
    calm.end(5);
}

#[test]
fn the_kernel_asks_a_caller_at_rest_whether_it_is_still_there() {
    let (calm, http) = Calm::begin();
    let mut caller = Stranger::saying(calm.rpc(), &words::hello(Service::Store, None));
    caller.frame().expect("a Hello is answered");
    let mut redis = Stranger::saying(&calm.victim().plan.resp, b"PING\r\n");
    redis.bytes(7);
    let monitor = Stranger::connect(&http);
    for caller in [caller, redis, monitor] {
        wait_for("it is asked now and then", SOON, || caller.is_asked().then_some(()));
    }
    calm.end(5);
}

#[test]
fn when_clients_hold_all_connections_newcomers_are_told_and_agents_get_in() {
    let connections = CLIENT_CONNECTIONS_MAX as u64;
    if raise_open_files() < 2 * connections {
        eprintln!("SKIPPED: this machine lets a process open too few files");
        return;
    }
    let (calm, http) = Calm::begin();
    let hello = words::hello(Service::Store, None);
    let mut held = Vec::new();
    let (mut newcomer, why) = loop {
        let mut caller = Stranger::saying(calm.rpc(), &hello);
        match words::welcome(&caller.frame().expect("a Hello is answered")) {
            Ok(_) => held.push(caller),
            Err(why) => break (caller, why),
        }
        assert!(held.len() <= CLIENT_CONNECTIONS_MAX, "there is no bound");
    };
    let told = format!("n1 holds {connections} connections of clients open and takes no more");
    assert_eq!(why, told);
    assert_eq!(newcomer.rest(), b"");
    calm.told_of(&newcomer, &told);
    calm.counted(&told, || {
        let mut caller = Stranger::saying(calm.rpc(), &hello);
        caller.rest();
    });
    for service in [Service::Peer(Lane::Bulk), Service::Store] {
        let mut agent = Stranger::saying(calm.rpc(), &words::agents_hello(service));
        let welcome = words::welcome(&agent.frame().expect("a Hello is answered"));
        assert_eq!(welcome, Ok("n1".to_owned()), "agents get in");
    }
    // Monitors have a bound of their own.
    let monitors: Vec<Stranger> = (0..64).map(|_| Stranger::connect(&http)).collect();
    let mut newcomer = Stranger::connect(&http);
    assert!(newcomer.rest().starts_with(b"HTTP/1.1 503 "), "monitors are told");
    calm.told_of(&newcomer, "more http clients than are served at once");
    drop((held, monitors));
    let mut again = Stranger::saying(calm.rpc(), &hello);
    wait_for("there is room again", SOON, || {
        let answer = again.frame().expect("a Hello is answered");
        let welcomed = words::welcome(&answer).is_ok();
        if !welcomed {
            again = Stranger::saying(calm.rpc(), &hello);
        }
        welcomed.then_some(())
    });
    calm.end(20);
}
