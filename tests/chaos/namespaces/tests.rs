//! What a cut loses, seen by single datagrams.

use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::timeout;

use super::{Namespaces, address};
use crate::fault::{End, Way};
use crate::stage::SOON;

/// Whether a datagram that is sent this way arrives before the listener loses patience.
fn arrives(namespaces: &Namespaces, way: Way, patience: Duration) -> bool {
    let (there, here) = (address(way.to), address(way.from));
    let listening = namespaces.at(way.to).runtime();
    let speaking = namespaces.at(way.from).runtime();
    // Any port: one that was closed a moment ago may still be held by a process that is being started.
    let bind = |address: String| async move { UdpSocket::bind((address, 0)).await };
    let ear = listening.block_on(listening.spawn(bind(there)));
    let mouth = speaking.block_on(speaking.spawn(bind(here)));
    let (ear, mouth) = (ear.unwrap().unwrap(), mouth.unwrap().unwrap());
    let there = ear.local_addr().unwrap();
    speaking.block_on(mouth.send_to(b"are you there?", there)).unwrap();
    let heard = async move { timeout(patience, ear.recv(&mut [0; 64])).await };
    listening.block_on(listening.spawn(heard)).unwrap().is_ok()
}

#[test]
fn a_cut_loses_what_is_sent_one_way_and_nothing_else() {
    if !Namespaces::possible() {
        return;
    }
    let namespaces = Namespaces::make("cut", 2);
    let [one, other] = [End::Node(0), End::Node(1)];
    let (way, back) = (Way { from: one, to: other }, Way { from: other, to: one });
    let asked = Way { from: End::Clients, to: other };
    assert!(arrives(&namespaces, way, SOON) && arrives(&namespaces, back, SOON));
    let before = namespaces.dropped();
    namespaces.cut(&[way]);
    assert!(!arrives(&namespaces, way, Duration::from_secs(1)));
    assert_eq!(namespaces.dropped(), before + 1);
    assert!(arrives(&namespaces, back, SOON) && arrives(&namespaces, asked, SOON));
    namespaces.mend(&[way]);
    assert!(arrives(&namespaces, way, SOON));
}
