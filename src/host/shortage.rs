//! Logs which local resource is exhausted if a connect fails at once. The errors are only counted.

use super::addresses::source_of;
use super::ports::port_range;
use crate::clock::{self, NS_PER_S};
use rustix::io::Errno;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Minimum time between two of these log lines.
const PAUSE_NS: u64 = 60 * NS_PER_S;

/// Logs what a connect that failed at once lacks, if known; at most once a minute, however many connections
/// and threads there are.
pub fn say(error: &io::Error, address: SocketAddr) {
    // One per address family: a host without IPv6 logs nothing, and must not keep IPv4 from logging.
    static NEXT_NS: [AtomicU64; 2] = [AtomicU64::new(0), AtomicU64::new(0)];
    let Some(lack) = Lack::of(error) else { return };
    let now_ns = clock::now_ns();
    let is_due = |next_ns: u64| (now_ns >= next_ns).then_some(now_ns + PAUSE_NS);
    if NEXT_NS[usize::from(address.is_ipv6())].fetch_update(Relaxed, Relaxed, is_due).is_err() {
        return;
    }
    match lack {
        Lack::Port => log::warn!("{}", no_port(address, port_range())),
        Lack::Descriptor => log::warn!(
            "no file descriptor is left for a connection to {address}: use fewer connections, or raise the \
             limit (ulimit -n)"
        ),
    }
}

/// Resources that may run out.
#[derive(Debug, PartialEq)]
enum Lack {
    Port,
    Descriptor,
}

impl Lack {
    fn of(error: &io::Error) -> Option<Lack> {
        match Errno::from_io_error(error)? {
            Errno::ADDRNOTAVAIL => Some(Lack::Port),
            Errno::MFILE | Errno::NFILE => Some(Lack::Descriptor),
            _ => None,
        }
    }
}

fn no_port(address: SocketAddr, range: Option<(u16, u16)>) -> String {
    let ports = match range {
        Some((first, last)) => {
            let count = u32::from(last) + 1 - u32::from(first);
            format!("this host has {count} ({first} to {last}, net.ipv4.ip_local_port_range)")
        }
        None => "a host has about 28,000 (net.ipv4.ip_local_port_range)".to_owned(),
    };
    format!(
        "no local port is left for connections to {address}: {ports} per server address and port, and a \
         closed connection may hold its port for a minute; keep connections alive (no \
         --new-connection-per-request), use fewer, spread them over more hosts, or widen that range"
    )
}

/// Whether a connect failed because the host has no source address for `address`, which the kernel reports
/// with the same error as a lack of ports. That happens with `::1` if IPv6 is disabled. Datagram sockets,
/// which are asked, have ports of their own.
pub fn has_no_source(error: &io::Error, address: SocketAddr) -> bool {
    Lack::of(error) == Some(Lack::Port)
        && source_of(&address).is_err_and(|e| e.kind() == io::ErrorKind::AddrNotAvailable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shortages_are_told_apart_from_other_errors() {
        let lack = |errno: Errno| Lack::of(&errno.into());
        assert_eq!(lack(Errno::ADDRNOTAVAIL), Some(Lack::Port));
        assert_eq!(
            (lack(Errno::MFILE), lack(Errno::NFILE)),
            (Some(Lack::Descriptor), Some(Lack::Descriptor))
        );
        assert_eq!(lack(Errno::CONNREFUSED), None);
        assert_eq!(Lack::of(&io::ErrorKind::TimedOut.into()), None);
    }

    #[test]
    fn the_line_names_the_server_and_the_ports_of_this_host() {
        let address = "10.0.0.1:80".parse().unwrap();
        let text = no_port(address, Some((32_768, 60_999)));
        assert!(text.contains("10.0.0.1:80") && text.contains("has 28232 (32768 to 60999"), "{text}");
        assert!(no_port(address, None).contains("about 28,000"));
        assert!(no_port(address, Some((0, u16::MAX))).contains("has 65536 "));
    }

    #[test]
    fn only_an_address_without_a_source_is_out_of_reach() {
        let has_no_source =
            |errno: Errno, address: &str| super::has_no_source(&errno.into(), address.parse().unwrap());
        assert!(!has_no_source(Errno::ADDRNOTAVAIL, "127.0.0.1:9"));
        assert!(!has_no_source(Errno::CONNREFUSED, "[::1]:9"));
    }
}
