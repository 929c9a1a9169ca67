//! Which addresses belong to this host.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// Whether packets to `address` stay on this host. Asks the kernel for the route with a datagram socket that
/// sends nothing: for one of the host's own addresses, the source address equals the destination.
pub fn is_own_address(address: &SocketAddr) -> bool {
    if address.ip().to_canonical().is_loopback() {
        return true;
    }
    let any: IpAddr =
        if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let source = || {
        let socket = UdpSocket::bind((any, 0))?;
        socket.connect(address)?;
        socket.local_addr()
    };
    source().is_ok_and(|source| source.ip() == address.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_local_and_a_documentation_address_is_not() {
        for own in ["127.0.0.1:80", "127.3.2.1:80", "[::1]:80", "[::ffff:127.0.0.1]:80"] {
            assert!(is_own_address(&own.parse().expect("an address")), "{own}");
        }
        for other in ["192.0.2.7:80", "[2001:db8::7]:80"] {
            assert!(!is_own_address(&other.parse().expect("an address")), "{other}");
        }
    }
}
