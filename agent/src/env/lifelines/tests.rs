//! Real sockets, and the tables of descriptors that Linux shows of them.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::*;

const PATIENCE: Duration = Duration::from_secs(20);

fn net() -> impl Net {
    Thread::start().expect("a thread may have descriptors of its own here").into_net().unwrap()
}

/// Whether this process's own table has the socket that is bound to this port.
fn is_ours(local: SocketAddr) -> bool {
    let sockets = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let port = format!(":{:04X}", local.port());
    let of_port = sockets.lines().filter(|line| {
        line.split_whitespace().nth(1).is_some_and(|address| address.ends_with(&port))
    });
    let links: Vec<String> = of_port
        .filter_map(|line| Some(format!("socket:[{}]", line.split_whitespace().nth(9)?)))
        .collect();
    assert!(!links.is_empty(), "somebody has a socket on {local}");
    std::fs::read_dir("/proc/self/fd").unwrap().any(|entry| {
        let link = std::fs::read_link(entry.unwrap().path());
        link.is_ok_and(|link| links.iter().any(|ours| link.as_os_str() == ours.as_str()))
    })
}

#[tokio::test]
async fn what_the_thread_accepts_is_served_here_while_it_keeps_the_listener() {
    let net = net();
    let mut listener = net.listen("127.0.0.1:0").await.unwrap();
    let local = listener.local_address().unwrap();
    assert!(!is_ours(local));
    for said in [b"once", b"more"] {
        let mut far = net.dial(&local.to_string()).await.unwrap();
        let (mut near, from) = timeout(PATIENCE, listener.accept()).await.unwrap().unwrap();
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
async fn a_lasting_connection_is_the_threads_alone_until_it_is_let_go() {
    let (net, listener) = (net(), Tcp.listen("127.0.0.1:0"));
    let mut listener = listener.await.unwrap();
    let address = listener.local_address().unwrap().to_string();

    let Lasting { stream, held } = net.dial_for_life(&address).await.unwrap().expect("it can be");
    let (mut far, from) = listener.accept().await.unwrap();
    drop(stream);
    let mut heard = [0; 1];
    let mut held = tokio::spawn(held);
    let gone = async {
        while is_ours(from) {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, gone).await.expect("it leaves this process's table");
    let read = std::pin::pin!(far.read(&mut heard));
    assert!(futures::poll!(read).is_pending(), "nobody has closed it");
    assert!(futures::poll!(&mut held).is_pending());
    held.abort();
    assert_eq!(timeout(PATIENCE, far.read(&mut heard)).await.unwrap().unwrap(), 0);

    let Lasting { held, .. } = net.dial_for_life(&address).await.unwrap().expect("it can be");
    let far = listener.accept().await.unwrap();
    let held = tokio::spawn(held);
    drop(far);
    timeout(PATIENCE, held).await.expect("it is told that the other side has closed").unwrap();
}
