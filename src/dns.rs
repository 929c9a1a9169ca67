//! Resolves host names with a deadline, for all roles.

use crate::threads;
use crossbeam_channel::{RecvTimeoutError, bounded};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::thread;
use std::time::Duration;

/// Maximum number of addresses used per name.
pub const MAX_ADDRESSES: usize = 16;
/// Maximum time for the system to resolve `localhost`. This takes no network request, so a lookup that takes
/// longer will probably fail, and the caller needs the remaining time to connect.
const LOCALHOST_PATIENCE: Duration = Duration::from_millis(100);

/// Resolves a host name or parses an address; `timeout` bounds the wait.
///
/// `localhost` is this host even if the system cannot resolve it, as in a container without `/etc/hosts`
/// (RFC 6761, section 6.3).
///
/// The system's resolver cannot be interrupted. If it is late, its thread is abandoned and ends at the
/// resolver's own timeout (usually 5 s per server, twice). It holds no resources; its result is discarded.
///
/// # Errors
/// Why the name cannot be resolved, without the name itself.
pub fn look_up(host: &str, port: u16, timeout: Duration) -> Result<Vec<SocketAddr>, String> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(ip, port)]);
    }
    if !is_localhost(host) {
        return ask_system(host, port, timeout);
    }
    Ok(or_loopback(port, ask_system(host, port, LOCALHOST_PATIENCE.min(timeout / 4))))
}

fn is_localhost(host: &str) -> bool {
    host.strip_suffix('.').unwrap_or(host).eq_ignore_ascii_case("localhost")
}

/// The system's addresses of `localhost`, or else the loopback addresses.
fn or_loopback(port: u16, asked: Result<Vec<SocketAddr>, String>) -> Vec<SocketAddr> {
    let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    asked.unwrap_or_else(|_| loopback.map(|ip| SocketAddr::new(ip, port)).to_vec())
}

fn ask_system(host: &str, port: u16, timeout: Duration) -> Result<Vec<SocketAddr>, String> {
    let (answer, answered) = bounded(1);
    let name = host.to_owned();
    let helper = thread::Builder::new().name("resolve".to_owned()).spawn(move || {
        let found =
            (name.as_str(), port).to_socket_addrs().map(|all| all.take(MAX_ADDRESSES).collect::<Vec<_>>());
        // Fails only if the caller no longer waits.
        let _ = answer.send(found);
    });
    let helper = helper.map_err(|e| format!("cannot start a lookup thread: {}", threads::why_not(&e)))?;
    match answered.recv_timeout(timeout) {
        Ok(found) => {
            let _ = helper.join();
            match found {
                Ok(addresses) if addresses.is_empty() => Err("it has no address".to_owned()),
                Ok(addresses) => Ok(addresses),
                Err(error) => Err(error.to_string()),
            }
        }
        Err(RecvTimeoutError::Timeout) => Err(format!("no answer in {} ms", timeout.as_millis())),
        Err(RecvTimeoutError::Disconnected) => Err("the lookup failed".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[test]
    fn addresses_are_parsed_without_a_lookup() {
        let found = look_up("::1", 80, Duration::ZERO).unwrap();
        assert_eq!(found, ["[::1]:80".parse().unwrap()]);
    }

    #[test]
    fn a_name_is_resolved() {
        let found = look_up("localhost", 81, Duration::from_secs(10)).unwrap();
        assert!(found.iter().all(|a| a.ip().is_loopback() && a.port() == 81), "{found:?}");
    }

    #[test]
    fn localhost_is_always_this_host() {
        let loopback: [SocketAddr; 2] = ["127.0.0.1:82".parse().unwrap(), "[::1]:82".parse().unwrap()];
        assert_eq!(or_loopback(82, Err("Try again".to_owned())), loopback);
        assert_eq!(or_loopback(82, Ok(vec![loopback[1]])), [loopback[1]], "the system is asked first");
        for (host, expected) in [("LocalHost", true), ("localhost.", true), ("localhost.example", false)] {
            assert_eq!(is_localhost(host), expected, "{host}");
        }
        // Too little time for any answer, like a resolver without a hosts file whose servers do not respond.
        let found = look_up("localhost", 82, Duration::ZERO).unwrap();
        assert!(!found.is_empty() && found.iter().all(|a| a.ip().is_loopback()), "{found:?}");
    }

    #[test]
    fn the_wait_is_bounded() {
        let begun_ns = clock::now_ns();
        // The call must not wait, whether or not the resolver answers within a nanosecond.
        let _ = look_up("no-such-host.invalid", 80, Duration::from_nanos(1));
        assert!(clock::now_ns() - begun_ns < 2 * clock::NS_PER_S);
    }
}
