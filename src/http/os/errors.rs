//! System errors on connections, as text.

use crate::stats::causes::{NO_DESCRIPTOR, NO_PORT};
use rustix::io::Errno;
use std::io;

/// What an error means for a connection, if it is one of the common ones.
pub fn words(error: &io::Error) -> Option<&'static str> {
    Some(match Errno::from_io_error(error)? {
        Errno::CONNREFUSED => "connection refused",
        // Of a connect as well as of an open connection.
        Errno::TIMEDOUT => "TCP timed out: the host does not respond",
        Errno::NETUNREACH => "network unreachable",
        Errno::HOSTUNREACH => "host unreachable",
        Errno::ADDRNOTAVAIL => NO_PORT,
        // Only a connect to a Unix socket ends like this.
        Errno::AGAIN => "the server's queue of connections is full",
        Errno::NOENT => "there is no such Unix socket",
        Errno::MFILE | Errno::NFILE => NO_DESCRIPTOR,
        Errno::CONNRESET | Errno::PIPE => "the server reset the connection",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_shortages_and_server_errors_are_told_apart() {
        let of = |errno: Errno| words(&errno.into());
        assert_eq!(of(Errno::CONNREFUSED), Some("connection refused"));
        assert_eq!(of(Errno::ADDRNOTAVAIL), Some("no free local port"));
        assert_eq!(of(Errno::MFILE), Some("no free file descriptor"));
        assert_eq!(of(Errno::NOENT), Some("there is no such Unix socket"));
        assert_eq!(of(Errno::TIMEDOUT), Some("TCP timed out: the host does not respond"));
        assert_eq!(of(Errno::IO), None);
    }
}
