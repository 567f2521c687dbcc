//! Plain TCP for clients and consoles; agents dial through their `env`.

use std::io;

use futures::future::BoxFuture;

use super::transport::{BoxStream, Dial};

/// TCP of the operating system, without Nagle's delay.
pub struct Tcp;

impl Dial for Tcp {
    fn dial(&self, address: &str) -> BoxFuture<'static, io::Result<BoxStream>> {
        let address = address.to_owned();
        Box::pin(async move {
            #[expect(clippy::disallowed_methods, reason = "this is the one place that dials")]
            let stream = tokio::net::TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as BoxStream)
        })
    }
}
