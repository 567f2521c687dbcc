//! `host:port`, as it is typed and as it is advertised. A name stays a name: nothing is resolved.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// A host, by name or number, and a port. Port 0 asks for any free one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    /// A name, an IPv4 number, or an IPv6 number without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// The ports that the listeners have really taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BoundAddresses {
    /// Agents, clients, consoles.
    pub rpc: u16,
    /// Redis protocol, forwarding.
    pub resp: Option<u16>,
    /// Redis protocol, redirecting.
    pub resp_cluster: Option<u16>,
    /// Metrics and health.
    pub http: Option<u16>,
}

impl Address {
    /// Whether only this machine reaches it.
    pub fn is_loopback(&self) -> bool {
        match self.host.parse::<IpAddr>() {
            Ok(number) => number.is_loopback(),
            Err(_) => self.host == "localhost",
        }
    }

    /// Whether it means every interface, which is no place to be reached at.
    pub fn is_unspecified(&self) -> bool {
        self.host.parse::<IpAddr>().is_ok_and(|number| number.is_unspecified())
    }
}

impl FromStr for Address {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (host, port) = text.rsplit_once(':').ok_or("there is no port")?;
        let port = port.parse().map_err(|_| "the port is no number from 0 to 65535")?;
        let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(number) if number.parse::<std::net::Ipv6Addr>().is_ok() => number,
            Some(_) => return Err("there is no IPv6 number between the brackets"),
            None if host.contains(':') => return Err("an IPv6 number stands in brackets"),
            None if host.is_empty() => return Err("there is no host"),
            None if !host.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c)) => {
                return Err("the host is neither a name nor a number");
            }
            None => host,
        };
        Ok(Self { host: host.to_owned(), port })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}
