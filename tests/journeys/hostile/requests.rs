//! Requests that can't be served: each is answered with the bound that it breaks; a frame that is
//! no request ends its connection.

use evenkeel_shared::error::StoreError;
use evenkeel_shared::limits::{DATA_FRAME_BYTES_MAX, KEY_BYTES_MAX, VALUE_BYTES_MAX};
use evenkeel_shared::service::store::{StoreRequest, StoreResponse};
use evenkeel_shared::wire::hello::Service;
use evenkeel_tests::{Stranger, words};

use super::Calm;

const WAIT_MS: u64 = 20_000;

/// A connection that was welcomed.
fn welcomed(calm: &Calm) -> Stranger {
    let mut caller = Stranger::saying(calm.rpc(), &words::hello(Service::Store, None));
    let answer = caller.frame().expect("a Hello is answered");
    assert_eq!(words::welcome(&answer), Ok("n1".to_owned()));
    caller
}

/// Asks, and gets the answer to this very request.
fn ask(caller: &mut Stranger, id: u64, wait_ms: u64, message: &StoreRequest) -> StoreResponse {
    assert!(caller.say(&words::request(id, wait_ms, message)));
    let (answered, response) = words::response(&caller.frame().expect("it is answered"));
    assert_eq!(answered, id);
    response
}

/// Why a request can never succeed.
fn refused(response: StoreResponse) -> String {
    match response {
        StoreResponse::Write(Err(StoreError::Invalid { why }))
        | StoreResponse::Read(Err(StoreError::Invalid { why })) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn keys_and_values_beyond_their_bounds_are_refused_with_size_and_bound() {
    let (calm, _) = Calm::begin();
    let mut caller = welcomed(&calm);
    let (key, value) = (vec![b'k'; KEY_BYTES_MAX + 1], vec![b'v'; VALUE_BYTES_MAX + 1]);
    let too_long = "the key has 4097 bytes, at most 4096 fit";
    let empty = "the key is empty: at least one byte is needed";
    let too_large = "the value has 1048577 bytes, at most 1048576 fit";
    for (id, message, why) in [
        (1, words::put(&key, vec![1]), too_long),
        (2, words::get(&key), too_long),
        (3, words::put(b"", vec![1]), empty),
        (4, words::get(b""), empty),
        (5, words::put(b"k", value.clone()), too_large),
    ] {
        assert_eq!(refused(ask(&mut caller, id, WAIT_MS, &message)), why);
    }
    // The largest of both are stored, over the same connection.
    let largest = words::put(&key[1..], value[1..].to_vec());
    let stored = ask(&mut caller, 6, WAIT_MS, &largest);
    assert!(matches!(stored, StoreResponse::Write(Ok(_))), "{stored:?}");
    let StoreResponse::Read(Ok(reply)) = ask(&mut caller, 7, WAIT_MS, &words::get(&key[1..]))
    else {
        panic!("the largest record is read");
    };
    assert_eq!(reply.found.expect("it is there").0, value[1..]);
    // However often, the log says it in a line, or counts.
    calm.told_of(&caller, too_long);
    calm.told_of(&caller, too_large);
    calm.counted(empty, || {
        refused(ask(&mut caller, 8, WAIT_MS, &words::put(b"", vec![1])));
    });
    calm.end(5);
}

#[test]
fn a_frame_that_is_no_request_ends_its_connection_and_no_other() {
    let (calm, _) = Calm::begin();
    let mut other = welcomed(&calm);
    let most = DATA_FRAME_BYTES_MAX;
    let garbage = words::framed(&[0xEE; 64]);
    let beyond = format!("a frame of 4294967295 bytes, at most {most} are taken");
    let unreadable = "a request that can't be read";
    for (bytes, why) in [
        (&[255; 4][..], beyond.as_str()),
        (&garbage, unreadable),
        (&words::framed(&[]), "end of buffer"),
        (&words::request(1, WAIT_MS, &words::get(b"calm"))[..9], "it ended within a frame"),
    ] {
        let mut caller = welcomed(&calm);
        caller.say(bytes);
        caller.falls_silent();
        assert_eq!(caller.rest(), b"", "{why}");
        calm.told_of(&caller, why);
    }
    calm.counted(&beyond, || {
        let mut caller = welcomed(&calm);
        caller.say(&[255; 4]);
        caller.rest();
    });
    let read = ask(&mut other, 9, WAIT_MS, &words::get(b"calm"));
    assert!(matches!(read, StoreResponse::Read(Ok(_))), "{read:?}");
    calm.end(20);
}

#[test]
fn absurd_deadlines_are_bounded_or_refused_and_never_logged_one_by_one() {
    let (calm, _) = Calm::begin();
    let mut caller = welcomed(&calm);
    // Years: it is served, as soon as any.
    let years = ask(&mut caller, 1, u64::from(u32::MAX), &words::get(b"calm"));
    assert!(matches!(years, StoreResponse::Read(Ok(_))), "{years:?}");
    // None: there may be no time for an answer, but whoever asks for more time gets one.
    for id in 2..2 + super::REPEATS as u64 {
        assert!(caller.say(&words::request(id, 0, &words::put(b"hasty", vec![b'x'; 64]))));
    }
    assert!(caller.say(&words::request(1_000, WAIT_MS, &words::get(b"calm"))));
    loop {
        match words::response(&caller.frame().expect("the connection stands")) {
            (1_000, read) => {
                assert!(matches!(read, StoreResponse::Read(Ok(_))), "{read:?}");
                break;
            }
            (id, hasty) => {
                assert!((2..1_000).contains(&id));
                assert!(matches!(hasty, StoreResponse::Write(_)), "{hasty:?}");
            }
        }
    }
    // More than a frame may say: it is no request.
    caller.say(&words::request(1_001, u64::MAX, &words::get(b"calm")));
    caller.falls_silent();
    while caller.frame().is_some() {}
    calm.told_of(&caller, "a request that can't be read");
    calm.end(5);
}
