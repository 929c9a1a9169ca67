//! Which addresses belong to this host.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// Whether packets to `address` stay on this host. Asks the kernel for the route with a datagram socket that
/// sends nothing: for one of the host's own addresses, the source address equals the destination.
pub fn is_own_address(address: &SocketAddr) -> bool {
    let ip = address.ip().to_canonical();
    // The kernel connects to this host for 0.0.0.0 and [::], too.
    ip.is_loopback() || ip.is_unspecified() || source_of(address).is_ok_and(|source| source == address.ip())
}

/// The source address of connections to `address`, as the kernel selects it for a datagram socket, too.
pub fn source_of(address: &SocketAddr) -> io::Result<IpAddr> {
    let any: IpAddr =
        if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(address)?;
    socket.local_addr().map(|source| source.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_local_and_a_documentation_address_is_not() {
        for own in
            ["127.0.0.1:80", "127.3.2.1:80", "[::1]:80", "[::ffff:127.0.0.1]:80", "0.0.0.0:80", "[::]:80"]
        {
            assert!(is_own_address(&own.parse().expect("an address")), "{own}");
        }
        for other in ["192.0.2.7:80", "[2001:db8::7]:80"] {
            assert!(!is_own_address(&other.parse().expect("an address")), "{other}");
        }
    }
}
