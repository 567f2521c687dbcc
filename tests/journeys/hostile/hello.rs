//! What strangers say first: a sentence answers each, and the connection is closed.

use evenkeel_shared::ids::ClusterId;
use evenkeel_shared::limits::HELLO_FRAME_BYTES_MAX;
use evenkeel_shared::wire::hello::{Lane, Service, WIRE_VERSION};
use evenkeel_tests::{Stranger, words};

use super::Calm;

/// Says something else than a Hello; the sentence that answers it.
fn turned_away(calm: &Calm, bytes: &[u8]) -> (Stranger, String) {
    let mut caller = Stranger::saying(calm.rpc(), bytes);
    caller.falls_silent();
    let answer = caller.frame().expect("a sentence answers it");
    let why = words::welcome(&answer).expect_err("it is turned away");
    assert_eq!(caller.rest(), b"", "and the connection is closed");
    (caller, why)
}

/// A caller is told this, and so is the log; however often, nobody minds.
fn check(calm: &Calm, bytes: &[u8], told: &str) {
    let (caller, why) = turned_away(calm, bytes);
    assert!(why.contains(told), "{why}");
    calm.told_of(&caller, told);
}

#[test]
fn whoever_says_no_proper_hello_is_told_why() {
    let (calm, _) = Calm::begin();
    let store = words::hello(Service::Store, None);
    let most = HELLO_FRAME_BYTES_MAX;
    check(&calm, &words::framed(&[]), "not an evenkeel connection");
    check(&calm, &[255; 4], &format!("a frame of 4294967295 bytes, at most {most} are taken"));
    check(&calm, &[0, 1, 0, 1], &format!("a frame of 65537 bytes, at most {most} are taken"));
    check(&calm, b"GET / HTTP/1.1\r\n\r\n", "a frame of 1195725856 bytes");
    check(&calm, &store[..store.len() - 3], "it ended within a frame");
    let magic = words::hello_of(*b"evil", WIRE_VERSION, Service::Store, None);
    let (_, why) = turned_away(&calm, &magic);
    assert_eq!(why, "not an evenkeel connection");
    let version = u8::try_from(WIRE_VERSION).expect("it is small");
    let upto_service = [&words::MAGIC[..], &[version, 0, 1, 1, b'x']].concat();
    let with = |service: &[u8]| words::framed(&[&upto_service[..], service].concat());
    check(&calm, &with(&[9]), "service 9 is not known here");
    check(&calm, &with(&[255, 255]), "service 255 is not known here");
    check(&calm, &with(&[]), "a Hello that can't be read: ");
    calm.holds();

    let random: Vec<u8> =
        (0..997u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let (_, why) = turned_away(&calm, &[&[0, 0, 1, 0][..], &random].concat());
    assert_eq!(why, "not an evenkeel connection");
    let again = || drop(turned_away(&calm, &[255; 4]));
    calm.counted("a frame of 4294967295 bytes", again);
    calm.end(20);
}

#[test]
fn another_wire_version_is_told_both_and_which_side_to_update() {
    let (calm, _) = Calm::begin();
    let older = (1..WIRE_VERSION).map(|version| (version, "the caller"));
    let newer = [WIRE_VERSION + 1, u16::MAX].map(|version| (version, "this agent"));
    for (version, side) in older.chain(newer) {
        let told = format!(
            "the caller speaks wire version {version}, this agent {WIRE_VERSION}: update {side}"
        );
        check(&calm, &words::hello_of(words::MAGIC, version, Service::Admin, None), &told);
        // What follows the version is another build's, and is not looked at.
        let mut cut = words::MAGIC.to_vec();
        cut.extend(evenkeel_shared::wire::codec::encode(&version).expect("a number"));
        assert_eq!(turned_away(&calm, &words::framed(&cut)).1, told);
    }
    let newer = words::hello_of(words::MAGIC, WIRE_VERSION + 1, Service::Peer(Lane::Raft), None);
    let why = format!("wire version {}, this agent", WIRE_VERSION + 1);
    calm.counted(&why, || drop(turned_away(&calm, &newer)));
    calm.end(20);
}

#[test]
fn another_clusters_callers_are_told_whose_node_this_is() {
    let (calm, _) = Calm::begin();
    let ours = calm.cluster.ask(&["status"])["cluster"].as_str().expect("its id").to_owned();
    for (service, number) in
        [(Service::Peer(Lane::Heartbeat), 1), (Service::Store, 2), (Service::Admin, 3)]
    {
        let other = ClusterId(number);
        let told = format!("n1 belongs to cluster {ours}, not to {other}");
        check(&calm, &words::hello(service, Some(other)), &told);
    }
    let again = || {
        drop(turned_away(&calm, &words::hello(Service::Peer(Lane::Raft), Some(ClusterId(1)))));
    };
    calm.counted(&format!("not to {}", ClusterId(1)), again);
    calm.end(20);
}
