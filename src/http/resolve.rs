//! Name lookup, once per run. Every client of a run uses the addresses found here.

use crate::clock::NS_PER_S;
use crate::dns;
pub use crate::dns::MAX_ADDRESSES;
use crate::stats::outcome::ErrorKind;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// Maximum time for one address while others remain.
const MAX_ATTEMPT_NS: u64 = NS_PER_S;

/// A name without an address, or a lookup that timed out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolveError {
    host: String,
    reason: String,
}

impl fmt::Display for ResolveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "host {:?} cannot be resolved: {}; check the name and the DNS settings",
            self.host, self.reason
        )
    }
}

impl std::error::Error for ResolveError {}

/// An address to use for a host and port instead of a lookup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pinned {
    host: String,
    port: u16,
    address: IpAddr,
}

impl std::str::FromStr for Pinned {
    type Err = String;

    /// Parses `HOST:PORT:ADDR`; an IPv6 address may be in brackets.
    fn from_str(text: &str) -> Result<Pinned, String> {
        let read = || {
            let (host, rest) = text.split_once(':')?;
            let (port, address) = rest.split_once(':')?;
            let address = address.strip_prefix('[').and_then(|a| a.strip_suffix(']')).unwrap_or(address);
            let port = port.parse().ok().filter(|port| *port > 0)?;
            let pinned = Pinned { host: host.to_owned(), port, address: address.parse().ok()? };
            (!host.is_empty()).then_some(pinned)
        };
        read().ok_or_else(|| format!("{text:?}: use HOST:PORT:ADDR, like shop.example:443:10.0.0.7"))
    }
}

/// The addresses pinned for a host and port, in the order given.
pub fn pinned(all: &[Pinned], host: &str, port: u16) -> Vec<SocketAddr> {
    let matching = all.iter().filter(|one| one.port == port && one.host.eq_ignore_ascii_case(host));
    matching.map(|one| SocketAddr::new(one.address, port)).take(MAX_ADDRESSES).collect()
}

/// Resolves a host name or parses an address; `timeout` bounds the wait.
///
/// # Errors
/// [`ResolveError`] if the name has no address or the lookup timed out.
pub fn resolve(host: &str, port: u16, timeout: Duration) -> Result<Vec<SocketAddr>, ResolveError> {
    dns::look_up(host, port, timeout).map_err(|reason| ResolveError { host: host.to_owned(), reason })
}

/// Where a run's requests go: addresses to try in turn. If there are none, the error with which each request
/// ends, so that an unresolvable name is counted instead of crashing the run.
#[derive(Clone, Debug)]
pub struct Addresses(Result<Arc<[SocketAddr]>, ErrorKind>);

impl Addresses {
    /// The addresses, at least one.
    ///
    /// # Errors
    /// The kind with which every request ends.
    pub fn get(&self) -> Result<&[SocketAddr], ErrorKind> {
        self.0.as_deref().map_err(|kind| *kind)
    }

    /// Maximum time for one address while others remain, in nanoseconds: an equal share of the connect
    /// timeout, but at most a second, in which all but the slowest networks answer.
    pub fn attempt_ns(&self, connect_timeout_ns: u64) -> u64 {
        let count = self.get().map_or(1, |addresses| addresses.len() as u64);
        (connect_timeout_ns / count).min(MAX_ATTEMPT_NS)
    }
}

impl From<Vec<SocketAddr>> for Addresses {
    fn from(addresses: Vec<SocketAddr>) -> Addresses {
        if addresses.is_empty() { Addresses(Err(ErrorKind::Dns)) } else { Addresses(Ok(addresses.into())) }
    }
}

impl From<Result<Vec<SocketAddr>, ResolveError>> for Addresses {
    fn from(resolved: Result<Vec<SocketAddr>, ResolveError>) -> Addresses {
        resolved.map_or(Addresses(Err(ErrorKind::Dns)), Addresses::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pinned_addresses_match_their_host_and_port() {
        let read = |text: &str| text.parse::<Pinned>();
        let all = ["a.b:80:10.0.0.1", "A.b:80:[::1]", "a.b:81:10.0.0.2", "c:80:10.0.0.3"];
        let all: Vec<Pinned> = all.iter().map(|text| read(text).unwrap()).collect();
        let expected: [SocketAddr; 2] = ["10.0.0.1:80".parse().unwrap(), "[::1]:80".parse().unwrap()];
        assert_eq!(pinned(&all, "a.B", 80), expected);
        assert!(pinned(&all, "a.b", 443).is_empty());
        for text in ["", "a", "a:80", "a:80:", ":80:10.0.0.1", "a:0:10.0.0.1", "a:x:10.0.0.1", "a:80:host"] {
            assert!(read(text).unwrap_err().contains("HOST:PORT:ADDR"), "{text}");
        }
    }

    #[test]
    fn an_unresolvable_name_is_reported_and_becomes_dns() {
        let failed = resolve("no-such-host.invalid", 80, Duration::from_secs(10));
        assert!(failed.as_ref().unwrap_err().to_string().contains("no-such-host.invalid"));
        assert_eq!(Addresses::from(failed).get(), Err(ErrorKind::Dns));
    }
}
