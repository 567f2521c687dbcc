//! Real sockets, and the tables of descriptors that Linux shows of them.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::*;

const PATIENCE: Duration = Duration::from_secs(20);

/// The network of a thread that keeps, until the sender goes.
fn net() -> (impl Net, std::sync::mpsc::Sender<()>) {
    let (give, line) = std::sync::mpsc::channel();
    let (until, over) = std::sync::mpsc::channel::<()>();
    let rest = move |line| {
        give.send(line).unwrap();
        let _ = over.recv();
    };
    std::thread::Builder::new().spawn(|| keep_while(rest).unwrap()).unwrap();
    let line: io::Result<Line> = line.recv().unwrap();
    (line.expect("a thread may have descriptors of its own here").into_net().unwrap(), until)
}

/// Whether this process's own table has the socket between these ports; 0: a listener's.
fn is_ours(local: u16, remote: u16) -> bool {
    let sockets = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let ends = [format!(":{local:04X}"), format!(":{remote:04X}")];
    let inode = sockets.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        (words[1].ends_with(&ends[0]) && words[2].ends_with(&ends[1])).then(|| words[9].to_owned())
    });
    let link = format!("socket:[{}]", inode.expect("there is such a socket"));
    std::fs::read_dir("/proc/self/fd").unwrap().any(|entry| {
        let known = std::fs::read_link(entry.unwrap().path());
        known.is_ok_and(|known| known.as_os_str() == link.as_str())
    })
}

#[tokio::test]
async fn what_the_thread_accepts_is_served_here_while_it_keeps_the_listener() {
    let (net, _until) = net();
    let mut listener = net.listen("127.0.0.1:0").await.unwrap();
    let local = listener.local_address().unwrap();
    for said in [b"once", b"more"] {
        let mut far = net.dial(&local.to_string()).await.unwrap();
        let accepted = timeout(PATIENCE, listener.accept()).await.unwrap().unwrap();
        let Accepted { stream: mut near, from, kept } = accepted;
        drop(kept);
        assert!(!is_ours(local.port(), 0), "the listener was handed over");
        assert!(from.ip().is_loopback() && from.port() != local.port());
        far.write_all(said).await.unwrap();
        let mut heard = [0; 4];
        timeout(PATIENCE, near.read_exact(&mut heard)).await.unwrap().unwrap();
        assert_eq!(&heard, said);
        drop(near);
        assert_eq!(timeout(PATIENCE, far.read(&mut heard)).await.unwrap().unwrap(), 0);
    }
    drop(listener);
    let refused = async {
        while net.dial(&local.to_string()).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, refused).await.expect("a dropped listener refuses");
}

#[tokio::test]
async fn a_lifeline_is_the_threads_alone_until_it_ends() {
    let (net, _until) = net();
    let mut listener = net.listen("127.0.0.1:0").await.unwrap();
    let address = listener.local_address().unwrap();
    let port = address.port();
    let mut pair = async || {
        let far = net.dial(&address.to_string()).await.unwrap();
        let Accepted { stream, from, kept } = listener.accept().await.unwrap();
        (far, stream, from, kept.expect("the thread keeps it"))
    };
    let mut heard = [0; 1];

    let (mut far, stream, from, kept) = pair().await;
    assert!(is_ours(port, from.port()));
    let mut held = tokio::spawn(kept.hold());
    drop(stream);
    assert!(!is_ours(port, from.port()));
    assert!(futures::poll!(std::pin::pin!(far.read(&mut heard))).is_pending());
    assert!(futures::poll!(&mut held).is_pending());
    held.abort();
    assert_eq!(timeout(PATIENCE, far.read(&mut heard)).await.unwrap().unwrap(), 0, "it is let go");

    let (far, stream, _, kept) = pair().await;
    let held = tokio::spawn(kept.hold());
    drop((far, stream));
    timeout(PATIENCE, held).await.expect("it is told that the other side has closed").unwrap();
}
